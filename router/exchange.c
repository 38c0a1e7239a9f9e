/* SPDX-License-Identifier: MIT */
/* Life of an exchange: start, end, deadlines. */
#include "router/exchange.h"

#include "router/core/crowd.h"
#include "router/core/http_head.h"
#include "router/firewall.h"
#include "router/gate.h"
#include "router/gzip.h"
#include "router/h2.h"
#include "router/sock.h"

#include "lib/base/clock.h"

enum {
    FREE_MAX = 256,
    UNREAD_MIN = 32 * 1024, /* a kernel holds so much for a unit that does not read */
    INPUT_MAX = 64 * 1024,  /* so that the request fits a buffer when it is written anew */
};

struct exchange *exchange_new(struct client *c)
{
    struct worker *w = c->worker;
    struct exchange *x = w->free_exchanges;

    if (x) {
        w->free_exchanges = x->next_free;
        w->free_exchange_count--;
        memset(x, 0, sizeof(*x));
    } else {
        x = deis_alloc(sizeof(*x));
    }
    x->worker = w;
    x->client = c;
    return x;
}

static void release_buffers(struct exchange *x)
{
    struct bufpool *pool = &x->worker->pool;

    send_drop(&x->worker->sends, &x->unit_send);
    send_drop(&x->worker->sends, &x->client_send);
    exchange_drop_body(x);
    bytes_release(pool, &x->to_unit);
    bytes_release(pool, &x->to_client);
    bytes_release(pool, &x->head);
    bytes_release(pool, &x->trailers);
    bytes_release(pool, &x->request_trailers);
    splicer_close(&x->worker->pipes, &x->body_pipe);
    splicer_close(&x->worker->pipes, &x->answer_pipe);
    if (x->gzip) {
        gzip_end(x);
    }
    firewall_check_free(DEIS_TAKE(x->check));
}

void exchange_free(struct exchange *x)
{
    struct worker *w = x->worker;

    release_buffers(x);
    bytes_release(&w->pool, &x->in);
    free(x->text);
    if (w->free_exchange_count >= FREE_MAX) {
        free(x);
        return;
    }
    x->next_free = w->free_exchanges;
    w->free_exchanges = x;
    w->free_exchange_count++;
}

void exchange_pool_clear(struct worker *w)
{
    while (w->free_exchanges) {
        struct exchange *x = w->free_exchanges;
        w->free_exchanges = x->next_free;
        free(x);
    }
}

void exchange_next(struct exchange *x)
{
    struct worker *w = x->worker;
    struct client *c = x->client;
    struct bytes in = x->in;
    uint32_t rest = in.len - x->taken;

    if (rest > 0) {
        memmove(in.data, in.data + x->taken, rest);
    }
    in.len = rest;
    release_buffers(x);
    memset(x, 0, sizeof(*x));
    x->worker = w;
    x->client = c;
    x->in = in;
}

bool exchange_has_input(const struct exchange *x)
{
    return x->in.len > 0;
}

size_t exchange_room(const struct exchange *x)
{
    uint32_t cap = x->in.cap < INPUT_MAX ? x->in.cap : INPUT_MAX;

    return cap > x->in.len ? cap - x->in.len : 0;
}

bool exchange_add_input(struct exchange *x, const char *data, size_t len)
{
    struct deis_str *views[] = { &x->method,     &x->target,      &x->host,
                                 &x->request_id, &x->from.client, &x->from.port };
    uintptr_t start = (uintptr_t)x->in.data;
    uintptr_t end = start + x->in.len;

    if (x->in.len + len > INPUT_MAX) {
        return false;
    }
    bool added = bytes_add(&x->worker->pool, &x->in, data, len);
    for (size_t i = 0; i < DEIS_COUNT(views); i++) {
        uintptr_t at = (uintptr_t)views[i]->ptr; /* what lies elsewhere stays there */
        if (at >= start && at < end) {
            views[i]->ptr = x->in.data + (at - start);
        }
    }
    return added;
}

static void set_request_id(struct exchange *x, const struct deis_h1_head *head)
{
    static const char digits[] = "0123456789abcdef";

    x->request_id = http_request_id(head);
    if (x->request_id.ptr) {
        return;
    }
    for (int i = 0; i < 2; i++) {
        uint64_t r = worker_random(x->worker);
        for (int k = 0; k < 16; k++) {
            x->own_id[i * 16 + k] = digits[(r >> (4 * k)) & 15];
        }
    }
    x->request_id = deis_str_n(x->own_id, 32);
}

