/* SPDX-License-Identifier: MIT */
/* The unit's answer on its way to the client. */
#include "router/core/http_head.h"
#include "router/exchange.h"
#include "router/gate.h"
#include "router/gzip.h"
#include "router/h2.h"
#include "router/sock.h"
#include "router/tls.h"
#include "router/tunnel.h"
#include "router/unit_h2.h"

enum {
    INTERIM_MAX = 16,
    INTERIM_BYTES_MAX = 32 * 1024, /* of all of them: to a client of HTTP/2 they may have to wait */
    SPLICE_ROUNDS = 4,             /* then others get their turn */
    KEEP_ALIVE_MAX_S = 3600,
};

static const struct deis_h1_limits limits = { 32768, 8192 };

/* Body bytes of the answer (data may be changed), with the head in front when it is due. */
static bool forward_answer(struct exchange *x, size_t head_len, char *data, size_t len)
{
    struct iovec iov[1 + CHUNK_IOV] = { { x->worker->out, head_len } };
    char line[CHUNK_LINE];
    struct deis_str rest = DEIS_STR_NONE;
    bool done = false;
    int count = head_len > 0 ? 1 : 0;

    switch (x->answer_framing) {
    case DEIS_H1_NO_BODY:
        x->reusable = x->reusable && len == 0;
        len = 0;
        done = true;
        break;
    case DEIS_H1_LENGTH:
        if (len > x->answer_left) {
            x->reusable = false;
            len = (size_t)x->answer_left;
        }
        x->answer_left -= len;
        done = x->answer_left == 0;
        break;
    case DEIS_H1_CHUNKED:
        switch (exchange_unchunk(&x->answer_chunked, data, &len, &rest)) {
        case DEIS_H1_BAD: return exchange_fail(x, PAGE_CUT_SHORT);
        case DEIS_H1_DONE: done = true; break;
        case DEIS_H1_MORE: break;
        }
        x->reusable = x->reusable && rest.len == 0;
        break;
    case DEIS_H1_UNTIL_CLOSE: break;
    }
    if (x->gzip) {
        struct deis_str piece = gzip_piece(x, data, len, done);
        data = (char *)(uintptr_t)piece.ptr;
        len = piece.len;
    }
    x->bytes_out += len;
    if (x->out == OUT_CHUNKED) {
        count += exchange_chunk(iov + count, line, data, len, done);
    } else if (len > 0) {
        iov[count++] = (struct iovec){ data, len };
    }
    if (done && !x->keep_alive) {
        client_last_write(x->client);
    }
    if (count > 0 &&
        !(done ? exchange_end_to_client(x, iov, count) : exchange_to_client(x, iov, count))) {
        return false;
    }
    return done ? exchange_answer_done(x) : true;
}

/* Between two sides of HTTP/2: it says itself where an answer ends, with a length or without. */
static void set_h2_framing(struct exchange *x, struct deis_h1_head *head)
{
    if (!x->client->stream) {
        return; /* without a length the end has to be told, also when it is here already */
    }
    if (head->framing == DEIS_H1_UNTIL_CLOSE && unit_h2_is_bodyless(x->up->h2)) {
        head->framing = DEIS_H1_NO_BODY;
    } else if (head->framing == DEIS_H1_LENGTH) {
        head->framing = DEIS_H1_UNTIL_CLOSE; /* trailers may follow */
    }
}

