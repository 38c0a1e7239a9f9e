/* SPDX-License-Identifier: MIT */
/* A connection that speaks HTTP/2: its bytes, its deadlines and its end. */
#include "router/h2_conn.h"

#include "router/sock.h"

enum {
    QUEUE_MAX = 256, /* frames for a client that does not read, until it is not read either */
    TURN_US = 5000,  /* of its streams, then others get their turn */
};

bool h2_is_preface(struct deis_str head)
{
    return deis_str_starts(head, "PRI * HTTP/2.0\r\n\r\n");
}

void h2_conn_wait(struct h2_conn *conn, enum wait wait)
{
    conn->waiting = wait;
    if (wait == WAIT_COUNT) {
        deadline_clear(&conn->client->deadline);
    } else {
        worker_wait(conn->worker, wait, &conn->client->deadline);
    }
}

/* --- what goes out --- */

static ssize_t conn_send(struct h2_conn *conn, const char *data, size_t len)
{
    ssize_t n = client_send(conn->client, data, len);

    if (n < 0 && sock_would_block()) {
        return 0;
    }
    conn->broken = conn->broken || n < 0;
    return n;
}

static bool send_held(struct h2_conn *conn)
{
    struct bytes *b = &conn->out;

    if (b->len == 0) {
        return true;
    }
    ssize_t n = conn_send(conn, b->data + b->off, b->len - b->off);
    if (n <= 0) {
        return false;
    }
    b->off += (uint32_t)n;
    if (b->off < b->len) {
        h2_conn_wait(conn, WAIT_CLIENT);
        return false;
    }
    bytes_release(&conn->worker->pool, b);
    event_del(&conn->writable);
    h2_conn_wait(conn, conn->heading ? WAIT_HEAD : WAIT_COUNT);
    return true;
}

/* Frames into worker->out, until there are no more or it holds enough. False: no more. */
static bool fill(struct h2_conn *conn)
{
    conn->filled = 0;
    conn->full = false;
    while (conn->filled < H2_OUT_ENOUGH) {
        const uint8_t *data;
        ssize_t n = nghttp2_session_mem_send(conn->session, &data);
        if (n < 0) {
            conn->broken = true;
        }
        if (n <= 0) {
            return conn->full;
        }
        memcpy(conn->worker->out + conn->filled, data, (size_t)n);
        conn->filled += (size_t)n;
    }
    return true;
}

static void flush(struct h2_conn *conn)
{
    bool more = send_held(conn);

    while (more && !conn->broken) {
        more = fill(conn);
        if (conn->filled == 0 || conn->broken) {
            return;
        }
        ssize_t n = conn_send(conn, conn->worker->out, conn->filled);
        if (n < 0) {
            return;
        }
        if ((size_t)n < conn->filled) {
            conn->broken = !bytes_add(&conn->worker->pool, &conn->out, conn->worker->out + n,
                                      conn->filled - (size_t)n);
            event_add(&conn->writable, NULL);
            h2_conn_wait(conn, WAIT_CLIENT);
            return;
        }
    }
}

/* --- its life --- */

static void finish(struct h2_conn *conn)
{
    struct client *c = conn->client;

    if (conn->waiting == WAIT_IDLE) {
        client_close(c); /* nothing was under way, in either direction */
        return;
    }
    h2_free(conn);
    c->h2 = NULL;
    client_linger(c);
}

/* Nothing is under way: close, or wait for what comes next. */
static void settle(struct h2_conn *conn)
{
    struct client *c = conn->client;
    bool held = conn->out.len > 0;

    if (conn->broken) {
        client_close(c);
        return;
    }
    if (!held && !nghttp2_session_want_read(conn->session) &&
        !nghttp2_session_want_write(conn->session)) {
        finish(conn);
        return;
    }
    client_read_enable(c, !held ||
                              (conn->heads < H2_HELD_MAX &&
                               nghttp2_session_get_outbound_queue_size(conn->session) < QUEUE_MAX));
    if (held || conn->heading) {
        return; /* the deadline is set */
    }
    if (conn->stream_count > 0) {
        if (conn->waiting != WAIT_COUNT) {
            h2_conn_wait(conn, WAIT_COUNT);
        }
    } else if (conn->waiting == WAIT_COUNT) {
        h2_conn_wait(conn, WAIT_IDLE);
    }
}