/* Whose request it is: the connection's, or who stands behind a proxy that is believed. */
static void set_from(struct exchange *x, const struct deis_h1_head *head)
{
    const struct client *c = x->client;
    const struct deis_cidrs *believed = x->worker->policy->forwarders;

    x->from.ip = c->ip;
    x->from.client = deis_str_n(c->peer, c->peer_len);
    x->from.https = c->https;
    if (believed && deis_cidrs_contain(believed, &c->ip)) {
        forwarded_read(head, believed, &x->from);
    }
}

/* Does it have to come again by HTTPS? */
static bool is_too_plain(const struct exchange *x)
{
    const struct route_https *h = x->worker->table->https;

    if (!h || x->from.https) {
        return false;
    }
    return x->app->settings ? gate_enforces_https(x->app->settings, h->enforce) : h->enforce;
}

uint64_t exchange_body_max(const struct exchange *x)
{
    const struct route_settings *s = x->app->settings;

    return s && s->r.has_body_max ? s->r.body_max : x->worker->table->limits.body_max;
}

static void take_head(struct exchange *x, const struct deis_h1_head *head, size_t head_len)
{
    x->head_len = (uint32_t)head_len;
    x->taken = x->head_len;
    x->method = head->method;
    x->target = head->target;
    x->host = head->host;
    x->framing = head->framing;
    x->length = head->content_length;
    x->minor = head->minor;
    x->keep_alive = head->keep_alive && !x->worker->draining;
    x->head_only = deis_str_eq_cstr(head->method, "HEAD");
    x->idempotent = http_method_is_idempotent(head->method);
    x->upgrade = http_upgrade_is_passed(head);
    x->request_done = head->framing == DEIS_H1_NO_BODY;
    set_request_id(x, head);
    set_from(x, head);
}

void exchange_start(struct exchange *x, size_t head_len)
{
    struct worker *w = x->worker;
    const struct deis_h1_head *head = &w->request;
    char host[ROUTE_HOST_MAX + 1];

    x->start_us = x->worker->now_us;
    x->start_ms = deis_wall_ms();
    atomic_fetch_add_explicit(&w->counters.requests, 1, memory_order_relaxed);
    take_head(x, head, head_len);
    if (exchange_meet_challenge(x)) {
        return;
    }
    struct deis_str name = { host, route_host_normalise(head->host, host) };
    struct route_app *app = route_table_find(w->table, name);
    if (!app) {
        x->json = http_wants_json(head);
        if (!exchange_check_health(x)) {
            (void)exchange_fail(x, PAGE_NO_APP);
        }
        return;
    }
    route_app_ref(app);
    x->app = app;
    atomic_fetch_add_explicit(&app->stats->in_flight, 1, memory_order_relaxed);
    if (x->upgrade) {
        atomic_fetch_add_explicit(&app->stats->connections, 1, memory_order_relaxed);
    }
    if (app->settings && !gate_pass(x)) {
        return;
    }
    if (gzip_is_on(x)) {
        gzip_note_request(x);
    }
    if (is_too_plain(x)) {
        exchange_redirect(x, name);
    } else if (deis_str_eq_cstr(head->method, "TRACE")) {
        (void)exchange_fail(x, PAGE_METHOD);
    } else if (x->framing == DEIS_H1_LENGTH && x->length > exchange_body_max(x)) {
        x->json = http_wants_json(head);
        (void)exchange_fail(x, PAGE_TOO_LARGE);
    } else if (gate_is_examined(x)) {
        exchange_examine(x);
    } else {
        (void)exchange_dispatch(x);
    }
}

void exchange_refuse(struct exchange *x, enum page page)
{
    x->start_us = x->worker->now_us;
    x->taken = x->in.len;
    atomic_fetch_add_explicit(&x->worker->counters.bad_requests, 1, memory_order_relaxed);
    (void)exchange_fail(x, page);
}

void exchange_parse_again(struct exchange *x)
{
    struct deis_h1_limits limits = DEIS_H1_LIMITS_DEFAULT;
    size_t scanned = 0;
    size_t used;
    int status;

    (void)deis_h1_parse_request(deis_str_n(x->in.data, x->head_len), &limits, &scanned,
                                &x->worker->request, &used, &status, NULL);
    x->worker->request.framing = x->framing;
}