static bool start_answer(struct exchange *x, char *rest, size_t rest_len)
{
    struct worker *w = x->worker;
    struct deis_h1_head *head = &w->answer;

    if (x->up->h2) {
        set_h2_framing(x, head);
    }
    x->first_us = w->now_us;
    x->status = head->status;
    x->answer_framing = head->framing;
    x->answer_left = head->content_length;
    x->reusable = head->keep_alive || x->up->h2;
    x->keep_s = http_keep_alive_timeout(head, KEEP_ALIVE_MAX_S);
    x->keep_alive = x->keep_alive && x->request_done && !w->draining;
    if (x->gzip_on) {
        gzip_start(x);
    }
    switch (head->framing) {
    case DEIS_H1_NO_BODY: x->out = OUT_NONE; break;
    case DEIS_H1_LENGTH: x->out = OUT_LENGTH; break;
    case DEIS_H1_CHUNKED:
    case DEIS_H1_UNTIL_CLOSE:
        x->out = x->minor == 1 ? OUT_CHUNKED : OUT_CLOSE;
        x->keep_alive = x->keep_alive && x->out == OUT_CHUNKED;
        break;
    }
    x->out = x->client->stream ? OUT_STREAM : x->out;
    route_endpoint_good(x->endpoint);
    struct http_answer answer = { .chunked = x->out == OUT_CHUNKED,
                                  .keep_alive = x->keep_alive,
                                  .client_minor = x->minor };
    char cookie[GATE_COOKIE_MAX];
    if (x->from.https && w->table->https) {
        answer.hsts = x->app->settings
                          ? gate_hsts(x->app->settings, w->table->https)
                          : deis_str_n(w->table->https->hsts, w->table->https->hsts_len);
    }
    if (x->app->settings) {
        answer.extra = gate_cookie(x, cookie);
    }
    x->head_out = true;
    if (x->client->stream) {
        h2_stream_head(x->client->stream, head, answer.hsts, answer.extra);
        return forward_answer(x, 0, rest, rest_len);
    }
    size_t len = http_head_write_answer(w->out, WORKER_OUT, head, &answer);
    return forward_answer(x, len, rest, rest_len);
}

/* 1xx, whose head has so many bytes: to clients that know of them. */
static bool pass_interim(struct exchange *x, size_t bytes)
{
    struct worker *w = x->worker;
    struct http_answer answer = { .keep_alive = true, .client_minor = x->minor };

    x->interim++;
    x->interim_bytes += (uint32_t)bytes;
    if (x->interim > INTERIM_MAX || x->interim_bytes > INTERIM_BYTES_MAX) {
        return exchange_fail(x, PAGE_BAD_ANSWER);
    }
    if (x->client->stream) {
        h2_stream_interim(x->client->stream, &w->answer);
        return true;
    }
    if (x->minor == 0) {
        return true;
    }
    struct iovec iov = { w->out, http_head_write_answer(w->out, WORKER_OUT, &w->answer, &answer) };
    return exchange_to_client(x, &iov, 1);
}

static bool start_tunnel(struct exchange *x, const char *rest, size_t rest_len)
{
    struct worker *w = x->worker;
    struct http_answer answer = { .upgrade = true, .keep_alive = true, .client_minor = x->minor };

    if (!x->upgrade || x->to_unit.len > 0) {
        return exchange_fail(x, PAGE_BAD_ANSWER);
    }
    route_endpoint_good(x->endpoint);
    size_t len = http_head_write_answer(w->out, WORKER_OUT, &w->answer, &answer);
    tunnel_start(x, deis_str_n(w->out, len), deis_str_n(rest, rest_len));
    return false;
}

/* To clients of HTTP/2 each 2xx would grant what they ask for by CONNECT (RFC 8441 section 5). */
static bool is_about_upgrade(const struct exchange *x)
{
    int status = x->worker->answer.status;

    return status == 101 || (x->client->stream && x->upgrade && status < 300);
}

/* Bytes up to and with the final head. data lies in scratch, or in x->head. */
static void take_heads(struct exchange *x, char *data, size_t len)
{
    struct worker *w = x->worker;
    size_t used;

    for (;;) {
        switch (deis_h1_parse_response(deis_str_n(data, len), x->method, &limits, &x->head_scanned,
                                       &w->answer, &used, NULL)) {
        case DEIS_H1_BAD: (void)exchange_fail(x, PAGE_BAD_ANSWER); return;
        case DEIS_H1_MORE:
            if (x->head.data) {
                memmove(x->head.data, data, len);
                x->head.len = (uint32_t)len;
            } else if (len > 0) {
                (void)bytes_add(&w->pool, &x->head, data, len);
            }
            exchange_wait(x);
            return;
        case DEIS_H1_DONE: break;
        }
        x->head_scanned = 0;
        data += used;
        len -= used;
        if (w->answer.status == 101 && !x->client->stream && !x->up->h2) {
            (void)start_tunnel(x, data, len);
            return;
        }
        if (w->answer.status == 101 || w->answer.status >= 200) {
            break;
        }
        if (!pass_interim(x, used)) {
            return;
        }
    }
    /* Out of x before it is used: the exchange may be over, and another one begun, after the call.
     */
    struct bytes head = x->head;
    x->head = (struct bytes){ NULL, 0, 0, 0 };
    if (is_about_upgrade(x) ? exchange_answer_upgrade(x, data, len) : start_answer(x, data, len)) {
        exchange_wait(x);
    }
    bytes_release(&w->pool, &head);
}

