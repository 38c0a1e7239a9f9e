/* SPDX-License-Identifier: MIT */
#include "builder/core/image_name.h"

#include "lib/base/str.h"

char *image_full_name(const char *reference)
{
    struct deis_str name = deis_str(reference);
    ptrdiff_t slash = deis_str_find(name, '/');
    struct deis_str host = deis_str_first(name, slash > 0 ? (size_t)slash : 0);
    const char *prefix = "";

    if (slash < 0) {
        prefix = "docker.io/library/";
    } else if (deis_str_find(host, '.') < 0 && deis_str_find(host, ':') < 0 &&
               !deis_str_eq_cstr(host, "localhost")) {
        prefix = "docker.io/";
    }
    struct deis_str last = deis_str_skip(name, (size_t)(deis_str_rfind(name, '/') + 1));
    bool exact = deis_str_find(last, ':') >= 0 || deis_str_find(last, '@') >= 0;
    return last.len == 0 ? NULL
                         : deis_asprintf("%s%s%s", prefix, reference, exact ? "" : ":latest");
}
