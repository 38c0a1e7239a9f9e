/* SPDX-License-Identifier: MIT */
#include "router/shed.h"

#include "router/client.h"
#include "router/exchange.h"
#include "router/h2.h"
#include "router/relay.h"

enum {
    HEAD_LAZY_MS = 2000,  /* a head takes this long: no browser does */
    LOOK_MAX = 1024,      /* clients that are looked at to find one that holds buffers */
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

static size_t buffers_of(const struct client *c)
{
    const struct exchange *x = c->exchange;

    if (c->h2) {
        return h2_buffers(c->h2);
    }
    return x ? x->in.cap + x->body.cap + x->to_unit.cap + x->to_client.cap + x->head.cap : 0;
}

/* Bytes that its unit does not take, or not before it has granted an upgrade, or the firewall has
 * looked at them: of those that wait for an answer only these do no part. */
static size_t untaken_of(const struct client *c)
{
    size_t body = c->stream ? h2_stream_buffers(c->stream) : 0;

    return c->exchange ? c->exchange->to_unit.cap + exchange_waiting_body(c->exchange) + body : 0;
}

/* The laziest that holds any. */
static struct deadline *first_holder(struct deadline_list *l,
                                     size_t (*held_by)(const struct client *c))
{
    struct deadline *d = deadline_first(l);

    for (int i = 0; d && d != &l->head && i < LOOK_MAX; i++, d = d->next) {
        if (held_by(DEIS_OWNER(d, struct client, deadline)) > 0) {
            return d;
        }
    }
    return NULL;
}

/* Bytes that may stay. */
static size_t enough(const struct worker *w)
{
    return w->pool.limit / 8 * 7;
}

static void shed_list(struct worker *w, struct deadline_list *l,
                      size_t (*held_by)(const struct client *c))
{
    struct deadline *d;

    while (bufpool_in_use(&w->pool) > enough(w) && (d = first_holder(l, held_by))) {
        end(w, d);
    }
}

/* The upgraded connection that has been silent for longest while an end of it does not read. */
static struct relay *stuck_tunnel(struct deadline_list *l)
{
    struct relay *found = NULL;
    struct deadline *d = deadline_first(l);

    for (int i = 0; d && d != &l->head && i < LOOK_MAX; i++, d = d->next) {
        struct relay *r = DEIS_OWNER(d, struct relay, deadline);
        if (relay_holds(r) && (!found || r->last_ms < found->last_ms)) {
            found = r;
        }
    }
    return found;
}

static void shed_tunnels(struct worker *w)
{
    struct relay *r;

    while (bufpool_in_use(&w->pool) > enough(w) && (r = stuck_tunnel(&w->waits[WAIT_TUNNEL]))) {
        atomic_fetch_add_explicit(&w->counters.shed, 1, memory_order_relaxed);
        relay_close(r);
    }
}

void shed_for_memory(struct worker *w)
{
    static const enum wait order[] = { WAIT_CLIENT, WAIT_BODY, WAIT_HEAD };

    w->pool.over = false;
    for (size_t i = 0; i < DEIS_COUNT(order); i++) {
        shed_list(w, &w->waits[order[i]], buffers_of);
    }
    shed_tunnels(w);
    shed_list(w, &w->waits[WAIT_UNIT], untaken_of);
    shed_list(w, &w->waits[WAIT_ANSWER], untaken_of);
    shed_list(w, &w->waits[WAIT_STREAM], untaken_of);
    for (unsigned i = 0; i < w->own_waits.count; i++) {
        shed_list(w, w->own_waits.lists[i], untaken_of);
    }
}