static void unit_closed(struct exchange *x)
{
    bool connected = x->up->connected;

    if (!connected && errno == ETIMEDOUT) {
        (void)exchange_unit_failed(x, PAGE_CONNECT_TIMEOUT);
    } else {
        (void)exchange_unit_failed(x, connected ? PAGE_NO_ANSWER : PAGE_REFUSED);
    }
}

static void read_heads(struct exchange *x)
{
    struct worker *w = x->worker;
    char *data = w->scratch;
    size_t room = exchange_answer_room(x);

    if (x->head.data) {
        if (x->head.len == x->head.cap) {
            (void)bytes_reserve(&w->pool, &x->head, x->head.cap + (size_t)1);
        }
        data = x->head.data;
        room = x->head.cap - x->head.len;
    }
    ssize_t n = upstream_recv(x->up, data + x->head.len, room);
    if (n < 0 && sock_would_block()) {
        if (x->up->h2 && unit_h2_is_due(x->up->h2)) {
            exchange_send_again(x);
        }
        return;
    }
    if (n <= 0) {
        errno = n == 0 ? 0 : errno;
        unit_closed(x);
        return;
    }
    x->received = true;
    x->brimful = (size_t)n == room;
    take_heads(x, data, x->head.len + (size_t)n);
}

void exchange_splice_answer(struct exchange *x)
{
    x->brimful = true; /* no more was asked for than belongs to the answer */
    for (int i = 0; i < SPLICE_ROUNDS; i++) {
        switch (splicer_move(&x->answer_pipe, x->up ? x->up->fd : -1, x->client->fd,
                             &x->answer_left, &x->bytes_out)) {
        case SPLICER_MOVED:
            if (x->answer_left == 0) {
                (void)exchange_answer_done(x);
                return;
            }
            continue;
        case SPLICER_WAIT_INPUT: break;
        case SPLICER_WAIT_OUTPUT:
            exchange_await_client(x);
            if (x->answer_left == 0) {
                (void)exchange_answer_done(x);
            } else {
                exchange_wait(x);
            }
            return;
        case SPLICER_INPUT_ENDED:
        case SPLICER_INPUT_BROKEN: (void)exchange_fail(x, PAGE_CUT_SHORT); return;
        case SPLICER_OUTPUT_BROKEN: exchange_client_gone(x); return;
        }
        break;
    }
    exchange_wait(x);
}

static bool may_splice(struct exchange *x)
{
    return x->answer_pipe.open ||
           (x->out == OUT_LENGTH && x->answer_left >= SPLICER_MIN && x->client->direct &&
            !x->up->h2 && splicer_open(&x->worker->pipes, &x->answer_pipe));
}

static void read_body(struct exchange *x)
{
    struct worker *w = x->worker;

    if (may_splice(x)) {
        exchange_splice_answer(x);
        return;
    }
    size_t room = exchange_answer_room(x);
    size_t want = x->gzip && room > GZIP_READ_MAX ? GZIP_READ_MAX : room;
    ssize_t n = upstream_recv(x->up, w->scratch, want);

    if (n < 0 && sock_would_block()) {
        return;
    }
    if (n <= 0) {
        if (n == 0 && x->answer_framing == DEIS_H1_UNTIL_CLOSE) {
            if (x->up->h2 && !x->tunnel) {
                x->trailers = unit_h2_take_trailers(x->up->h2);
            }
            /* As if it were a body of known length that ends here. */
            x->answer_framing = DEIS_H1_NO_BODY;
            (void)forward_answer(x, 0, w->scratch, 0);
        } else {
            (void)exchange_fail(x, PAGE_CUT_SHORT);
        }
        return;
    }
    x->brimful = (size_t)n == want;
    if (forward_answer(x, 0, w->scratch, (size_t)n)) {
        exchange_wait(x);
    }
}

void exchange_on_unit_readable(struct exchange *x)
{
    if (exchange_holds_answer(x)) {
        if (!x->up->h2 || !unit_h2_read_on(x->up->h2)) {
            upstream_read_enable(x->up, false);
        }
    } else if (x->head_out) {
        read_body(x);
    } else {
        read_heads(x);
    }
}
