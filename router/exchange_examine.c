/* SPDX-License-Identifier: MIT */
/*
 * What the firewall says of a request: of its head, and of its body, which is held until then. No
 * unit is chosen before. A body that passes goes to the unit from where it is held, as if it came
 * from the client. Checks that may take long are made by the examiner.
 */
#include "router/core/body_kind.h"
#include "router/examiner.h"
#include "router/exchange.h"
#include "router/firewall.h"
#include "router/gate.h"
#include "router/h2.h"
#include "router/sock.h"

enum {
    PIECE = 64 * 1024, /* of a held body, handed on at once */
    READ_MIN = 512,    /* a chunk takes more bytes than it holds */
    QUICK_MAX = 2048,  /* bytes that are checked at once, in some milliseconds */
};

/* What is lent to the examiner: it outlives the exchange if need be. */
struct exchange_check {
    struct examiner_job job;
    struct worker *worker;
    struct exchange *exchange; /* NULL: that is over */
    struct bytes body;
};

static size_t body_limit(const struct exchange *x)
{
    return (size_t)x->worker->table->firewall.body_max;
}

static void block(struct exchange *x)
{
    atomic_fetch_add_explicit(&x->worker->counters.blocked, 1, memory_order_relaxed);
    (void)exchange_fail(x, PAGE_BLOCKED);
}

static void let_pass(struct exchange *x)
{
    firewall_check_free(DEIS_TAKE(x->check));
    (void)exchange_dispatch(x);
}

static void hold(struct exchange *x);

/* What comes after a check. */
static void conclude(struct exchange *x, bool is_body, enum firewall_verdict verdict)
{
    worker_look_at_clock(x->worker); /* that took a while */
    x->examining = false;
    x->body_since_us = 0; /* it does not come while a unit is asked */
    if (verdict == FIREWALL_BLOCK) {
        block(x);
        return;
    }
    exchange_parse_again(x);
    if (is_body || x->body_kind == BODY_OPAQUE) {
        let_pass(x);
    } else {
        hold(x);
    }
}

static void check_free(struct exchange_check *c)
{
    firewall_check_free(c->job.check);
    bytes_release(&c->worker->pool, &c->body);
    free(c);
}

static void on_checked(struct examiner_job *job)
{
    struct exchange_check *c = DEIS_OWNER(job, struct exchange_check, job);
    struct exchange *x = c->exchange;
    bool is_body = job->is_body;
    enum firewall_verdict verdict = job->verdict;

    if (x) {
        x->check_run = NULL;
        x->check = DEIS_TAKE(job->check);
        x->body = c->body;
        c->body = (struct bytes){ NULL, 0, 0, 0 };
    }
    check_free(c);
    if (x) {
        conclude(x, is_body, verdict);
    }
}

/* What of the body is looked into: all, or its start. */
static struct deis_str examined_body(const struct exchange *x)
{
    return deis_str_first(deis_str_n(x->body.data, x->body.len), body_limit(x));
}

/* The client is not read meanwhile. */
static void lend(struct exchange *x, bool is_body)
{
    if (examiner_is_full(x->worker->examiner)) {
        (void)exchange_fail(x, PAGE_UNEXAMINED);
        return;
    }
    struct exchange_check *c = deis_alloc(sizeof(*c));

    c->worker = x->worker;
    c->exchange = x;
    c->job.body = examined_body(x);
    c->job.is_whole = x->body.len <= body_limit(x);
    c->body = x->body;
    x->body = (struct bytes){ NULL, 0, 0, 0 };
    c->job.check = DEIS_TAKE(x->check);
    c->job.is_body = is_body;
    c->job.on_done = on_checked;
    x->check_run = c;
    x->examining = true;
    client_read_enable(x->client, false);
    exchange_wait(x);
    examiner_add(x->worker, &c->job);
}

/* All of the body is here, or as much as is looked into. */
static void look(struct exchange *x)
{
    if (x->head_len + x->body.len > QUICK_MAX) { /* most rules look at both, now */
        lend(x, true);
    } else {
        conclude(x, true, firewall_check_body(x->check, examined_body(x), true));
    }
}

size_t exchange_waiting_body(const struct exchange *x)
{
    if (x->check_run) {
        return x->check_run->body.cap;
    }
    return exchange_has_piece(x) ? x->body.cap : 0;
}

void exchange_drop_body(struct exchange *x)
{
    struct exchange_check *c = DEIS_TAKE(x->check_run);

    x->examining = false;
    if (c && examiner_cancel(x->worker->examiner, &c->job)) {
        check_free(c);
    } else if (c) {
        c->exchange = NULL;
    }
    bytes_release(&x->worker->pool, &x->body);
}

/* More of the body has come. */
static void go_on(struct exchange *x)
{
    bool is_long = x->body.len > body_limit(x);

    if (x->body_bytes > exchange_body_max(x) || (is_long && x->body_kind == BODY_TEXT)) {
        (void)exchange_fail(x, PAGE_TOO_LARGE);
    } else if (x->whole || is_long) {
        look(x);
    } else {
        client_read_enable(x->client, true);
        exchange_wait(x);
    }
}

/* Bytes of the body (len 0: the stream ends here), decoded in place. *ret_rest: what follows them.
 * False: the request is answered. */