void exchange_client_gone(struct exchange *x)
{
    x->page = x->tunnel ? PAGE_NONE : PAGE_CLIENT_GONE; /* that is how most tunnels end */
    exchange_end(x, CLIENT_CLOSE);
}

void exchange_drop_up(struct exchange *x, bool keep)
{
    if (x->up) {
        send_drop(&x->worker->sends, &x->unit_send);
        x->up->exchange = NULL;
        if (keep) {
            upstream_keep(x->up, x->keep_s);
        } else {
            upstream_close(x->up);
        }
        x->up = NULL;
    }
}

void exchange_drop_endpoint(struct exchange *x)
{
    if (x->endpoint) {
        if (x->counted) {
            worker_release_endpoint(x->worker, x->endpoint);
        } else {
            route_endpoint_unref(x->endpoint);
        }
        x->endpoint = NULL;
        x->counted = false;
    }
}

static void exchange_log(struct exchange *x)
{
    const struct page_info *p = page_info(x->page);
    struct worker *w = x->worker;
    uint64_t now_us = w->now_us;
    uint64_t connected = x->connect_us > 0 ? x->connect_us : x->start_us;

    if (x->app) {
        int status = x->page == PAGE_CLIENT_GONE || x->page == PAGE_CLIENT_STALLED ? 0 : x->status;
        struct route_stats *s = x->app->stats;
        atomic_fetch_add_explicit(&s->answers[status / 100], 1, memory_order_relaxed);
        if (x->body_bytes > 0) {
            atomic_fetch_add_explicit(&s->bytes_in, x->body_bytes, memory_order_relaxed);
        }
        atomic_fetch_add_explicit(&s->bytes_out, x->bytes_out, memory_order_relaxed);
        if (!x->tunnel) {
            atomic_fetch_add_explicit(&s->latency[latency_bucket(now_us - x->start_us)], 1,
                                      memory_order_relaxed);
            atomic_fetch_add_explicit(&s->latency_us, now_us - x->start_us, memory_order_relaxed);
        }
    }
    if (w->log.fd < 0 && !(w->log.to_ring && x->app)) {
        return;
    }
    struct log_line line = {
        .method = x->method,
        .target = x->target,
        .host = x->host,
        .request_id = x->request_id,
        .client =
            x->from.client.ptr ? x->from.client : deis_str_n(x->client->peer, x->client->peer_len),
        .app = x->app ? x->app->name : NULL,
        .unit = x->endpoint ? x->endpoint->unit : NULL,
        .code = p->code,
        .desc = x->page == PAGE_NO_APP ? NULL : p->desc,
        .protocol = x->from.https || x->client->https ? "https" : "http",
        .connect_us = connected - x->start_us,
        .service_us = now_us - connected,
        .rules = x->page == PAGE_BLOCKED ? firewall_check_rules(x->check) : NULL,
        .bytes = x->bytes_out,
        .status = x->status > 0 ? x->status : p->status,
    };
    access_log_add(&w->log, &line, x->app && x->app->kind == ROUTE_APP);
}

void exchange_uncount(struct exchange *x)
{
    struct route_stats *s = x->app->stats;

    crowd_leave(x->seat);
    if (!x->tunnel) {
        atomic_fetch_sub_explicit(&s->in_flight, 1, memory_order_relaxed);
    }
    if (x->upgrade) {
        atomic_fetch_sub_explicit(&s->connections, 1, memory_order_relaxed);
    }
}

void exchange_end(struct exchange *x, enum client_end end)
{
    if (x->writable_set) {
        event_del(&x->client_writable);
    }
    send_drop(&x->worker->sends, &x->client_send);
    exchange_drop_up(x, false);
    exchange_log(x);
    exchange_drop_endpoint(x);
    if (x->tunnel) {
        atomic_fetch_sub_explicit(&x->worker->counters.tunnels, 1, memory_order_relaxed);
    }
    if (x->app) {
        if (!x->turned_away) {
            exchange_uncount(x);
        }
        route_app_unref(x->app);
        x->app = NULL;
    }
    client_exchange_done(x->client, end);
}

bool exchange_holds_answer(const struct exchange *x)
{
    return x->to_client.len > 0 || x->answer_pipe.held > 0;
}

