/* SPDX-License-Identifier: MIT */
/* The client's side of a request that is under way: its body, its going away; writing to it. */
#include "router/exchange.h"
#include "router/h2.h"
#include "router/sock.h"
#include "router/tls.h"

enum { JOIN_MAX = 8192 };

enum deis_h1_result exchange_unchunk(struct deis_h1_chunked *state, char *data, size_t *len,
                                     struct deis_str *ret_rest)
{
    struct deis_str input = deis_str_n(data, *len);
    enum deis_h1_result r = DEIS_H1_MORE;
    size_t total = 0;

    while (r == DEIS_H1_MORE && input.len > 0) {
        struct deis_str piece;
        r = deis_h1_chunked_feed(state, &input, &piece, NULL);
        if (r == DEIS_H1_BAD) {
            break;
        }
        memmove(data + total, piece.ptr, piece.len);
        total += piece.len;
    }
    *len = total;
    *ret_rest = r == DEIS_H1_DONE ? input : DEIS_STR_NONE;
    return r;
}

int exchange_chunk(struct iovec *iov, char *line, char *data, size_t len, bool last)
{
    static char end[] = "\r\n0\r\n\r\n";
    int n = 0;

    if (len > 0) {
        iov[n++] = (struct iovec){ line, (size_t)snprintf(line, CHUNK_LINE, "%zx\r\n", len) };
        iov[n++] = (struct iovec){ data, len };
        iov[n++] = (struct iovec){ end, last ? 7 : 2 };
    } else if (last) {
        iov[n++] = (struct iovec){ end + 2, 5 };
    }
    return n;
}

/* Body bytes of unknown number in all: as a chunk, to units that speak HTTP/1.1. */
static bool send_chunk(struct exchange *x, char *data, size_t len)
{
    struct iovec iov[CHUNK_IOV];
    char line[CHUNK_LINE];

    if (x->up && x->up->h2) {
        iov[0] = (struct iovec){ data, len };
        return exchange_to_unit(x, iov, 1);
    }
    int count = exchange_chunk(iov, line, data, len, x->request_done);
    return count == 0 || exchange_to_unit(x, iov, count);
}

static bool forward_piece(struct exchange *x, char *data, size_t len)
{
    x->body_bytes += len;
    if (x->body_bytes > exchange_body_max(x)) {
        return exchange_fail(x, PAGE_TOO_LARGE);
    }
    return send_chunk(x, data, len);
}

static bool forward_chunked(struct exchange *x, char *data, size_t len)
{
    struct deis_str rest;
    enum deis_h1_result r = exchange_unchunk(&x->chunked, data, &len, &rest);

    if (r == DEIS_H1_BAD) { /* what came before the fault may have been too much already */
        bool too_large = x->body_bytes + len > exchange_body_max(x);
        return exchange_fail(x, too_large ? PAGE_TOO_LARGE : PAGE_BAD_REQUEST);
    }
    if (r == DEIS_H1_DONE) {
        x->request_done = true;
        /* The body bytes in the buffer are of no use any more: the next request takes their place.
         */
        x->in.len = x->head_len;
        x->taken = x->head_len;
        if (rest.len > 0 && !exchange_add_input(x, rest.ptr, rest.len)) {
            x->keep_alive = false;
        }
    }
    return forward_piece(x, data, len);
}

static bool forward_length(struct exchange *x, char *data, size_t len)
{
    struct iovec iov = { data, len };

    x->left -= len;
    x->body_bytes += len;
    x->request_done = x->left == 0;
    return exchange_to_unit(x, &iov, 1);
}

/* Bytes that are passed on are not kept: the request can't be sent again. */
static void forget_read(struct exchange *x)
{
    x->held = false;
    bytes_release(&x->worker->pool, &x->body);
}

void exchange_splice_body(struct exchange *x)
{
    uint64_t before = x->left;
    uint64_t moved = 0;
    enum splicer_result r = splicer_move(&x->body_pipe, x->client->fd, x->up->fd, &x->left, &moved);

    if (x->left < before) {
        forget_read(x);
    }
    x->body_bytes += before - x->left;
    switch (r) {
    case SPLICER_MOVED:
    case SPLICER_WAIT_INPUT:
        if (x->left == 0) {
            x->request_done = true;
            splicer_close(&x->worker->pipes, &x->body_pipe);
        }
        client_read_enable(x->client, true);
        break;
    case SPLICER_WAIT_OUTPUT:
        x->slow_unit = true;
        client_read_enable(x->client, false);
        event_add(&x->up->writable, NULL);
        break;
    case SPLICER_INPUT_ENDED:
    case SPLICER_INPUT_BROKEN: exchange_client_gone(x); return;
    case SPLICER_OUTPUT_BROKEN:
        /* It may have answered before it closed: that is read next. */
        x->broken = true;
        splicer_close(&x->worker->pipes, &x->body_pipe);
        x->request_done = x->left == 0;
        client_read_enable(x->client, true);
        break;
    }
    if (!exchange_holds_answer(x)) {
        exchange_wait(x);
    }
}

