/* SPDX-License-Identifier: MIT */
#include "router/shed.h"

#include "router/client.h"
#include "router/exchange.h"
#include "router/h2.h"
#include "router/relay.h"
#include "router/unit_h2.h"

enum {
    HEAD_LAZY_MS = 2000,  /* a head takes this long: no browser does */
    HOLDERS_MAX = 1024,   /* who hold bytes, of one list: they are compared */
    WALK_MAX = 16384,     /* of one list, looked at to find them */
    STALL_LAZY_MS = 5000, /* nothing was read, or sent, for so long */
};

static void end(struct worker *w, struct deadline *d)
{
    struct client *c = DEIS_OWNER(d, struct client, deadline);

    atomic_fetch_add_explicit(&w->counters.shed, 1, memory_order_relaxed);
    deadline_clear(d);
    if (c->state == CLIENT_ACTIVE) {
        exchange_time_out(c->exchange);
    } else {
        client_on_deadline(d);
    }
}

/* The first of a list but for spare, if it has waited for min_ms. */
static struct deadline *lazy(struct worker *w, enum wait wait, uint64_t min_ms,
                             const struct client *spare)
{
    struct deadline_list *l = &w->waits[wait];
    struct deadline *d = deadline_first(l);

    if (d && spare && d == &spare->deadline) {
        d = d->next;
    }
    return d && d != &l->head && d->at_ms + min_ms <= w->now_us / 1000 + l->ms ? d : NULL;
}

bool shed_for_connection(struct worker *w, const struct client *spare)
{
    struct deadline *d = lazy(w, WAIT_IDLE, 0, spare);

    if (d) {
        client_on_deadline(d); /* as if its time were over: no client counts on it */
        return true;
    }
    if ((d = lazy(w, WAIT_HEAD, HEAD_LAZY_MS, spare)) ||
        (d = lazy(w, WAIT_HANDSHAKE, HEAD_LAZY_MS, spare)) ||
        (d = lazy(w, WAIT_CLIENT, STALL_LAZY_MS, spare)) ||
        (d = lazy(w, WAIT_BODY, STALL_LAZY_MS, spare))) {
        /* A stream gives back its unit's connection. */
        end(w, d);
        return true;
    }
    return false;
}

/* Memory that somebody holds, and what that costs: bytes times the milliseconds since anything got
 * on. */
struct held {
    size_t bytes;
    uint64_t cost;
};

/* Where somebody who holds memory may wait. */
struct place {
    struct deadline_list *list;
    struct held (*look)(const struct worker *w, const struct deadline_list *l, struct deadline *d);
    void (*let_go)(struct worker *w, struct deadline *d);
};

static struct held held_since(const struct worker *w, size_t bytes, uint64_t since_ms)
{
    uint64_t now_ms = w->now_us / 1000;

    return (struct held){ bytes, bytes * (now_ms > since_ms ? now_ms - since_ms + 1 : 1) };
}

static struct held held_by(const struct worker *w, const struct deadline_list *l,
                           const struct client *c, const struct deadline *d, size_t bytes)
{
    /* The deadline of one that is served may have been put off. */
    uint64_t since_ms = c->state == CLIENT_ACTIVE ? c->exchange->wait_us / 1000 : d->at_ms - l->ms;

    return held_since(w, bytes, since_ms);
}

/* Of an exchange: what its unit, or for want of a unit its stream, holds up. */
static size_t on_the_way(const struct client *c)
{
    const struct exchange *x = c->exchange;

    return x->to_unit.cap + x->head.cap + (x->up && x->up->h2 ? unit_h2_buffers(x->up->h2) : 0) +
           (c->stream ? h2_stream_buffers(c->stream) : 0);
}

static struct held look_at_client(const struct worker *w, const struct deadline_list *l,
                                  struct deadline *d)
{
    const struct client *c = DEIS_OWNER(d, struct client, deadline);
    const struct exchange *x = c->exchange;
    size_t bytes = 0;

    if (c->h2) {
        bytes = h2_buffers(c->h2);
    } else if (x) {
        bytes = x->in.cap + x->body.cap + x->to_client.cap + on_the_way(c);
    }
    return held_by(w, l, c, d, bytes);
}

/* What is held while its unit does not go on: bytes that it does not take, or that wait for a grant
 * or for the firewall, the beginning of an answer, and heads that are longer than most. */
static struct held look_at_waiting(const struct worker *w, const struct deadline_list *l,
                                   struct deadline *d)
{
    const struct client *c = DEIS_OWNER(d, struct client, deadline);
    const struct exchange *x = c->exchange;
    size_t bytes = 0;

    if (x) {
        bytes =
            on_the_way(c) + exchange_waiting_body(x) + (x->in.cap > BUFPOOL_SMALL ? x->in.cap : 0);
    }
    return held_by(w, l, c, d, bytes);
}

static struct held look_at_tunnel(const struct worker *w, const struct deadline_list *l,
                                  struct deadline *d)
{
    const struct relay *r = DEIS_OWNER(d, struct relay, deadline);
    struct held sum = { 0, 0 };

