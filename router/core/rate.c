/* SPDX-License-Identifier: MIT */
#include "router/core/rate.h"

#include "lib/base/map.h"

#include <stdatomic.h>

enum {
    SLOTS = 8192, /* 64 KiB for an app that has a limit */
    PLACES = 8,   /* where one address may stand */
    TAG_BITS = 24,
    TRIES = 4,
};

/* 24 bits of the address' hash, 40 of the time in 1/64 ms: it begins again every 198 days, when
 * what was counted is forgotten. Hashes are keyed, so that nobody can choose addresses that meet.
 */
struct rate {
    _Atomic uint64_t slots[SLOTS];
};

#define TIME_MASK ((UINT64_C(1) << (64 - TAG_BITS)) - 1)

struct rate *rate_new(void)
{
    return deis_alloc(sizeof(struct rate));
}

void rate_free(struct rate *r)
{
    free(r);
}

static uint64_t hash_of(const struct deis_ip *ip)
{
    return deis_hash((struct deis_str){ (const char *)ip->bytes, deis_ip_is_v4(ip) ? 16 : 8 });
}

/* The place of this address, or the one to take: free, or used up the least. */
static _Atomic uint64_t *find(struct rate *r, uint64_t hash, uint64_t *ret_old)
{
    uint64_t tag = hash >> (64 - TAG_BITS);
    _Atomic uint64_t *best = NULL;

    for (unsigned i = 0; i < PLACES; i++) {
        _Atomic uint64_t *slot = &r->slots[(hash + i) % SLOTS];
        uint64_t value = atomic_load_explicit(slot, memory_order_relaxed);
        if (value != 0 && value >> (64 - TAG_BITS) == tag) {
            *ret_old = value;
            return slot;
        }
        if (!best || (value & TIME_MASK) < (*ret_old & TIME_MASK)) {
            best = slot;
            *ret_old = value;
        }
    }
    return best;
}

uint64_t rate_take(struct rate *r, const struct deis_ip *ip, uint32_t per_minute, uint32_t burst,
                   uint64_t now_ms)
{
    uint64_t hash = hash_of(ip);
    uint64_t tag = hash >> (64 - TAG_BITS);
    /* In 1/64 ms: a million a minute still counts. */
    uint64_t each = UINT64_C(60000) * 64 / per_minute;
    uint64_t now = (now_ms * 64) & TIME_MASK;

    for (unsigned i = 0; i < TRIES; i++) {
        uint64_t old = 0;
        _Atomic uint64_t *slot = find(r, hash, &old);
        uint64_t until = old >> (64 - TAG_BITS) == tag ? old & TIME_MASK : 0;
        if (until < now || until - now > each * burst) {
            until = now;
        }
        if (until - now > each * (burst - 1)) {
            return (until - now - each * (burst - 1)) / 64 + 1;
        }
        uint64_t fresh = tag << (64 - TAG_BITS) | ((until + each) & TIME_MASK);
        if (atomic_compare_exchange_weak(slot, &old, fresh)) {
            return 0;
        }
    }
    return 0; /* so many at the same instant: let it pass */
}