static bool may_splice(struct exchange *x)
{
    if (!x->up || !x->up->connected || x->up->h2 || x->broken || x->framing != DEIS_H1_LENGTH ||
        !x->client->direct) {
        return false;
    }
    return x->body_pipe.open ||
           (x->left >= SPLICER_MIN && splicer_open(&x->worker->pipes, &x->body_pipe));
}

/* len 0: the stream ends here. */
static bool forward_body(struct exchange *x, char *data, size_t len)
{
    if (x->tunnel) {
        return exchange_forward_tunnel(x, data, len);
    }
    switch (x->framing) {
    case DEIS_H1_CHUNKED: return forward_chunked(x, data, len);
    case DEIS_H1_UNTIL_CLOSE: x->request_done = len == 0; return forward_piece(x, data, len);
    case DEIS_H1_NO_BODY:
    case DEIS_H1_LENGTH: break;
    }
    return forward_length(x, data, len);
}

/* A client that sends a byte now and then would hold up one of the app's processes for hours. */
static bool is_trickle(const struct exchange *x)
{
    const struct worker *w = x->worker;

    return !x->slow_unit && !x->head_out && !exchange_is_call(x) &&
           edge_policy_is_trickle(w->policy, x->body_bytes, w->now_us - x->body_since_us);
}

bool exchange_body_comes(struct exchange *x)
{
    if (x->body_since_us == 0) {
        x->body_since_us = x->worker->now_us; /* it may have waited for a 100 Continue until now */
        return true;
    }
    return !is_trickle(x) || exchange_fail(x, PAGE_REQUEST_TIMEOUT);
}

/* More of a body that was held. */
static void feed(struct exchange *x)
{
    struct deis_str piece = exchange_take_piece(x);
    struct iovec iov = { (char *)(uintptr_t)piece.ptr, piece.len };

    if (x->framing == DEIS_H1_LENGTH ? !exchange_to_unit(x, &iov, 1)
                                     : !send_chunk(x, iov.iov_base, piece.len)) {
        return;
    }
    exchange_settle_body(x);
    if (!x->request_done && !exchange_holds_request(x)) {
        client_read_enable(x->client, true); /* for the next piece, or what a stream has */
    }
    if (!x->answer_done && !exchange_holds_answer(x)) {
        exchange_wait(x);
    }
}

static void read_body(struct exchange *x)
{
    struct worker *w = x->worker;
    size_t max = WORKER_SCRATCH;

    if (exchange_holds_request(x)) {
        client_read_enable(x->client, false);
        return;
    }
    if (exchange_has_piece(x)) {
        feed(x);
        return;
    }
    if (!exchange_body_comes(x)) {
        return;
    }
    if (may_splice(x)) {
        exchange_splice_body(x);
        return;
    }
    if (x->framing == DEIS_H1_LENGTH && x->left < max && !x->answer_done) {
        max = (size_t)x->left; /* of one that was refused it is not known */
    }
    ssize_t n = client_recv(x->client, w->scratch, max);
    if (n < 0 && sock_would_block()) {
        return;
    }
    if (n == 0 && x->answer_done && x->client->stream) {
        return; /* its end: what was dropped of it is not counted */
    }
    if (n < 0 || (n == 0 && x->framing != DEIS_H1_UNTIL_CLOSE)) {
        exchange_client_gone(x);
        return;
    }
    if (x->answer_done) {
        return; /* dropped: the connection is closed when the client has the answer */
    }
    if (n > 0) { /* the end of a stream can be read again */
        forget_read(x);
    }
    if (forward_body(x, w->scratch, (size_t)n) && !x->answer_done && !exchange_holds_answer(x)) {
        exchange_wait(x);
    }
}

/* The request is complete: what comes now is the next one, or the client leaves. */
static void read_ahead(struct exchange *x)
{
    size_t room = exchange_room(x);

    if (room == 0) {
        client_read_enable(x->client, false);
        if (!x->answer_done && !exchange_holds_answer(x)) {
            exchange_wait(x); /* its end is not seen any more: it is looked for now and then */
        }
        return;
    }
    ssize_t n = client_recv(x->client, x->in.data + x->in.len, room);
    if (n > 0) {
        x->in.len += (uint32_t)n;
    } else if (n == 0 || !sock_would_block()) {
        exchange_client_gone(x);
    }
}

void exchange_on_client_readable(struct exchange *x)
{
    if (x->examining) {
        exchange_hold_body(x);
    } else if (!x->request_done) {
        read_body(x);
    } else if (x->tunnel) {
        client_read_enable(x->client, false); /* its end has come */
    } else if (!x->client->stream) {
        read_ahead(x);
    }
}

