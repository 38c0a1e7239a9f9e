/* SPDX-License-Identifier: MIT */
#include "deisctl/core/rotation.h"

size_t rotation_newest(const struct deis_keyring *ring)
{
    size_t newest = 0;

    for (size_t i = 1; i < ring->count; i++) {
        /* Of two that have no time the later line is the newer one, as they are appended. */
        if (ring->made_s[i] > ring->made_s[newest] ||
            (ring->made_s[i] == 0 && ring->made_s[newest] == 0)) {
            newest = i;
        }
    }
    return newest;
}

const char *rotation_state(const struct deis_keyring *ring, size_t index)
{
    if (index == 0) {
        return "seals";
    }
    return index == rotation_newest(ring) ? "new" : "old";
}

static bool holds(const struct rotation_service *s, const char *id)
{
    for (size_t i = 0; s->keys && s->keys[i]; i++) {
        if (strcmp(s->keys[i], id) == 0) {
            return true;
        }
    }
    return false;
}

static bool seals(const struct rotation_service *s, const char *id)
{
    return s->keys && s->keys[0] && strcmp(s->keys[0], id) == 0;
}

static bool holds_only(const struct rotation_service *s, const char *id)
{
    return seals(s, id) && !s->keys[1];
}

/* The services for which the fact does not hold go to why. True: there are none. */
static bool all(const struct rotation_view *v,
                bool (*fact)(const struct rotation_service *s, const char *id), const char *id,
                const char *what, struct deis_buf *why)
{
    size_t lacking = 0;

    if (v->service_count == 0) {
        deis_buf_add_cstr(why, "no service is registered: does the platform run?");
        return false;
    }
    for (size_t i = 0; i < v->service_count; i++) {
        if (fact(&v->services[i], id)) {
            continue;
        }
        if (lacking++ == 0) {
            deis_buf_addf(why, "key %s %s: ", id, what);
        } else {
            deis_buf_add_cstr(why, ", ");
        }
        deis_buf_add_cstr(why, v->services[i].name);
        if (!v->services[i].keys) {
            deis_buf_add_cstr(why, " (of an older version)");
        }
    }
    return lacking == 0;
}

static bool all_sealed_with_first(const struct rotation_view *v, struct deis_buf *why)
{
    char id[DEIS_KEY_ID_TEXT];
    bool done = true;

    for (size_t i = 1; i < v->ring->count; i++) {
        if (v->values[i] > 0) {
            deis_key_id_text(&v->ring->keys[i], id);
            deis_buf_addf(why, "%s%zu values are still sealed with key %s", done ? "" : "; ",
                          v->values[i], id);
            done = false;
        }
    }
    return done;
}

enum rotation_step rotation_next(const struct rotation_view *v, struct deis_buf *why)
{
    char id[DEIS_KEY_ID_TEXT];
    size_t newest = rotation_newest(v->ring);

    deis_key_id_text(&v->ring->keys[newest], id);
    if (newest != 0) {
        return all(v, holds, id, "is not yet held by", why) ? ROTATION_ACTIVATE
                                                            : ROTATION_AWAIT_HOLD;
    }
    if (v->ring->count > 1) {
        if (!all(v, seals, id, "does not yet seal in", why)) {
            return ROTATION_AWAIT_SEAL;
        }
        return all_sealed_with_first(v, why) ? ROTATION_RETIRE : ROTATION_AWAIT_VALUES;
    }
    if (v->service_count == 0) {
        return ROTATION_NONE;
    }
    return all(v, holds_only, id, "is not the only one in", why) ? ROTATION_NONE
                                                                 : ROTATION_AWAIT_FORGET;
}

json_t *rotation_audit(const char *action, const char *key_id, const char *now, const char *id)
{
    return json_pack("{s:s, s:s, s:s, s:s+, s:s, s:s}", "time", now, "user", "deisctl", "action",
                     action, "object", "key/", key_id, "result", "done", "request", id);
}
