/* SPDX-License-Identifier: MIT */
#include "lib/base/clock.h"
#include "lib/net/httpd_internal.h"
#include "lib/net/log.h"
#include "lib/wire/url.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES    16384U
#define IN_MAX        131072U /* never reached: reading stops at IN_HIGH */
#define IN_HIGH       16384U  /* pipelined bytes that wait for an answer */
#define DISCARD_MAX   65536U  /* of a body that nobody wants, to keep the connection */
#define LINGER_MS     1000
#define LINGER_BYTES  1048576U
#define COLLECT_IDLES 4 /* a collected body must be complete after so many idle times */

static bool flushed(const struct conn *c)
{
    return c->out == NULL && c->file_fd < 0;
}

bool conn_discards_rest(const struct conn *c)
{
    return c->framing == DEIS_H1_LENGTH && c->body_left <= DISCARD_MAX;
}

/* --- end of a connection --- */

/* The service does not get to answer this request any more. */
static void forget_request(struct conn *c)
{
    struct deis_http_req *req = c->req;
    if (req != NULL) {
        if (req->seen && c->server->ops.on_gone != NULL) {
            c->server->ops.on_gone(req, c->server->arg);
        }
        c->req = NULL;
        req_free(req);
    }
}

int conn_detach(struct conn *c)
{
    c->state = CONN_CLOSED;
    conn_drop_unsent(c);
    event_del(&c->read_ev);
    event_del(&c->write_ev);
    event_del(&c->timer);
    httpd_conn_died(c);
    return c->fd;
}

void conn_close(struct conn *c)
{
    if (c->state == CONN_CLOSED) {
        return;
    }
    close(conn_detach(c));
    if (c->file_fd >= 0) {
        close(c->file_fd);
        c->file_fd = -1;
    }
    forget_request(c);
}

void conn_free(struct conn *c)
{
    deis_buf_clear(&c->in);
    free(c);
}

static void start_linger(struct conn *c)
{
    shutdown(c->fd, SHUT_WR);
    c->state = CONN_LINGER;
    c->head_since_ms = deis_now_ms();
    c->discarded = 0;
    deis_buf_clear(&c->in);
}

/* --- the request --- */

static void refuse_request(struct conn *c, int status, const char *text)
{
    bool can_answer = c->answer == ANSWER_NONE;
    c->paused = false;
    forget_request(c);
    if (can_answer) {
        conn_refuse(c, status, text);
    } else {
        c->broken = true;
    }
}

static void complete_request(struct conn *c)
{
    c->state = CONN_WAIT;
    if (c->req != NULL) {
        c->req->seen = true;
        c->server->ops.on_request(c->req, c->server->arg);
    }
}

static void deliver(struct conn *c, struct deis_str data)
{
    struct deis_http_req *req = c->req;
    if (req == NULL || data.len == 0) {
        return;
    }
    if (req->streamed) {
        c->server->ops.on_body(req, data, c->server->arg);
        return;
    }
    if (c->server->body_bytes + data.len > c->server->opts.bodies_max) {
        refuse_request(c, 503, "too many large requests at once, try again");
        return;
    }
    size_t before = req->body.len;
    deis_buf_add_str(&req->body, data);
    c->server->body_bytes += req->body.len - before;
    if (deis_buf_failed(&req->body)) {
        refuse_request(c, 413, "the request body is too large");
    }
}

/* One piece of the body off *in. True when the body is complete. */
static bool body_piece(struct conn *c, struct deis_str *in)
{
    struct deis_str data = DEIS_STR_NONE;
    if (c->framing == DEIS_H1_LENGTH) {
        data = deis_str_first(*in, c->body_left < in->len ? (size_t)c->body_left : in->len);
        *in = deis_str_skip(*in, data.len);
        c->body_left -= data.len;
        deliver(c, data);
        return c->body_left == 0;
    }
    struct deis_err err = DEIS_ERR_INIT;
    switch (deis_h1_chunked_feed(&c->chunked, in, &data, &err)) {
    case DEIS_H1_MORE: deliver(c, data); return false;
    case DEIS_H1_DONE: deliver(c, data); return true;
    case DEIS_H1_BAD: break;
    }
    *in = DEIS_STR_NONE;
    c->keep_alive = false;
    if (c->req != NULL) {
        refuse_request(c, 400, err.msg);
    }
    return false;
}