void exchange_on_client_drained(struct exchange *x)
{
    bytes_release(&x->worker->pool, &x->to_client);
    if (x->answer_done) {
        (void)exchange_answer_done(x);
        return;
    }
    if (x->up) {
        upstream_read_enable(x->up, true);
    }
    exchange_wait(x);
}

/* What became of the bytes held for the client; it did not just block. */
static void sent_to_client(struct exchange *x, ssize_t n)
{
    struct bytes *b = &x->to_client;

    if (n < 0) {
        exchange_client_gone(x);
        return;
    }
    b->off += (uint32_t)n;
    if (b->off < b->len) {
        exchange_wait(x);
        return;
    }
    if (x->writable_set) {
        event_del(&x->client_writable);
    }
    exchange_on_client_drained(x);
}

static void flush_client(struct exchange *x)
{
    struct bytes *b = &x->to_client;

    if (b->len == 0) {
        event_del(&x->client_writable);
        if (!x->answer_pipe.open) {
            return;
        }
        if (x->up) {
            upstream_read_enable(x->up, true);
        }
        exchange_splice_answer(x);
        return;
    }
    ssize_t n = client_send(x->client, b->data + b->off, b->len - b->off);

    if (n >= 0 || !sock_would_block()) {
        sent_to_client(x, n);
    }
}

static void on_client_writable(evutil_socket_t fd, short what, void *arg)
{
    struct exchange *x = arg;

    worker_look_at_clock(x->worker);
    flush_client(x);
}

void exchange_await_client(struct exchange *x)
{
    if (!x->writable_set) {
        event_assign(&x->client_writable, x->worker->base, x->client->fd, EV_WRITE | EV_PERSIST,
                     on_client_writable, x);
        x->writable_set = true;
    }
    event_add(&x->client_writable, NULL);
    if (x->up && !x->up->h2) {
        upstream_read_enable(x->up, false);
    }
}

/* Small parts are sent faster by one plain call. */
ssize_t exchange_write(struct worker *w, int fd, const struct iovec *iov, int count, bool more)
{
    struct msghdr msg = { .msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)count };
    size_t total = 0;

    if (count == 1) {
        return sock_send_more(fd, iov->iov_base, iov->iov_len, more);
    }
    for (int i = 0; i < count; i++) {
        total += iov[i].iov_len;
    }
    if (total > JOIN_MAX) {
        return sock_sendmsg(fd, &msg, more);
    }
    char *p = w->out;
    for (int i = 0; i < count; i++) {
        if (p != iov[i].iov_base) {
            memcpy(p, iov[i].iov_base, iov[i].iov_len);
        }
        p += iov[i].iov_len;
    }
    return sock_send_more(fd, w->out, total, more);
}

size_t exchange_answer_room(const struct exchange *x)
{
    return x->client->stream ? h2_stream_room(x->client->stream) : WORKER_SCRATCH;
}

bool exchange_to_client(struct exchange *x, const struct iovec *iov, int count)
{
    struct worker *w = x->worker;
    size_t skip = 0;

    if (x->client->stream) {
        return h2_stream_send(x->client->stream, iov, count);
    }
    if (x->to_client.len == 0) {
        struct client *c = x->client;
        ssize_t n = c->tls ? tls_send_parts(c->tls, iov, count)
                           : exchange_write(w, c->fd, iov, count, c->last);
        if (n < 0 && !sock_would_block()) {
            exchange_client_gone(x);
            return false;
        }
        skip = n > 0 ? (size_t)n : 0;
    }
    if (!bytes_add_parts(&w->pool, &x->to_client, iov, count, skip)) {
        exchange_client_gone(x);
        return false;
    }
    if (x->to_client.len > 0) {
        exchange_await_client(x);
    }
    return true;
}

bool exchange_may_queue(const struct exchange *x, const struct iovec *iov, int count)
{
    size_t total = 0;

    for (int i = 0; i < count; i++) {
        total += iov[i].iov_len;
    }
    return total <= SEND_BATCH_MESSAGE_MAX && send_batch_is_open(&x->worker->sends);
}

static void on_sent(struct send_op *op, ssize_t n)
{
    struct exchange *x = DEIS_OWNER(op, struct exchange, client_send);
    bool blocked = n < 0 && sock_would_block();

    if (blocked || (n >= 0 && (size_t)n < op->len)) {
        exchange_await_client(x);
    }
    if (!blocked) {
        sent_to_client(x, n);
    }
}

bool exchange_end_to_client(struct exchange *x, const struct iovec *iov, int count)
{
    struct bytes *b = &x->to_client;
    const struct client *c = x->client;

    if (!c->direct || c->last || b->len > 0 || !exchange_may_queue(x, iov, count)) {
        return exchange_to_client(x, iov, count);
    }
    if (!bytes_add_parts(&x->worker->pool, b, iov, count, 0)) {
        exchange_client_gone(x);
        return false;
    }
    x->client_send.on_sent = on_sent;
    send_batch_add(&x->worker->sends, &x->client_send, c->fd, b->data, b->len);
    return true;
}
