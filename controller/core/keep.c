/* SPDX-License-Identifier: MIT */
#include "controller/core/keep.h"

size_t keep_surplus(size_t count, uint32_t wanted)
{
    size_t stay = wanted < KEEP_RELEASES_MIN ? KEEP_RELEASES_MIN : wanted;

    return count > stay ? count - stay : 0;
}

static void use(json_t *used, const json_t *doc, const char *member)
{
    const char *uuid = json_string_value(json_object_get(doc, member));

    if (uuid) {
        json_object_set_new(used, uuid, json_true());
    }
}

json_t *keep_unused(const json_t *names, const json_t *app, const json_t *releases,
                    const char *member)
{
    deis_autojson json_t *used = json_object();
    json_t *out = json_array();

    use(used, app, member);
    for (size_t i = 0; i < json_array_size(releases); i++) {
        use(used, json_array_get(releases, i), member);
    }
    for (size_t i = 0; i < json_array_size(names); i++) {
        json_t *name = json_array_get(names, i);
        if (!json_object_get(used, json_string_value(name))) {
            json_array_append(out, name);
        }
    }
    return out;
}