/* Look after streams and send until there is nothing to do. The client may be freed. */
static void conn_run(struct h2_conn *conn)
{
    static const struct timeval next_turn = { 0, 0 };
    const struct worker *w = conn->worker;
    uint64_t until_us = w->now_us + TURN_US; /* the clock is looked at behind what takes long */
    struct h2_stream *s;

    conn->busy = true;
    do {
        while (w->now_us < until_us && (s = h2_stream_next_due(conn))) {
            h2_stream_on_due(s);
        }
        flush(conn);
    } while (conn->due_first && !conn->broken && w->now_us < until_us);
    conn->busy = false;
    if (conn->due_first && !conn->broken) {
        event_add(&conn->run, &next_turn);
    }
    settle(conn);
}

static void on_run(evutil_socket_t fd, short what, void *arg)
{
    struct h2_conn *conn = arg;

    worker_look_at_clock(conn->worker);
    conn_run(conn);
}

void h2_conn_due(struct h2_conn *conn)
{
    if (!conn->busy && !conn->closing) {
        event_active(&conn->run, EV_TIMEOUT, 0);
    }
}

static void take_input(struct h2_conn *conn, const char *data, size_t len)
{
    conn->busy = true;
    ssize_t n = nghttp2_session_mem_recv(conn->session, (const uint8_t *)data, len);
    conn->broken = conn->broken || n < 0;
    conn_run(conn);
}

void h2_on_readable(struct client *c)
{
    struct h2_conn *conn = c->h2;
    struct worker *w = c->worker;
    ssize_t n = client_recv(c, w->scratch, WORKER_SCRATCH);

    if (n < 0 && sock_would_block()) {
        return;
    }
    if (n <= 0) {
        client_close(c);
        return;
    }
    take_input(conn, w->scratch, (size_t)n);
}

void h2_on_deadline(struct client *c)
{
    struct h2_conn *conn = c->h2;

    if (conn->out.len > 0) {
        conn->broken = true; /* it does not read */
    } else {
        (void)nghttp2_session_terminate_session(conn->session, NGHTTP2_NO_ERROR);
    }
    if (!conn->busy) {
        conn_run(conn);
    }
}

size_t h2_buffers(const struct h2_conn *conn)
{
    return conn->out.cap + conn->heads + (conn->heading ? conn->heading->side.exchange->in.cap : 0);
}

static void drain(struct h2_conn *conn)
{
    static const uint8_t mark[8] = "drained";

    if (conn->drain == H2_SERVING) {
        conn->drain = H2_NOTICE_SENT;
        (void)nghttp2_submit_shutdown_notice(conn->session);
        (void)nghttp2_submit_ping(conn->session, NGHTTP2_FLAG_NONE, mark);
        h2_conn_due(conn);
    }
}

void h2_drain(struct worker *w)
{
    for (struct h2_conn *conn = w->h2_conns; conn; conn = conn->next) {
        drain(conn);
    }
}

void h2_close_all(struct worker *w)
{
    while (w->h2_conns) {
        client_close(w->h2_conns->client);
    }
}

void h2_free(struct h2_conn *conn)
{
    struct worker *w = conn->worker;

    conn->closing = true;
    while (conn->streams) {
        struct h2_stream *s = conn->streams;
        if (s->started) {
            exchange_client_gone(s->side.exchange);
        } else {
            h2_stream_free(s);
        }
    }
    event_del(&conn->run);
    event_del(&conn->writable);
    h2_conn_drop_pseudo(conn);
    bytes_release(&w->pool, &conn->out);
    nghttp2_session_del(conn->session);
    bufpool_count(&w->pool, 0, conn->heads);
    if (conn->prev) {
        conn->prev->next = conn->next;
    } else {
        w->h2_conns = conn->next;
    }
    if (conn->next) {
        conn->next->prev = conn->prev;
    }
    free(conn);
}

void h2_start(struct client *c, const char *data, size_t len)
{
    struct worker *w = c->worker;
    struct h2_conn *conn = deis_alloc(sizeof(*conn));

    conn->client = c;
    conn->worker = w;
    conn->next = w->h2_conns;
    if (conn->next) {
        conn->next->prev = conn;
    }
    w->h2_conns = conn;
    c->h2 = conn;
    c->state = CLIENT_H2;
    evtimer_assign(&conn->run, w->base, on_run, conn);
    event_assign(&conn->writable, w->base, c->fd, EV_WRITE | EV_PERSIST, on_run, conn);
    h2_budget_init(&conn->budget, w->now_us / 1000);
    h2_conn_wait(conn, WAIT_HEAD);
    atomic_fetch_add_explicit(&w->counters.h2_connections, 1, memory_order_relaxed);
    if (!h2_session_open(conn)) {
        client_close(c);
        return;
    }
    if (w->draining) {
        drain(conn);
    }
    take_input(conn, data, len);
}
