/* SPDX-License-Identifier: MIT */
#include "router/core/challenges.h"

#include "lib/wire/json.h"

/* Characters of base64url, and of `more`. */
static bool is_text(struct deis_str s, size_t max, const char *more)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '_';
        if (!plain && (c == '\0' || !strchr(more, c))) {
            return false;
        }
    }
    return s.len > 0 && s.len <= max;
}

bool challenges_set(struct deis_map *m, struct deis_str token, struct deis_str value,
                    struct deis_err *err)
{
    const char *answer;

    if (!value.ptr) {
        (void)deis_map_remove(m, token);
        return true;
    }
    deis_autojson json_t *doc = deis_json_parse(value, err);
    if (!doc || deis_json_get_str(doc, "answer", &answer, err) < 0) {
        return false;
    }
    if (!is_text(token, CHALLENGE_TOKEN_MAX, "") ||
        !is_text(deis_str(answer), CHALLENGE_ANSWER_MAX, ".")) {
        deis_err_set(err, DEIS_INVALID, "token and answer must be base64url");
        return false;
    }
    if (deis_map_count(m) >= CHALLENGES_MAX) {
        deis_err_set(err, DEIS_LIMIT, "there are %d challenges already", CHALLENGES_MAX);
        return false;
    }
    deis_map_set(m, token, deis_strdup(answer));
    return true;
}

struct deis_map *challenges_copy(const struct deis_map *m)
{
    struct deis_map *copy = deis_map_count(m) > 0 ? deis_map_new(free) : NULL;
    size_t cursor = 0;
    struct deis_str token;
    void *value;

    while (copy && deis_map_next(m, &cursor, &token, &value)) {
        deis_map_set(copy, token, deis_strdup(value));
    }
    return copy;
}

const char *challenges_find(const struct deis_map *m, struct deis_str target)
{
    if (!m || !deis_str_starts(target, CHALLENGES_PATH)) {
        return NULL;
    }
    return deis_map_get(m, deis_str_skip(target, strlen(CHALLENGES_PATH)));
}
