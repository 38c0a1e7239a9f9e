/* SPDX-License-Identifier: MIT */
/* The unit's side of a request: choice, sending, retries. */
#include "router/core/http_head.h"
#include "router/exchange.h"
#include "router/h2.h"
#include "router/shed.h"
#include "router/sock.h"
#include "router/unit_h2.h"

static bool is_exhausted(int errnum)
{
    return errnum == EMFILE || errnum == ENFILE || errnum == EADDRNOTAVAIL || errnum == ENOBUFS;
}

static enum page page_of_errno(int errnum)
{
    if (is_exhausted(errnum)) {
        return PAGE_TOO_MANY;
    }
    return errnum == ETIMEDOUT ? PAGE_CONNECT_TIMEOUT : PAGE_REFUSED;
}

static void set_connected(struct exchange *x)
{
    if (!x->up->connected) {
        x->up->connected = true;
        x->connect_us = x->worker->now_us;
    }
}

/* The table may have changed since the last attempt, or while this was examined: look again. */
static struct route_app *current_app(struct exchange *x)
{
    char host[ROUTE_HOST_MAX + 1];

    if (x->attempts > 0 || x->examined) {
        struct deis_str name = { host, route_host_normalise(x->host, host) };
        struct route_app *app = route_table_find(x->worker->table, name);
        if (app && app != x->app && app->stats == x->app->stats) {
            route_app_ref(app);
            route_app_unref(x->app);
            x->app = app;
        }
    }
    return x->app;
}

/* The chunked body bytes that came with the head, as chunks of ours. -1: they are bad, those before
 * the fault are counted. */
static ptrdiff_t write_chunks(struct exchange *x, char *out)
{
    struct deis_str input = deis_str_n(x->in.data + x->head_len, x->in.len - x->head_len);
    char *p = out;
    enum deis_h1_result r = DEIS_H1_MORE;

    while (r == DEIS_H1_MORE && input.len > 0) {
        struct deis_str data;
        r = deis_h1_chunked_feed(&x->chunked, &input, &data, NULL);
        if (r == DEIS_H1_BAD) {
            return -1;
        }
        if (data.len > 0) {
            p += snprintf(p, CHUNK_LINE, "%zx\r\n", data.len);
            memcpy(p, data.ptr, data.len);
            p += data.len;
            *p++ = '\r';
            *p++ = '\n';
            x->body_bytes += data.len;
        }
    }
    if (r == DEIS_H1_DONE) {
        p += snprintf(p, CHUNK_LINE, "0\r\n\r\n");
        x->request_done = true;
    }
    x->taken = x->in.len - (uint32_t)input.len;
    return p - out;
}

/* The same as plain bytes. */
static ptrdiff_t write_unchunked(struct exchange *x, char *out)
{
    size_t len = x->in.len - x->head_len;
    struct deis_str rest;

    memcpy(out, x->in.data + x->head_len, len);
    enum deis_h1_result r = exchange_unchunk(&x->chunked, out, &len, &rest);
    x->request_done = r == DEIS_H1_DONE;
    x->taken = x->in.len - (uint32_t)rest.len;
    x->body_bytes = len;
    return r == DEIS_H1_BAD ? -1 : (ptrdiff_t)len;
}

/* The same of a body that was held: its first bytes. */
static size_t write_held(struct exchange *x, char *out)
{
    bool plain = x->framing == DEIS_H1_LENGTH || x->up->h2;
    struct iovec iov[CHUNK_IOV];
    char line[CHUNK_LINE];
    char *p = out;

    x->body.off = 0;
    struct deis_str piece = exchange_take_piece(x);
    iov[0] = (struct iovec){ (char *)(uintptr_t)piece.ptr, piece.len };
    int count = plain ? piece.len > 0
                      : exchange_chunk(iov, line, iov->iov_base, piece.len, x->request_done);
    for (int i = 0; i < count; i++) {
        memcpy(p, iov[i].iov_base, iov[i].iov_len);
        p += iov[i].iov_len;
    }
    x->body_bytes = x->body.len;
    return (size_t)(p - out);
}

/* What there is of the request, written anew to worker->out; its length, -1 when its body is bad.
 */
