/* SPDX-License-Identifier: MIT */
/*
 * Changing the cluster key, step by step: what has to happen next, from the keys in the file, the
 * keys that the services say they hold, and how many values each key still seals. Level-triggered:
 * whoever comes back after a break asks again. Pure. thread: any
 */
#ifndef DEISCTL_CORE_ROTATION_H
#define DEISCTL_CORE_ROTATION_H

#include "lib/crypto/keyring.h"
#include "lib/wire/json.h"

enum rotation_step {
    ROTATION_NONE,         /* one key, held everywhere: nothing is under way */
    ROTATION_AWAIT_HOLD,   /* a new key is in the file, not all services hold it */
    ROTATION_ACTIVATE,     /* all hold it: it may seal */
    ROTATION_AWAIT_SEAL,   /* it is first in the file, not all services seal with it */
    ROTATION_AWAIT_VALUES, /* values are still sealed with others */
    ROTATION_RETIRE,       /* the others may go */
    ROTATION_AWAIT_FORGET, /* one key in the file, some services still hold others */
};

struct rotation_service {
    const char *name; /* "controller@m1" */
    char **keys;      /* ids, first the one that it seals with; NULL: it does not say */
};

struct rotation_view {
    const struct deis_keyring *ring;
    const struct rotation_service *services;
    size_t service_count;
    const size_t *values; /* sealed with each key of the ring, by its index there */
};

/* Index of the key that was made last. */
size_t rotation_newest(const struct deis_keyring *ring);
/* "seals", "new" (opens; will seal) or "old" (opens; values may still be sealed with it). */
const char *rotation_state(const struct deis_keyring *ring, size_t index);
/* What is next; why gets a text for people, which names what is waited for. */
enum rotation_step rotation_next(const struct rotation_view *v, struct deis_buf *why);
/* Entry of the audit: action "key.add" and so on; now: in the layout of the API. Yours. */
json_t *rotation_audit(const char *action, const char *key_id, const char *now, const char *id);

#endif
