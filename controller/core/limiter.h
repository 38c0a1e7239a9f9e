/* SPDX-License-Identifier: MIT */
/*
 * Failed attempts by name, forgotten with time: so many are free, then one each LIMITER_FORGET_MS.
 * A fixed table: names that share a slot share their fate only until the older one is forgotten.
 * Pure, the time comes in. thread: one owner
 */
#ifndef CONTROLLER_CORE_LIMITER_H
#define CONTROLLER_CORE_LIMITER_H

#include <stdbool.h>
#include <stdint.h>

#define LIMITER_SLOTS     1024
#define LIMITER_FORGET_MS 30000

struct limiter_slot {
    uint64_t name;        /* hash */
    uint64_t empty_at_ms; /* when all failures are forgotten */
};

struct limiter {
    struct limiter_slot slots[LIMITER_SLOTS];
};

/* 0: go on. Else milliseconds until the next attempt is allowed, when `free` failures are. */
uint64_t limiter_wait_ms(const struct limiter *l, uint64_t name, unsigned free, uint64_t now_ms);
void limiter_fail(struct limiter *l, uint64_t name, uint64_t now_ms);
void limiter_forget(struct limiter *l, uint64_t name);

#endif
