/* SPDX-License-Identifier: MIT */
#include "router/core/route_table.h"

enum {
    EJECT_FIRST_MS = 1000,
    EJECT_MAX_MS = 10000,
    SUSPECT_LIMIT = 3,
};

static bool was_tried(const struct route_endpoint *e, struct route_endpoint *const *tried,
                      size_t tried_count)
{
    for (size_t i = 0; i < tried_count; i++) {
        if (tried[i] == e) {
            return true;
        }
    }
    return false;
}

static bool is_ejected(struct route_endpoint *e, uint64_t now_ms)
{
    return atomic_load_explicit(&e->ejected_until_ms, memory_order_relaxed) > now_ms;
}

static int in_flight(struct route_endpoint *e)
{
    return atomic_load_explicit(&e->in_flight, memory_order_relaxed);
}

/* The least loaded of all that were not tried; the ejected only when nothing else is left. */
static struct route_endpoint *pick_by_scan(const struct route_app *a, uint64_t now_ms, size_t start,
                                           struct route_endpoint *const *tried, size_t tried_count)
{
    struct route_endpoint *best = NULL;
    struct route_endpoint *last_resort = NULL;

    for (size_t i = 0; i < a->count; i++) {
        struct route_endpoint *e = a->endpoints[(start + i) % a->count];
        if (was_tried(e, tried, tried_count)) {
            continue;
        }
        struct route_endpoint **slot = is_ejected(e, now_ms) ? &last_resort : &best;
        if (!*slot || in_flight(e) < in_flight(*slot)) {
            *slot = e;
        }
    }
    return best ? best : last_resort;
}

struct route_endpoint *route_app_pick(const struct route_app *a, uint64_t now_ms, uint64_t random,
                                      struct route_endpoint *const *tried, size_t tried_count)
{
    if (a->count == 0) {
        return NULL;
    }
    if (a->count == 1) {
        return was_tried(a->endpoints[0], tried, tried_count) ? NULL : a->endpoints[0];
    }
    size_t i = (size_t)((uint32_t)random % a->count);
    size_t j = (i + 1 + (size_t)((random >> 32) % (a->count - 1))) % a->count;
    struct route_endpoint *x = a->endpoints[i];
    struct route_endpoint *y = a->endpoints[j];
    if (tried_count > 0 || is_ejected(x, now_ms) || is_ejected(y, now_ms)) {
        return pick_by_scan(a, now_ms, i, tried, tried_count);
    }
    return in_flight(y) < in_flight(x) ? y : x;
}

void route_endpoint_eject(struct route_endpoint *e, uint64_t now_ms)
{
    if (is_ejected(e, now_ms)) {
        return; /* others failed together with this one */
    }
    unsigned failures = atomic_fetch_add(&e->failures, 1);
    uint64_t ms = EJECT_FIRST_MS;

    for (unsigned i = 0; i < failures && ms < EJECT_MAX_MS; i++) {
        ms *= 2;
    }
    atomic_store(&e->ejected_until_ms, now_ms + (ms < EJECT_MAX_MS ? ms : EJECT_MAX_MS));
}

bool route_endpoint_suspect(struct route_endpoint *e, uint64_t now_ms)
{
    if (atomic_fetch_add(&e->failures, 1) + 1 < SUSPECT_LIMIT) {
        return false;
    }
    atomic_store(&e->ejected_until_ms, now_ms + EJECT_FIRST_MS);
    return true;
}

void route_endpoint_good(struct route_endpoint *e)
{
    if (atomic_load_explicit(&e->failures, memory_order_relaxed) > 0) {
        atomic_store(&e->failures, 0);
        atomic_store(&e->ejected_until_ms, 0);
    }
}
