/* SPDX-License-Identifier: MIT */
#include "router/core/crowd.h"

#include "lib/base/map.h"

enum {
    PLACES = 8, /* where one address may stand */
    COUNT_BITS = 24,
};

#define COUNT_MASK ((UINT64_C(1) << COUNT_BITS) - 1)

/* 40 bits of the address' hash and the number of its connections; 0 = free. Hashes are keyed, so
 * that nobody can choose addresses that meet. */
struct crowd {
    size_t mask;
    _Atomic uint64_t slots[];
};

struct crowd *crowd_new(size_t slots)
{
    struct crowd *c = deis_alloc(sizeof(*c) + slots * sizeof(c->slots[0]));

    c->mask = slots - 1;
    return c;
}

void crowd_free(struct crowd *c)
{
    free(c);
}

static uint64_t hash_of(const struct deis_ip *ip)
{
    return deis_hash((struct deis_str){ (const char *)ip->bytes, deis_ip_is_v4(ip) ? 16 : 8 });
}

/* Take one more in a slot that belongs to the tag, or is free. False: it is somebody else's by now.
 */
static bool take(_Atomic uint64_t *slot, uint64_t tag, uint32_t max, enum crowd_verdict *ret)
{
    uint64_t value = atomic_load_explicit(slot, memory_order_relaxed);

    while (value == 0 || (value & ~COUNT_MASK) == tag) {
        if ((value & COUNT_MASK) >= max || (value & COUNT_MASK) == COUNT_MASK) {
            *ret = CROWD_FULL;
            return true;
        }
        if (atomic_compare_exchange_weak(slot, &value, (value | tag) + 1)) {
            *ret = CROWD_IN;
            return true;
        }
    }
    return false;
}

enum crowd_verdict crowd_enter(struct crowd *c, const struct deis_ip *ip, uint32_t max,
                               _Atomic uint64_t **ret_seat)
{
    uint64_t hash = hash_of(ip);
    uint64_t tag = hash & ~COUNT_MASK;
    enum crowd_verdict verdict;
    _Atomic uint64_t *vacant = NULL;

    *ret_seat = NULL;
    for (unsigned i = 0; i < PLACES; i++) {
        _Atomic uint64_t *slot = &c->slots[(hash + i) & c->mask];
        uint64_t value = atomic_load_explicit(slot, memory_order_relaxed);
        if (value == 0) {
            vacant = vacant ? vacant : slot;
        } else if ((value & ~COUNT_MASK) == tag && take(slot, tag, max, &verdict)) {
            *ret_seat = verdict == CROWD_IN ? slot : NULL;
            return verdict;
        }
    }
    /* Two threads may give the same address two slots: it then gets a few more than max. */
    if (vacant && take(vacant, tag, max, &verdict)) {
        *ret_seat = verdict == CROWD_IN ? vacant : NULL;
        return verdict;
    }
    return CROWD_UNCOUNTED;
}

void crowd_leave(_Atomic uint64_t *seat)
{
    if (!seat) {
        return;
    }
    uint64_t value = atomic_load_explicit(seat, memory_order_relaxed);
    while (!atomic_compare_exchange_weak(seat, &value, (value & COUNT_MASK) == 1 ? 0 : value - 1)) {
    }
}
