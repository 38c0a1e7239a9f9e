/* SPDX-License-Identifier: MIT */
#include "builder/core/tree_path.h"

#define NAME_MAX_BYTES 255

bool tree_path_name_ok(struct deis_str name)
{
    if (name.len == 0 || name.len > NAME_MAX_BYTES || deis_str_eq_cstr(name, ".") ||
        deis_str_eq_cstr(name, "..") || deis_str_ieq_cstr(name, ".git")) {
        return false;
    }
    return !memchr(name.ptr, '/', name.len) && !memchr(name.ptr, '\0', name.len);
}

static size_t count_char(struct deis_str s, char c)
{
    size_t n = 0;

    for (size_t i = 0; i < s.len; i++) {
        n += s.ptr[i] == c;
    }
    return n;
}

bool tree_path_link_ok(struct deis_str path, struct deis_str target)
{
    size_t depth = count_char(path, '/'); /* of the folder that holds the link */
    bool climbing = true;
    struct deis_str part;

    if (target.len == 0 || target.ptr[0] == '/' || memchr(target.ptr, '\0', target.len)) {
        return false;
    }
    while (deis_str_split(&target, '/', &part)) {
        bool up = deis_str_eq_cstr(part, "..");
        if (up && (!climbing || depth == 0)) {
            return false;
        }
        depth -= up;
        climbing = climbing && (up || part.len == 0 || deis_str_eq_cstr(part, "."));
    }
    return true;
}