static ptrdiff_t write_request(struct exchange *x, size_t *ret_head)
{
    struct worker *w = x->worker;
    struct http_forward forward = {
        x->from.client,
        x->from.https ? DEIS_STR("https") : DEIS_STR("http"),
        x->from.port.ptr ? x->from.port
                         : deis_str(x->client->https ? w->opts.https_port : w->opts.port),
        x->request_id,
        x->upgrade,
        http_clock_text(&w->clock, x->start_ms),
    };
    if (x->has_body) {
        w->request.expect_continue = false; /* the client was told, or did not wait */
    }
    size_t len = http_head_write_request(w->out, WORKER_OUT, &w->request, &forward);
    uint64_t there = x->in.len - x->head_len;

    *ret_head = len;
    x->body_bytes = 0;
    x->taken = x->head_len;
    x->request_done = x->framing == DEIS_H1_NO_BODY;
    if (x->has_body) {
        return (ptrdiff_t)(len + write_held(x, w->out + len));
    }
    if (x->framing == DEIS_H1_LENGTH) {
        uint32_t take = (uint32_t)(there < x->length ? there : x->length);
        memcpy(w->out + len, x->in.data + x->head_len, take);
        x->taken += take;
        x->body_bytes = take;
        x->left = x->length - take;
        x->request_done = x->left == 0;
        return (ptrdiff_t)(len + take);
    }
    if (x->framing == DEIS_H1_CHUNKED) {
        memset(&x->chunked, 0, sizeof(x->chunked));
        ptrdiff_t n = x->up->h2 ? write_unchunked(x, w->out + len) : write_chunks(x, w->out + len);
        return n < 0 ? -1 : (ptrdiff_t)len + n;
    }
    if (x->framing == DEIS_H1_UNTIL_CLOSE && x->up->h2) {
        memcpy(w->out + len, x->in.data + x->head_len, there);
        x->taken = x->in.len;
        x->body_bytes = there;
        return (ptrdiff_t)(len + there);
    }
    if (x->framing == DEIS_H1_UNTIL_CLOSE && there > 0) {
        len += (size_t)snprintf(w->out + len, CHUNK_LINE, "%zx\r\n", (size_t)there);
        memcpy(w->out + len, x->in.data + x->head_len, there);
        memcpy(w->out + len + there, "\r\n", 2);
        len += there + 2;
        x->taken = x->in.len;
        x->body_bytes = there;
    }
    return (ptrdiff_t)len;
}

/* The connection takes no more bytes. */
static bool unit_write_failed(struct exchange *x)
{
    if (!x->sent) {
        return exchange_unit_failed(x, page_of_errno(errno));
    }
    /* It may have answered before it closed: that is read next. */
    x->broken = true;
    return true;
}

static bool send_h2(struct exchange *x)
{
    enum unit_h2_sent outcome = unit_h2_send(x->up->h2);

    if (unit_h2_has_sent(x->up->h2)) {
        x->sent = true;
        set_connected(x);
    }
    if (outcome == UNIT_H2_BROKEN) {
        return unit_write_failed(x);
    }
    if (x->to_unit.len > 0 && !x->request_done) {
        client_read_enable(x->client, false);
    }
    return true;
}

/* The head at the start of worker->out, the body's first bytes behind it. */
static bool start_h2(struct exchange *x, size_t head_len, size_t len, bool trailers)
{
    static const struct deis_h1_limits wide = { WORKER_OUT, WORKER_OUT };
    struct worker *w = x->worker;
    size_t scanned = 0;
    size_t used;
    int status;

    if (deis_h1_parse_request(deis_str_n(w->out, head_len), &wide, &scanned, &w->request, &used,
                              &status, NULL) != DEIS_H1_DONE) {
        return exchange_fail(x, page_of_status(status)); /* more fields than fit, with ours */
    }
    switch (unit_h2_request(x->up->h2, &w->request, trailers)) {
    case UNIT_H2_BEGUN:
    case UNIT_H2_LATER: break;
    case UNIT_H2_CANNOT: return exchange_fail(x, PAGE_NOT_IMPLEMENTED);
    case UNIT_H2_NO_REQUEST: return exchange_fail(x, PAGE_BAD_REQUEST);
    case UNIT_H2_FULL: return exchange_unit_failed(x, PAGE_NO_ANSWER);
    }
    if (len > head_len && !bytes_add(&w->pool, &x->to_unit, w->out + head_len, len - head_len)) {
        return exchange_fail(x, PAGE_BAD_REQUEST);
    }
    return send_h2(x);
}