static bool take(struct exchange *x, char *data, size_t len, struct deis_str *ret_rest)
{
    enum deis_h1_result r = DEIS_H1_MORE;
    size_t n = len;

    *ret_rest = DEIS_STR_NONE;
    if (x->framing == DEIS_H1_CHUNKED) {
        r = exchange_unchunk(&x->chunked, data, &n, ret_rest);
        x->whole = r == DEIS_H1_DONE;
    } else if (x->framing == DEIS_H1_LENGTH) {
        n = len < x->left ? len : (size_t)x->left;
        *ret_rest = deis_str_n(data + n, len - n);
        x->left -= n;
        x->whole = x->left == 0;
    } else {
        x->whole = len == 0;
    }
    x->request_done = x->whole;
    x->body_bytes += n;
    if (r == DEIS_H1_BAD) {
        bool too_large = x->body_bytes > exchange_body_max(x);
        return exchange_fail(x, too_large ? PAGE_TOO_LARGE : PAGE_BAD_REQUEST);
    }
    if (n > 0) {
        bytes_hoard(&x->worker->pool, &x->body, data, n);
    }
    return true;
}

/* RFC 9110 section 10.1.1: the client may wait for it before it sends any of the body. */
static bool ask_for_body(struct exchange *x)
{
    static char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct iovec iov = { text, sizeof(text) - 1 };

    if (x->client->stream) {
        x->worker->answer = (struct deis_h1_head){ .status = 100 };
        h2_stream_interim(x->client->stream, &x->worker->answer);
        return true;
    }
    return exchange_to_client(x, &iov, 1);
}

/* Take the body in; worker->request is the head. */
static void hold(struct exchange *x)
{
    struct bytes *in = &x->in;
    size_t early = in->len - x->head_len;
    struct deis_str rest = DEIS_STR_NONE;

    x->examining = true;
    x->has_body = true;
    x->left = x->length;
    if (early == 0 && x->worker->request.expect_continue && !ask_for_body(x)) {
        return;
    }
    if (early > 0 && !take(x, in->data + x->head_len, early, &rest)) {
        return;
    }
    /* What follows the body is the next request. */
    if (rest.len > 0) {
        memmove(in->data + x->head_len, rest.ptr, rest.len);
    }
    in->len = x->head_len + (uint32_t)rest.len;
    go_on(x);
}

void exchange_examine(struct exchange *x)
{
    struct firewall *f = gate_firewall(x);
    const struct deis_h1_head *head = &x->worker->request;

    if (!f) {
        (void)exchange_fail(x, PAGE_UNEXAMINED);
        return;
    }
    x->body_kind = x->request_done ? BODY_OPAQUE : body_kind(head);
    if (x->body_kind == BODY_TEXT && x->framing == DEIS_H1_LENGTH && x->length > body_limit(x)) {
        (void)exchange_fail(x, PAGE_TOO_LARGE);
        return;
    }
    struct firewall_request r = { head, x->from.client, x->request_id,
                                  x->body_kind != BODY_OPAQUE };
    atomic_fetch_add_explicit(&x->worker->counters.examined, 1, memory_order_relaxed);
    x->examined = true;
    x->check = firewall_check_new(f, &r);
    /* Others get their turn. */
    bool behind = x->client->behind && !examiner_is_full(x->worker->examiner);
    if (x->head_len > QUICK_MAX || behind) {
        lend(x, false);
    } else {
        conclude(x, false, firewall_check_head(x->check));
    }
}

void exchange_hold_body(struct exchange *x)
{
    char *data = x->worker->scratch;
    size_t limit = body_limit(x);
    size_t max = x->body.len < limit ? limit + 1 - x->body.len : 1; /* more shows that it is long */
    struct deis_str rest;

    if (!exchange_body_comes(x)) {
        return;
    }
    max = max > READ_MIN ? max : READ_MIN;
    if (x->framing == DEIS_H1_LENGTH && x->left < max) {
        max = (size_t)x->left;
    }
    ssize_t n = client_recv(x->client, data, max < WORKER_SCRATCH ? max : WORKER_SCRATCH);
    if (n < 0 && sock_would_block()) {
        return;
    }
    if (n < 0 || (n == 0 && x->framing != DEIS_H1_UNTIL_CLOSE)) {
        exchange_client_gone(x);
        return;
    }
    if (!take(x, data, (size_t)n, &rest)) {
        return;
    }
    if (rest.len > 0 && !exchange_add_input(x, rest.ptr, rest.len)) {
        x->keep_alive = false;
    }
    go_on(x);
}

struct deis_str exchange_take_piece(struct exchange *x)
{
    struct bytes *b = &x->body;
    size_t there = b->len - b->off;
    size_t n = there < PIECE ? there : PIECE;
    struct deis_str piece = deis_str_n(b->data + b->off, n);

    b->off += (uint32_t)n;
    x->request_done = x->whole && b->off == b->len;
    return piece;
}

void exchange_settle_body(struct exchange *x)
{
    struct bytes *b = &x->body;

    if (b->data && b->off == b->len && x->sent && !x->idempotent && x->to_unit.len == 0 &&
        !exchange_is_call(x)) {
        bytes_release(&x->worker->pool, b);
        x->held = false;
    }
}
