/* SPDX-License-Identifier: MIT */
/*
 * When the next table may be made: the first few follow their changes at once, and no more than a
 * tenth of the time goes into many. Pure.
 */
#ifndef DEIS_ROUTER_PACE_H
#define DEIS_ROUTER_PACE_H

#include <stdint.h>

enum {
    PACE_COST_US = 200,    /* of a table, beside what it takes here: its workers take it up */
    PACE_REST = 10,        /* times its cost */
    PACE_AHEAD_US = 20000, /* of rest that may be put off */
};

struct pace {
    uint64_t rested_us; /* when the rest after all tables is over; zero at first */
};

/* How long to wait; 0: not at all. */
static inline uint64_t pace_wait_ms(const struct pace *p, uint64_t now_us)
{
    uint64_t due_us = now_us + PACE_AHEAD_US;

    return due_us >= p->rested_us ? 0 : (p->rested_us - due_us) / 1000 + 1;
}

/* A table was made from start to end. */
static inline void pace_note(struct pace *p, uint64_t start_us, uint64_t end_us)
{
    uint64_t from_us = p->rested_us > end_us ? p->rested_us : end_us;

    p->rested_us = from_us + PACE_REST * (end_us - start_us + PACE_COST_US);
}

#endif
