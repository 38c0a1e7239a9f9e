/* SPDX-License-Identifier: MIT */
#include "lib/model/tls_versions.h"

int deis_tls_versions_parse(struct deis_str text, struct deis_tls_versions *ret,
                            struct deis_err *err)
{
    struct deis_tls_versions versions = { false, false };
    struct deis_str rest = deis_str_trim(text);
    struct deis_str word;

    while (rest.len > 0) {
        deis_str_split(&rest, ' ', &word);
        if (deis_str_eq_cstr(word, "TLSv1.2")) {
            versions.v12 = true;
        } else if (deis_str_eq_cstr(word, "TLSv1.3")) {
            versions.v13 = true;
        } else if (word.len > 0) {
            return deis_err_set(err, DEIS_INVALID,
                                "must be of TLSv1.2 and TLSv1.3; '%.*s' is not offered",
                                (int)(word.len < 16 ? word.len : 16), word.ptr);
        }
    }
    if (!versions.v12 && !versions.v13) {
        return deis_err_set(err, DEIS_INVALID, "must be of TLSv1.2 and TLSv1.3");
    }
    *ret = versions;
    return DEIS_OK;
}