bool exchange_to_unit(struct exchange *x, const struct iovec *iov, int count)
{
    size_t skip = 0;

    if (!x->up || x->broken) {
        return true;
    }
    if (x->up->h2) {
        if (!bytes_add_parts(&x->worker->pool, &x->to_unit, iov, count, 0)) {
            return exchange_fail(x, PAGE_BAD_REQUEST);
        }
        return send_h2(x);
    }
    if (x->to_unit.len == 0) {
        ssize_t n = exchange_write(x->worker, x->up->fd, iov, count, false);
        if (n < 0 && !sock_would_block()) {
            return unit_write_failed(x);
        }
        if (n > 0) {
            x->sent = true;
            set_connected(x);
            skip = (size_t)n;
        }
    }
    if (!bytes_add_parts(&x->worker->pool, &x->to_unit, iov, count, skip)) {
        return exchange_fail(x, PAGE_BAD_REQUEST);
    }
    if (x->to_unit.len > 0) {
        x->slow_unit = true;
        event_add(&x->up->writable, NULL);
        if (!x->request_done) {
            client_read_enable(x->client, false);
        }
    }
    return true;
}

static void unit_takes_more(struct exchange *x)
{
    event_del(&x->up->writable);
    exchange_settle_body(x);
    client_read_enable(x->client, true);
    exchange_wait(x);
}

/* What became of the bytes held for the unit; it did not just block. */
static void sent_to_unit(struct exchange *x, ssize_t n)
{
    struct bytes *b = &x->to_unit;

    if (n < 0 && !x->sent) {
        (void)exchange_unit_failed(x, page_of_errno(errno));
        return;
    }
    if (n < 0) {
        x->broken = true;
        b->off = b->len;
    } else {
        x->sent = true;
        set_connected(x);
        b->off += (uint32_t)n;
    }
    if (b->off < b->len) {
        exchange_wait(x);
        return;
    }
    bytes_release(&x->worker->pool, b);
    unit_takes_more(x);
}

static void on_sent(struct send_op *op, ssize_t n)
{
    struct exchange *x = DEIS_OWNER(op, struct exchange, unit_send);
    bool blocked = n < 0 && sock_would_block();

    if (blocked || (n >= 0 && (size_t)n < op->len)) {
        x->slow_unit = true;
        event_add(&x->up->writable, NULL);
    }
    if (!blocked) {
        sent_to_unit(x, n);
    }
}

/* A small request that is complete: with what else this turn sends. */
static bool send_whole(struct exchange *x, const struct iovec *iov)
{
    struct bytes *b = &x->to_unit;

    if (!x->request_done || !x->up->connected || !exchange_may_queue(x, iov, 1)) {
        return exchange_to_unit(x, iov, 1);
    }
    if (!bytes_add_parts(&x->worker->pool, b, iov, 1, 0)) {
        return exchange_fail(x, PAGE_BAD_REQUEST);
    }
    x->unit_send.on_sent = on_sent;
    send_batch_add(&x->worker->sends, &x->unit_send, x->up->fd, b->data, b->len);
    return true;
}

/* worker->request is the head. */
static bool send_request(struct exchange *x)
{
    struct worker *w = x->worker;
    size_t head_len;

    bool trailers = x->up->h2 && deis_h1_has_token(&w->request, "te", "trailers");
    ptrdiff_t len = write_request(x, &head_len);
    if (x->body_bytes > exchange_body_max(x)) {
        return exchange_fail(x, PAGE_TOO_LARGE);
    }
    if (len < 0) {
        return exchange_fail(x, PAGE_BAD_REQUEST);
    }
    struct iovec iov = { w->out, (size_t)len };
    if (x->up->h2 ? !start_h2(x, head_len, (size_t)len, trailers) : !send_whole(x, &iov)) {
        return false;
    }
    exchange_settle_body(x);
    /* Read on for the rest of the body, or to see the client leave. */
    client_read_enable(x->client, x->request_done || x->to_unit.len == 0);
    exchange_wait(x);
    return true;
}

void exchange_send_again(struct exchange *x)
{
    exchange_parse_again(x);
    (void)send_request(x);
}

