/* SPDX-License-Identifier: MIT */
#include "client/core/pubkey.h"

const char *pubkey_file_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static bool is_type(struct deis_str s)
{
    static const char *const prefixes[] = { "ssh-", "ecdsa-", "sk-" };

    for (size_t i = 0; i < DEIS_COUNT(prefixes); i++) {
        if (deis_str_starts(s, prefixes[i]) && s.len > strlen(prefixes[i])) {
            return true;
        }
    }
    return false;
}

int pubkey_id(const char *path, struct deis_str text, char **ret, struct deis_err *err)
{
    struct deis_str rest = text;
    struct deis_str line;
    struct deis_str type;
    struct deis_str blob;

    if (!deis_str_split(&rest, '\n', &line) || !deis_str_split(&line, ' ', &type) ||
        !is_type(type) || !deis_str_split(&line, ' ', &blob) || blob.len == 0 ||
        !deis_str_is_utf8(text)) {
        return deis_err_set(err, DEIS_INVALID, "%s is not a valid ssh key", path);
    }
    line = deis_str_trim(line); /* a carriage return, of files that were on another system */
    if (line.len > 0) {
        *ret = deis_str_dup(line);
        return 0;
    }
    struct deis_str name = deis_str(pubkey_file_name(path));
    ptrdiff_t dot = deis_str_find(name, '.');
    *ret = deis_str_dup(dot >= 0 ? deis_str_first(name, (size_t)dot) : name);
    return 0;
}
