/* SPDX-License-Identifier: MIT */
#include "router/tunnel.h"

#include "router/core/crowd.h"
#include "router/relay.h"
#include "router/upstream.h"

enum { CLIENT, UNIT };

struct tunnel {
    struct relay relay;
    struct worker *worker;
    struct deadline unread; /* until the next look at a unit that does not read */
    bool may_pause;         /* as of struct upstream */
    bool https;
    struct route_app *app;           /* one ref */
    struct route_endpoint *endpoint; /* counted in flight */
    uint64_t start_us;
    uint64_t connect_us;
    _Atomic uint64_t *seat;     /* at the edge */
    _Atomic uint64_t *app_seat; /* at the app */
    struct log_line line;       /* its views point into text */
    char *text;
};

/* What the log line needs outlives the exchange. */
static void take_line(struct tunnel *t, struct exchange *x)
{
    t->text = exchange_move_texts(x);
    t->line.method = x->method;
    t->line.target = x->target;
    t->line.host = x->host;
    t->line.request_id = x->request_id;
    t->line.client = x->from.client;
}

static void watch_unit(struct tunnel *t)
{
    if (t->relay.side[UNIT].held.len > 0) {
        worker_wait(t->worker, WAIT_TUNNEL_UNIT, &t->unread);
    }
}

static void on_held(void *arg)
{
    struct tunnel *t = arg;

    worker_held_more(t->worker);
    watch_unit(t);
}

static void on_done(struct relay *r, void *arg)
{
    struct tunnel *t = arg;
    struct worker *w = t->worker;
    struct route_stats *s = t->app->stats;

    deadline_clear(&t->unread);
    worker_look_at_clock(w);
    t->line.app = t->app->name;
    t->line.unit = t->endpoint->unit;
    t->line.protocol = t->https ? "https" : "http";
    t->line.connect_us = t->connect_us - t->start_us;
    t->line.service_us = w->now_us - t->connect_us;
    t->line.bytes = r->side[CLIENT].bytes;
    t->line.status = 101;
    access_log_add(&w->log, &t->line, t->app->kind == ROUTE_APP);
    atomic_fetch_add_explicit(&s->answers[1], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&s->bytes_in, r->side[UNIT].bytes, memory_order_relaxed);
    atomic_fetch_add_explicit(&s->bytes_out, r->side[CLIENT].bytes, memory_order_relaxed);
    atomic_fetch_sub_explicit(&s->connections, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&w->counters.tunnels, 1, memory_order_relaxed);
    worker_release_endpoint(w, t->endpoint);
    crowd_leave(t->seat);
    crowd_leave(t->app_seat);
    route_app_unref(t->app);
    free(t->text);
    free(t);
    worker_connection_closed(w);
}

void tunnel_start(struct exchange *x, struct deis_str head, struct deis_str rest)
{
    struct worker *w = x->worker;
    struct tunnel *t = deis_alloc(sizeof(*t));

    t->worker = w;
    t->https = x->from.https;
    t->app = DEIS_TAKE(x->app); /* counted among its connections */
    atomic_fetch_sub_explicit(&t->app->stats->in_flight, 1, memory_order_relaxed);
    t->endpoint = DEIS_TAKE(x->endpoint);
    x->counted = false;
    t->start_us = x->start_us;
    t->connect_us = x->connect_us;
    take_line(t, x);
    t->relay.idle = &w->waits[WAIT_TUNNEL];
    t->relay.scratch = w->scratch;
    t->relay.scratch_len = WORKER_SCRATCH;
    t->relay.pool = &w->pool;
    t->relay.on_held = on_held;
    t->relay.on_done = on_done;
    t->relay.arg = t;
    t->relay.side[CLIENT].held = x->to_client;
    x->to_client = (struct bytes){ NULL, 0, 0, 0 };
    bool fits = relay_preload(&t->relay, CLIENT, head.ptr, head.len) &&
                relay_preload(&t->relay, CLIENT, rest.ptr, rest.len) &&
                relay_preload(&t->relay, UNIT, x->in.data + x->taken, x->in.len - x->taken);
    atomic_fetch_add_explicit(&w->counters.tunnels, 1, memory_order_relaxed);
    if (x->writable_set) {
        event_del(&x->client_writable);
    }
    t->app_seat = DEIS_TAKE(x->seat);
    t->seat = DEIS_TAKE(x->client->seat);
    int unit = upstream_detach(DEIS_TAKE(x->up));
    int client = client_detach(x->client, &t->relay.side[CLIENT].tls);
    relay_start(&t->relay, w->base, client, unit);
    watch_unit(t);
    if (!fits) {
        relay_close(&t->relay);
    }
}

void tunnel_on_deadline(struct deadline *d)
{
    struct relay *r = DEIS_OWNER(d, struct relay, deadline);

    relay_expired(r, ((struct tunnel *)r->arg)->worker->now_us / 1000);
}

void tunnel_on_unread(struct deadline *d)
{
    struct tunnel *t = DEIS_OWNER(d, struct tunnel, unread);
    const struct relay_side *unit = &t->relay.side[UNIT];

    if (unit->held.len > 0) {
        upstream_allow_pause_of(unit->fd, &t->may_pause);
    } else {
        upstream_end_pause_of(unit->fd, &t->may_pause);
    }
    watch_unit(t);
}

void tunnel_close(struct deadline *d)
{
    relay_close(DEIS_OWNER(d, struct relay, deadline));
}