static enum page page_without_endpoint(const struct exchange *x, const struct route_app *app)
{
    if (x->page != PAGE_NONE) {
        return x->page; /* what the last attempt ended with */
    }
    return app->wanted > 0 ? PAGE_NOT_READY : PAGE_NO_PROCESS;
}

static const struct client *connection_of(const struct exchange *x)
{
    return x->client->stream ? h2_stream_connection(x->client->stream) : x->client;
}

bool exchange_dispatch(struct exchange *x)
{
    struct worker *w = x->worker;
    struct route_app *app = current_app(x);
    uint64_t now_ms = w->now_us / 1000;
    struct route_endpoint *e =
        app->settings
            ? route_app_choose(app, &x->wish, now_ms, worker_random(w), x->tried, x->tried_count)
            : route_app_pick(app, now_ms, worker_random(w), x->tried, x->tried_count);

    if (!e) {
        return exchange_fail(x, page_without_endpoint(x, app));
    }
    x->page = PAGE_NONE;
    x->attempts++;
    x->endpoint = e;
    x->counted = true;
    atomic_fetch_add(&e->in_flight, 1);
    x->held = true;
    x->sent = false;
    x->broken = false;
    x->received = false;
    bool h2 = app->settings && app->settings->r.h2c;
    x->up = x->fresh ? NULL : upstream_take_idle(w, e, !x->idempotent, h2, now_ms);
    x->reused = x->up != NULL;
    if (!x->up) {
        x->up = upstream_connect(w, e, h2);
        deadline_clear(&x->client->deadline); /* it is not this one that makes room */
        if (!x->up && is_exhausted(errno) && shed_for_connection(w, connection_of(x))) {
            exchange_parse_again(x); /* who made room may have used worker->request */
            x->up = upstream_connect(w, e, h2);
        }
        if (!x->up) {
            return exchange_unit_failed(x, page_of_errno(errno));
        }
    } else {
        x->connect_us = x->start_us;
    }
    x->up->exchange = x;
    if (x->attempts > 1) {
        exchange_parse_again(x);
    }
    return send_request(x);
}

bool exchange_unit_failed(struct exchange *x, enum page page)
{
    uint64_t now_ms = x->worker->now_us / 1000;
    bool connecting = !x->up || !x->up->connected;
    x->sent = x->sent || send_has_left(&x->unit_send);
    bool refused = exchange_is_call(x) && unit_h2_is_refused(x->up->h2);
    bool safe = connecting || !x->sent || x->idempotent || refused;

    bool aside = false;
    if (connecting && page != PAGE_TOO_MANY) {
        route_endpoint_eject(x->endpoint, now_ms);
        aside = true;
    } else if (!connecting && !x->reused && !x->received && !refused) {
        aside = route_endpoint_suspect(x->endpoint, now_ms);
    }
    if (aside) {
        atomic_fetch_add_explicit(&x->worker->counters.ejections, 1, memory_order_relaxed);
    }
    exchange_drop_up(x, false);
    if (x->received || x->head_out || !x->held || !safe || x->attempts >= EXCHANGE_ATTEMPTS) {
        return exchange_fail(x, page);
    }
    if (x->reused || refused) {
        x->fresh = true; /* stale, most likely, or full: the unit itself may be well */
    } else {
        x->tried[x->tried_count++] = x->endpoint;
    }
    exchange_drop_endpoint(x);
    bytes_release(&x->worker->pool, &x->to_unit);
    bytes_release(&x->worker->pool, &x->head);
    x->head_scanned = 0;
    x->page = page;
    atomic_fetch_add_explicit(&x->worker->counters.retries, 1, memory_order_relaxed);
    return exchange_dispatch(x);
}

void exchange_on_unit_writable(struct exchange *x)
{
    struct bytes *b = &x->to_unit;

    if (x->body_pipe.held > 0) {
        event_del(&x->up->writable);
        exchange_splice_body(x);
        return;
    }
    if (x->up->h2) {
        if (send_h2(x)) {
            client_read_enable(x->client, x->request_done || x->to_unit.len == 0);
            exchange_wait(x);
        }
        return;
    }
    if (b->len > 0) {
        ssize_t n = sock_send(x->up->fd, b->data + b->off, b->len - b->off);
        if (n >= 0 || !sock_would_block()) {
            sent_to_unit(x, n);
        }
        return;
    }
    unit_takes_more(x);
}