/* Returns when *in is used up, the body is complete, or the service pauses it. */
static void feed_body(struct conn *c, struct deis_str *in)
{
    while (in->len > 0 && c->state == CONN_BODY && !c->paused && !c->broken) {
        if (body_piece(c, in)) {
            complete_request(c);
        }
    }
}

static bool is_answered_for_good(const struct conn *c)
{
    return c->answer == ANSWER_WHOLE && !c->keep_alive && flushed(c);
}

static bool read_body(struct conn *c)
{
    if (is_answered_for_good(c)) {
        start_linger(c);
        return false;
    }
    if (c->owes_continue && c->in.len > 0) {
        c->owes_continue = false;
    }
    if (c->owes_continue && !c->paused && c->answer == ANSWER_NONE) {
        conn_send_continue(c);
    }
    struct deis_str rest = deis_buf_str(&c->in);
    feed_body(c, &rest);
    deis_buf_drain(&c->in, c->in.len - rest.len);
    return c->state != CONN_BODY || is_answered_for_good(c);
}

static void begin_request(struct conn *c, const struct deis_h1_head *head, size_t used)
{
    struct deis_http_req *req = deis_alloc(sizeof(*req));
    size_t len = 0;
    req->conn = c;
    req->head = *head;
    req->head_bytes = deis_buf_take(&c->in, &len); /* what the views of head point into */
    deis_buf_add(&c->in, req->head_bytes + used, len - used);
    deis_buf_init(&req->body, c->server->opts.body_max);
    deis_buf_init(&req->fields, IN_HIGH);
    deis_url_split(head->target, &req->path, &req->query);
    c->req = req;
    c->answer = ANSWER_NONE;
    c->minor = head->minor;
    c->is_head = deis_str_eq_cstr(head->method, "HEAD");
    c->keep_alive = head->keep_alive;
    c->framing = head->framing;
    c->body_left = head->content_length;
    c->chunked = (struct deis_h1_chunked){ 0 };
    c->paused = false;
    c->state = CONN_BODY;
    bool empty =
        c->framing == DEIS_H1_NO_BODY || (c->framing == DEIS_H1_LENGTH && c->body_left == 0);
    c->owes_continue = head->expect_continue && head->minor >= 1 && !empty;
    if (c->server->ops.on_head != NULL) {
        req->seen = true;
        c->server->ops.on_head(req, c->server->arg);
    }
    if (empty) {
        complete_request(c);
    } else if (c->req != NULL && !c->req->streamed && c->framing == DEIS_H1_LENGTH &&
               c->body_left > c->server->opts.body_max) {
        refuse_request(c, 413, "the request body is too large");
    }
}

static bool read_head(struct conn *c)
{
    struct deis_h1_limits limits = DEIS_H1_LIMITS_DEFAULT;
    struct deis_h1_head head;
    struct deis_err err = DEIS_ERR_INIT;
    size_t used = 0;
    int status = 400;
    switch (deis_h1_parse_request(deis_buf_str(&c->in), &limits, &c->scanned, &head, &used, &status,
                                  &err)) {
    case DEIS_H1_MORE: return false;
    case DEIS_H1_DONE: begin_request(c, &head, used); return true;
    case DEIS_H1_BAD: break;
    }
    c->state = CONN_WAIT;
    conn_refuse(c, status, err.msg);
    return true;
}

static bool start_head(struct conn *c)
{
    if (c->in.len == 0) {
        deis_buf_clear(&c->in);
        if (c->server->draining) {
            conn_close(c);
        }
        return false;
    }
    c->state = CONN_HEAD;
    c->answer = ANSWER_NONE;
    c->minor = 1;
    c->is_head = false;
    c->scanned = 0;
    c->head_since_ms = deis_now_ms();
    return true;
}