    for (int i = 0; i < 2; i++) {
        struct held h = held_since(w, r->side[i].held.cap, r->side[i].held_ms);
        sum.bytes += h.bytes;
        sum.cost += h.cost;
    }
    return sum;
}

/* With all that it holds, at once: an error page to a stream would wait with it for its
 * connection's turn, a next request would begin in the same buffer. */
static void let_client_go(struct worker *w, struct deadline *d)
{
    struct client *c = DEIS_OWNER(d, struct client, deadline);
    struct exchange *x = c->exchange;

    if (c->state != CLIENT_ACTIVE) {
        end(w, d);
        return;
    }
    atomic_fetch_add_explicit(&w->counters.shed, 1, memory_order_relaxed);
    deadline_clear(d);
    x->keep_alive = false;
    if (c->stream) {
        client_abort(c);
    } else if (x->up && !x->up->connected) {
        (void)exchange_fail(x, PAGE_TOO_MANY); /* no fault of its unit */
    } else {
        exchange_time_out(x);
    }
}

static void let_tunnel_go(struct worker *w, struct deadline *d)
{
    atomic_fetch_add_explicit(&w->counters.shed, 1, memory_order_relaxed);
    relay_close(DEIS_OWNER(d, struct relay, deadline));
}

enum { PLACES_MAX = 8 + WAITS_MAX };

static unsigned places_of(struct worker *w, struct place places[PLACES_MAX])
{
    static const enum wait own_part[] = { WAIT_CLIENT, WAIT_BODY, WAIT_HEAD };

    static const enum wait units_part[] = { WAIT_CONNECT, WAIT_UNIT, WAIT_ANSWER, WAIT_STREAM };

    unsigned n = 0;

    for (size_t i = 0; i < DEIS_COUNT(own_part); i++) {
        places[n++] = (struct place){ &w->waits[own_part[i]], look_at_client, let_client_go };
    }
    places[n++] = (struct place){ &w->waits[WAIT_TUNNEL], look_at_tunnel, let_tunnel_go };
    for (size_t i = 0; i < DEIS_COUNT(units_part); i++) {
        places[n++] = (struct place){ &w->waits[units_part[i]], look_at_waiting, let_client_go };
    }
    for (unsigned i = 0; i < w->own_waits.count; i++) {
        places[n++] = (struct place){ w->own_waits.lists[i], look_at_waiting, let_client_go };
    }
    return n;
}

/* The first that costs so much, or NULL. */
static struct deadline *first_of_cost(const struct worker *w, const struct place *p, uint64_t cost)
{
    struct deadline *d = p->list->head.next;
    int holders = 0;

    for (int i = 0; d != &p->list->head && holders < HOLDERS_MAX && i < WALK_MAX;
         i++, d = d->next) {
        struct held h = p->look(w, p->list, d);
        if (h.bytes > 0 && h.cost >= cost) {
            return d;
        }
        holders += h.bytes > 0;
    }
    return NULL;
}

static int by_cost_down(const void *va, const void *vb)
{
    const struct held *a = va;
    const struct held *b = vb;

    return (a->cost < b->cost) - (a->cost > b->cost);
}

/* Those who cost so much or more hold `bytes` together, or all do that there are; 0: nobody. */
static uint64_t cost_of_dearest(const struct worker *w, const struct place *places, unsigned count,
                                size_t bytes)
{
    struct held *all = deis_realloc_array(NULL, (size_t)count * HOLDERS_MAX, sizeof(*all));
    size_t n = 0;
    uint64_t cost = 0;

    for (unsigned i = 0; i < count; i++) {
        const struct place *p = &places[i];
        struct deadline *d = p->list->head.next;
        size_t end = n + HOLDERS_MAX;
        for (int walked = 0; d != &p->list->head && n < end && walked < WALK_MAX; walked++) {
            struct held h = p->look(w, p->list, d);
            if (h.bytes > 0) {
                all[n++] = h;
            }
            d = d->next;
        }
    }
    qsort(all, n, sizeof(*all), by_cost_down);
    for (size_t i = 0, sum = 0; i < n && sum < bytes; i++) {
        cost = all[i].cost;
        sum += all[i].bytes;
    }
    free(all);
    return cost;
}

void shed_for_memory(struct worker *w)
{
    size_t enough = w->pool.limit / 8 * 7;
    struct place places[PLACES_MAX];
    size_t before = SIZE_MAX;

    send_batch_deliver(&w->sends); /* what only waits for the end of this turn is nobody's fault */
    if (bufpool_in_use(&w->pool) <= w->pool.limit) {
        return;
    }
    while (bufpool_in_use(&w->pool) > enough && bufpool_in_use(&w->pool) < before) {
        before = bufpool_in_use(&w->pool);
        unsigned count = places_of(w, places);
        uint64_t cost = cost_of_dearest(w, places, count, before - enough);
        for (unsigned i = 0; cost > 0 && i < count; i++) {
            struct deadline *d;
            while (bufpool_in_use(&w->pool) > enough && (d = first_of_cost(w, &places[i], cost))) {
                places[i].let_go(w, d);
            }
        }
    }
    w->pool.over = false; /* until somebody takes more */
}
