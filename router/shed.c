/* SPDX-License-Identifier: MIT */
#include "router/shed.h"

#include "router/client.h"
#include "router/exchange.h"
#include "router/h2.h"
#include "router/relay.h"

enum {
    HEAD_LAZY_MS = 2000,  /* a head takes this long: no browser does */
    LOOK_MAX = 1024,      /* clients that are looked at to find those that hold buffers */
    HOLDERS_MAX = 32,     /* and of these, to find the one that costs most */
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

/* Somebody who may be let go. */
struct candidate {
    struct deadline *client; /* or else */
    struct relay *tunnel;
    uint64_t cost; /* bytes held, times the milliseconds since anything got on */
};

static uint64_t cost(const struct worker *w, size_t bytes, uint64_t since_ms)
{
    uint64_t now_ms = w->now_us / 1000;

    return bytes * (now_ms > since_ms ? now_ms - since_ms + 1 : 1);
}

/* Clients of a list, those who have waited longest first. */
static void look_at_list(const struct worker *w, struct candidate *found, struct deadline_list *l,
                         size_t (*held_by)(const struct client *c))
{
    struct deadline *d = deadline_first(l);
    int holders = 0;

    for (int i = 0; d && d != &l->head && i < LOOK_MAX && holders < HOLDERS_MAX; i++, d = d->next) {
        const struct client *c = DEIS_OWNER(d, struct client, deadline);
        size_t bytes = held_by(c);
        if (bytes > 0) {
            bool active = c->state == CLIENT_ACTIVE; /* its deadline may have been put off */
            uint64_t since_ms = active ? c->exchange->wait_us / 1000 : d->at_ms - l->ms;
            uint64_t its = cost(w, bytes, since_ms);
            if (its > found->cost) {
                *found = (struct candidate){ d, NULL, its };
            }
            holders++;
        }
    }
}

/* Upgraded connections of which an end does not read. */
static void look_at_tunnels(const struct worker *w, struct candidate *found,
                            struct deadline_list *l)
{
    struct deadline *d = deadline_first(l);

    for (int i = 0; d && d != &l->head && i < LOOK_MAX; i++, d = d->next) {
        struct relay *r = DEIS_OWNER(d, struct relay, deadline);
        uint64_t its = cost(w, relay_held(r), r->last_ms);
        if (its > found->cost) {
            *found = (struct candidate){ NULL, r, its };
        }
    }
}

static struct candidate laziest(struct worker *w)
{
    static const enum wait own_part[] = { WAIT_CLIENT, WAIT_BODY, WAIT_HEAD };
    static const enum wait units_part[] = { WAIT_UNIT, WAIT_ANSWER, WAIT_STREAM };
    struct candidate found = { NULL, NULL, 0 };

    for (size_t i = 0; i < DEIS_COUNT(own_part); i++) {
        look_at_list(w, &found, &w->waits[own_part[i]], buffers_of);
    }
    look_at_tunnels(w, &found, &w->waits[WAIT_TUNNEL]);
    for (size_t i = 0; i < DEIS_COUNT(units_part); i++) {
        look_at_list(w, &found, &w->waits[units_part[i]], untaken_of);
    }
    for (unsigned i = 0; i < w->own_waits.count; i++) {
        look_at_list(w, &found, w->own_waits.lists[i], untaken_of);
    }
    return found;
}

void shed_for_memory(struct worker *w)
{
    size_t enough = w->pool.limit / 8 * 7;

    send_batch_deliver(&w->sends); /* what only waits for the end of this turn is nobody's fault */
    while (bufpool_in_use(&w->pool) > enough) {
        struct candidate c = laziest(w);
        if (c.client) {
            end(w, c.client);
        } else if (c.tunnel) {
            atomic_fetch_add_explicit(&w->counters.shed, 1, memory_order_relaxed);
            relay_close(c.tunnel);
        } else {
            break;
        }
    }
    w->pool.over = false;
}