static bool finish_exchange(struct conn *c)
{
    if (c->answer != ANSWER_WHOLE || !flushed(c)) {
        return false;
    }
    if (c->ended) {
        conn_close(c);
        return false;
    }
    if (!c->keep_alive || c->server->draining) {
        start_linger(c);
        return false;
    }
    c->state = CONN_IDLE;
    return true;
}

/* --- running --- */

static bool step(struct conn *c)
{
    switch (c->state) {
    case CONN_IDLE: return start_head(c);
    case CONN_HEAD: return read_head(c);
    case CONN_BODY: return read_body(c);
    case CONN_WAIT: return finish_exchange(c);
    case CONN_LINGER:
    case CONN_CLOSED: break;
    }
    return false;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t deadline_of(const struct conn *c)
{
    const struct deis_httpd_opts *o = &c->server->opts;
    uint64_t at = flushed(c) ? UINT64_MAX : c->write_ms + o->idle_timeout_ms;
    switch (c->state) {
    case CONN_IDLE: return earlier(at, c->read_ms + o->idle_timeout_ms);
    case CONN_HEAD: return earlier(at, c->head_since_ms + o->head_timeout_ms);
    case CONN_BODY:
        if (!c->paused) {
            at = earlier(at, c->read_ms + o->idle_timeout_ms);
        }
        if (c->req != NULL && !c->req->streamed) {
            at = earlier(at, c->head_since_ms + COLLECT_IDLES * o->idle_timeout_ms);
        }
        return at;
    case CONN_LINGER: return c->head_since_ms + LINGER_MS;
    case CONN_WAIT:
    case CONN_CLOSED: break;
    }
    return at;
}

/* An earlier timer is left as it is: when it fires, the deadline is looked at again. */
static void arm_timer(struct conn *c)
{
    uint64_t at = deadline_of(c);
    if (at == UINT64_MAX || (c->timer_at_ms != 0 && c->timer_at_ms <= at)) {
        return;
    }
    uint64_t now = deis_now_ms();
    uint64_t ms = at > now ? at - now : 0;
    struct timeval delay = { (time_t)(ms / 1000), (suseconds_t)(ms % 1000) * 1000 };
    c->timer_at_ms = at;
    event_add(&c->timer, &delay);
}

static void watch_input(struct conn *c)
{
    bool wanted = !c->ended && !(c->state == CONN_BODY && c->paused) &&
                  !(c->state == CONN_WAIT && c->in.len >= IN_HIGH);
    if (wanted == c->reading) {
        return;
    }
    c->reading = wanted;
    if (wanted) {
        c->read_ms = deis_now_ms();
        event_add(&c->read_ev, NULL);
    } else {
        event_del(&c->read_ev);
    }
}

static bool writable_due(const struct conn *c)
{
    return c->req != NULL && c->answer == ANSWER_STARTED && c->req->owed && flushed(c) &&
           c->req->on_writable != NULL;
}

static void conn_run(struct conn *c)
{
    c->running = true;
    do {
        while (!c->broken && step(c)) {
        }
    } while (!c->broken && c->state != CONN_CLOSED && !flushed(c) && conn_flush(c));
    c->running = false;
    if (c->broken) {
        conn_close(c);
    }
    if (c->state == CONN_CLOSED) {
        return;
    }
    if (writable_due(c)) {
        conn_kick(c);
    }
    watch_input(c);
    arm_timer(c);
}

void conn_kick(struct conn *c)
{
    if (!c->running && c->state != CONN_CLOSED) {
        event_active(&c->write_ev, EV_TIMEOUT, 0);
    }
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
    struct conn *c = arg;
    c->running = true;
    conn_flush(c);
    if (!c->broken && writable_due(c)) {
        c->req->owed = false;
        c->req->on_writable(c->req, c->req->writable_arg);
    }
    conn_run(c);
}

/* --- events --- */

static void on_end_of_input(struct conn *c)
{
    c->ended = true;
    if ((c->state != CONN_BODY && c->state != CONN_WAIT) || c->answer != ANSWER_WHOLE) {
        conn_close(c);
        return;
    }
    c->state = CONN_WAIT;
    conn_run(c);
}

static void take_input(struct conn *c, struct deis_str got)
{
    c->read_ms = deis_now_ms();
    if (c->state == CONN_LINGER) {
        c->discarded += got.len;
        if (c->discarded > LINGER_BYTES) {
            conn_close(c);
        }
        return;
    }
    c->running = true;
    if (c->state == CONN_BODY && c->in.len == 0) {
        c->owes_continue = false;
        feed_body(c, &got); /* past c->in: most of a large body is not copied */
    }
    deis_buf_add_str(&c->in, got);
    conn_run(c);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct conn *c = arg;
    char bytes[READ_BYTES];
    ssize_t n = read(c->fd, bytes, sizeof(bytes));
    if (n > 0) {
        take_input(c, deis_str_n(bytes, (size_t)n));
    } else if (n == 0) {
        on_end_of_input(c);
    } else if (errno != EAGAIN && errno != EINTR) {
        conn_close(c);
    }
}

static void on_deadline(struct conn *c)
{
    bool only_line_ends = c->in.len <= 4;
    if (c->state == CONN_HEAD && !only_line_ends && flushed(c)) {
        c->state = CONN_WAIT;
        conn_refuse(c, 408, "the request head took too long");
    } else if (c->state == CONN_BODY && c->answer == ANSWER_NONE) {
        refuse_request(c, 408, "the request body took too long");
    } else {
        c->broken = true;
    }
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct conn *c = arg;
    c->timer_at_ms = 0;
    if (deadline_of(c) <= deis_now_ms()) {
        c->running = true;
        on_deadline(c);
        conn_run(c);
    } else {
        arm_timer(c);
    }
}

void conn_leave_if_idle(struct conn *c)
{
    if (c->state == CONN_IDLE) {
        on_readable(c->fd, EV_READ, c);
    }
    if (c->state == CONN_IDLE) {
        conn_close(c);
    }
}

struct conn *conn_new(struct deis_httpd *s, int fd, const char *peer)
{
    struct event_base *base = deis_loop_base(s->loop);
    struct conn *c = deis_alloc(sizeof(*c));
    c->server = s;
    c->fd = fd;
    c->file_fd = -1;
    c->read_ms = deis_now_ms();
    snprintf(c->peer, sizeof(c->peer), "%s", peer);
    deis_buf_init(&c->in, IN_MAX);
    event_assign(&c->read_ev, base, fd, EV_READ | EV_PERSIST, on_readable, c);
    event_assign(&c->write_ev, base, fd, EV_WRITE, on_turn, c);
    evtimer_assign(&c->timer, base, on_timer, c);
    watch_input(c);
    arm_timer(c);
    return c;
}

/* --- what the service asks about a request --- */

const struct deis_h1_head *deis_http_head(const struct deis_http_req *req)
{
    return &req->head;
}

struct deis_str deis_http_path(const struct deis_http_req *req)
{
    return req->path;
}

struct deis_str deis_http_query(const struct deis_http_req *req)
{
    return req->query;
}

struct deis_str deis_http_body(const struct deis_http_req *req)
{
    return deis_buf_str(&req->body);
}

const char *deis_http_peer(const struct deis_http_req *req)
{
    return req->conn->peer;
}

void deis_http_set_user(struct deis_http_req *req, void *user)
{
    req->user = user;
}

void *deis_http_user(const struct deis_http_req *req)
{
    return req->user;
}

void deis_http_stream_body(struct deis_http_req *req)
{
    req->streamed = true;
}

void deis_http_pause_body(struct deis_http_req *req, bool paused)
{
    req->conn->paused = paused;
    conn_kick(req->conn);
}
