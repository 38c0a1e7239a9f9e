/* SPDX-License-Identifier: MIT */
/* The buckets in which times of requests are counted: each twice as wide as the one before. Pure.
 * thread: any */
#ifndef DEIS_ROUTER_LATENCY_H
#define DEIS_ROUTER_LATENCY_H

#include "lib/base/attr.h"

enum {
    LATENCY_FIRST_US = 500, /* upper bound of the first */
    LATENCY_BUCKETS = 19,   /* up to 65.5 s, and one for all above */
};

/* The bucket of a time: the first whose upper bound it does not exceed. */
static inline unsigned latency_bucket(uint64_t us)
{
    if (us <= LATENCY_FIRST_US) {
        return 0;
    }
    unsigned i = 64 - (unsigned)__builtin_clzll((us - 1) / LATENCY_FIRST_US);
    return i < LATENCY_BUCKETS ? i : LATENCY_BUCKETS - 1;
}

/* Of all but the last. */
static inline uint64_t latency_bound_us(unsigned bucket)
{
    return (uint64_t)LATENCY_FIRST_US << bucket;
}

#endif
