/* SPDX-License-Identifier: MIT */
/* The choice of a unit where an app's settings have a say. */
#include "router/core/route_table.h"

enum {
    WEIGHT_PLAIN = 100, /* of a unit for which nothing is set */
    SHARE_FULL = 1000,
    SHARE_FIRST = 100, /* what a unit that has just come gets of its weight */
};

/* "web.2" of "blog_v7.web.2-1a2b3c4d" */
static struct deis_str process_of(const char *unit)
{
    struct deis_str s = deis_str(unit);
    ptrdiff_t dot = deis_str_find(s, '.');

    s = dot < 0 ? DEIS_STR_NONE : deis_str_skip(s, (size_t)dot + 1);
    ptrdiff_t last = deis_str_rfind(s, '.');
    ptrdiff_t dash = deis_str_rfind(s, '-');
    return dash > last ? deis_str_first(s, (size_t)dash) : s;
}

static uint8_t weight_of(const struct deis_routing *r, const char *unit)
{
    struct deis_str process = process_of(unit);

    for (size_t i = 0; i < r->weight_count; i++) {
        if (deis_str_eq_cstr(process, r->weights[i].process)) {
            return r->weights[i].weight;
        }
    }
    return WEIGHT_PLAIN;
}

void route_app_set_settings(struct route_app *a, struct route_settings *s)
{
    if (!s) {
        return;
    }
    a->settings = route_settings_ref(s);
    if (s->r.weight_count > 0) {
        a->weights = deis_alloc(a->count + 1);
        for (size_t i = 0; i < a->count; i++) {
            a->weights[i] = weight_of(&s->r, a->endpoints[i]->unit);
        }
    }
    atomic_store(&a->warm, s->r.slow_start_ms == 0);
}

static bool is_out(struct route_endpoint *e, uint64_t now_ms, struct route_endpoint *const *tried,
                   size_t tried_count)
{
    for (size_t i = 0; i < tried_count; i++) {
        if (tried[i] == e) {
            return true;
        }
    }
    return atomic_load_explicit(&e->ejected_until_ms, memory_order_relaxed) > now_ms;
}

static uint64_t mix(uint64_t x)
{
    x ^= x >> 33;
    x *= UINT64_C(0xff51afd7ed558ccd);
    x ^= x >> 33;
    x *= UINT64_C(0xc4ceb9fe1a85ec53);
    return x ^ (x >> 33);
}

/* FNV-1a: the same in every router, for ever. */
uint64_t route_wish_value(struct deis_str s)
{
    uint64_t h = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < s.len; i++) {
        h = (h ^ (unsigned char)s.ptr[i]) * UINT64_C(1099511628211);
    }
    return s.len == 0 || h == 0 ? s.len : h;
}

/* The unit that is wished for, NULL when there is none or it can't serve now. For a value: the one
 * with the highest score, so that a unit that comes or goes moves its own clients only. */
static struct route_endpoint *wished(const struct route_app *a, const struct route_wish *wish,
                                     uint64_t now_ms, struct route_endpoint *const *tried,
                                     size_t tried_count)
{
    struct route_endpoint *best = NULL;
    uint64_t best_score = 0;

    for (size_t i = 0; i < a->count; i++) {
        struct route_endpoint *e = a->endpoints[i];
        if (is_out(e, now_ms, tried, tried_count)) {
            continue;
        }
        if (wish->tag != 0 && e->tag == wish->tag) {
            return e;
        }
        if (wish->value != 0 && (!a->weights || a->weights[i] > 0)) {
            uint64_t score = mix(wish->value ^ e->tag);
            best_score = best && score <= best_score ? best_score : score;
            best = best_score == score ? e : best;
        }
    }
    return best;
}

/* Thousandths of its weight that a unit has: fewer while it is new. */
static uint64_t share_of(struct route_app *a, struct route_endpoint *e, uint64_t now_ms,
                         bool *ret_cold)
{
    uint64_t slow_ms = a->settings->r.slow_start_ms;
    uint64_t since = atomic_load_explicit(&e->since_ms, memory_order_relaxed);

    if (slow_ms == 0) {
        return SHARE_FULL;
    }
    if (since == 0) {
        since = now_ms;
        atomic_store_explicit(&e->since_ms, now_ms, memory_order_relaxed);
    }
    uint64_t age = now_ms > since ? now_ms - since : 0;
    if (age >= slow_ms) {
        return SHARE_FULL;
    }
    *ret_cold = true;
    return SHARE_FIRST + (SHARE_FULL - SHARE_FIRST) * age / slow_ms;
}

enum { WEIGHED_MAX = 1024 };

/* An endpoint drawn by weight, but not the one at `except`; SIZE_MAX: none has any. */
static size_t draw(const uint32_t *weights, size_t count, uint64_t random, size_t except)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++) {
        sum += i == except ? 0 : weights[i];
    }
    uint64_t at = sum > 0 ? random % sum : 0;
    for (size_t i = 0; i < count && sum > 0; i++) {
        uint64_t w = i == except ? 0 : weights[i];
        if (at < w) {
            return i;
        }
        at -= w;
    }
    return SIZE_MAX;
}

static uint64_t in_flight(const struct route_app *a, size_t i)
{
    int n = atomic_load_explicit(&a->endpoints[i]->in_flight, memory_order_relaxed);

    return n > 0 ? (uint64_t)n : 0;
}

/* Of two drawn by their weights the one that has less to do for its weight; so an app with little
 * to do is served by the weights, a busy one by what each unit manages. NULL: none has a weight. */
static struct route_endpoint *weighed(struct route_app *a, uint64_t now_ms, uint64_t random,
                                      struct route_endpoint *const *tried, size_t tried_count)
{
    uint32_t weights[WEIGHED_MAX];
    bool cold = false;

    for (size_t i = 0; i < a->count; i++) {
        struct route_endpoint *e = a->endpoints[i];
        uint64_t share = share_of(a, e, now_ms, &cold);
        uint64_t weight = a->weights ? a->weights[i] : WEIGHT_PLAIN;
        weights[i] = is_out(e, now_ms, tried, tried_count) ? 0 : (uint32_t)(weight * share);
    }
    if (!cold) {
        atomic_store_explicit(&a->warm, true, memory_order_relaxed);
    }
    size_t x = draw(weights, a->count, random >> 32, SIZE_MAX);
    size_t y = x == SIZE_MAX ? x : draw(weights, a->count, random & UINT32_MAX, x);
    if (x == SIZE_MAX) {
        return NULL;
    }
    bool less = y != SIZE_MAX && in_flight(a, y) * weights[x] < in_flight(a, x) * weights[y];
    return a->endpoints[less ? y : x];
}

struct route_endpoint *route_app_choose(struct route_app *a, const struct route_wish *wish,
                                        uint64_t now_ms, uint64_t random,
                                        struct route_endpoint *const *tried, size_t tried_count)
{
    struct route_endpoint *e = NULL;

    if (wish->tag != 0 || wish->value != 0) {
        e = wished(a, wish, now_ms, tried, tried_count);
    }
    if (!e && a->count > 1 && a->count <= WEIGHED_MAX &&
        (a->weights || !atomic_load_explicit(&a->warm, memory_order_relaxed))) {
        e = weighed(a, now_ms, random, tried, tried_count);
    }
    return e ? e : route_app_pick(a, now_ms, random, tried, tried_count);
}