bool exchange_answer_done(struct exchange *x)
{
    x->answer_done = true;
    exchange_drop_up(x, x->reusable && x->request_done && !x->broken && x->to_unit.len == 0 &&
                            !(x->up && x->brimful && upstream_has_input(x->up)));
    if (exchange_holds_answer(x) || (x->client->stream && !h2_stream_end(x->client->stream))) {
        /* The unit is done with; only the client is still at it. */
        if (x->endpoint && x->counted) {
            struct route_endpoint *e = x->endpoint;
            route_endpoint_ref(e);
            x->counted = false;
            worker_release_endpoint(x->worker, e);
        }
        exchange_wait(x);
        return true;
    }
    if (x->keep_alive && x->request_done) {
        exchange_end(x, CLIENT_KEEP);
    } else {
        bool more = !x->request_done || x->in.len > x->taken;
        exchange_end(x, more ? CLIENT_CLOSE_LINGERING : CLIENT_CLOSE);
    }
    return false;
}

static enum wait awaited(const struct exchange *x)
{
    if (exchange_holds_answer(x) || x->answer_done) {
        return WAIT_CLIENT;
    }
    if (x->tunnel) {
        return exchange_holds_request(x) ? WAIT_UNIT : WAIT_STREAM;
    }
    if (x->up && !x->up->connected) {
        return WAIT_CONNECT;
    }
    if (!x->request_done && !exchange_holds_request(x) && !x->head_out && !exchange_is_call(x) &&
        !x->check_run) {
        return WAIT_BODY;
    }
    /* Of a long body the kernel may still hold the end. */
    bool may_be_unread = x->body_bytes >= UNREAD_MIN && !x->head_out;
    return x->client->reading && !may_be_unread ? WAIT_ANSWER : WAIT_UNIT;
}

/* What the app says; 0: nothing. */
static uint64_t own_wait_ms(const struct exchange *x, enum wait wait)
{
    return x->app && x->app->settings ? gate_wait_ms(x, wait) : 0;
}

static void wait_for(struct exchange *x, enum wait wait)
{
    uint64_t own_ms = own_wait_ms(x, wait == WAIT_UNIT && !x->tunnel ? WAIT_ANSWER : wait);

    if (wait == WAIT_UNIT && own_ms > x->worker->waits[WAIT_UNIT].ms) {
        own_ms = 0;
    }
    worker_wait_for(x->worker, wait, own_ms, &x->client->deadline);
}

void exchange_wait(struct exchange *x)
{
    x->wait_us = x->worker->now_us;
    wait_for(x, awaited(x));
}

/* The unit takes no more of the request, for less than it may. */
static bool may_wait_on(const struct exchange *x)
{
    const struct worker *w = x->worker;
    enum wait silence = x->tunnel ? WAIT_STREAM : WAIT_ANSWER;
    uint64_t own_ms = own_wait_ms(x, silence);
    uint64_t ms = own_ms > 0 ? own_ms : w->waits[silence].ms;

    return w->now_us - x->wait_us < ms * 1000;
}

void exchange_on_deadline(struct exchange *x)
{
    bool is_unread = awaited(x) == WAIT_UNIT;

    if (is_unread && sock_is_ended(x->client->fd)) {
        exchange_client_gone(x);
    } else if (is_unread && may_wait_on(x)) {
        upstream_allow_pause(x->up);
        wait_for(x, WAIT_UNIT);
    } else {
        exchange_time_out(x);
    }
}

void exchange_time_out(struct exchange *x)
{
    if (x->tunnel) {
        exchange_end(x, CLIENT_RESET);
        return;
    }
    switch (awaited(x)) {
    case WAIT_CLIENT:
        x->page = PAGE_CLIENT_STALLED;
        exchange_end(x, CLIENT_RESET);
        break;
    case WAIT_CONNECT: (void)exchange_unit_failed(x, PAGE_CONNECT_TIMEOUT); break;
    case WAIT_BODY: (void)exchange_fail(x, PAGE_REQUEST_TIMEOUT); break;
    case WAIT_HANDSHAKE:
    case WAIT_IDLE:
    case WAIT_HEAD:
    case WAIT_ANSWER:
    case WAIT_UNIT:
    case WAIT_LINGER:
    case WAIT_STREAM:
    case WAIT_UPSTREAM:
    case WAIT_TUNNEL:
    case WAIT_TUNNEL_UNIT:
    case WAIT_COUNT:
        (void)exchange_fail(x, x->check_run ? PAGE_UNEXAMINED : PAGE_ANSWER_TIMEOUT);
        break;
    }
}
