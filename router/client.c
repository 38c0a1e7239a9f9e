/* SPDX-License-Identifier: MIT */
#include "router/client.h"

#include "router/edge.h"
#include "router/exchange.h"
#include "router/h2.h"
#include "router/sock.h"
#include "router/tls.h"

#include "lib/net/log.h"
#include "lib/net/proxy_read.h"

#include <unistd.h>

enum {
    FREE_MAX = 256,       /* structs kept for new connections */
    DRAIN_BUSY_MS = 1000, /* a client that was idle for less may send again at once */
    DRAIN_IDLE_MS = 2000, /* and gets this long */
    LINGER_READS = 64,    /* reads of a client that is being closed */
};

static const struct deis_h1_limits limits = DEIS_H1_LIMITS_DEFAULT;

static struct client *client_take(struct worker *w)
{
    struct client *c = w->free_clients;

    if (!c) {
        return deis_alloc(sizeof(*c));
    }
    memcpy(&w->free_clients, c, sizeof(void *));
    w->free_client_count--;
    memset(c, 0, sizeof(*c));
    return c;
}

static void client_give(struct worker *w, struct client *c)
{
    if (w->free_client_count >= FREE_MAX) {
        free(c);
        return;
    }
    memcpy(c, &w->free_clients, sizeof(void *));
    w->free_clients = c;
    w->free_client_count++;
}

void client_pool_clear(struct worker *w)
{
    while (w->free_clients) {
        free(client_take(w));
    }
}

static void client_settle(struct client *c)
{
    if (c->dead && !c->busy) {
        struct worker *w = c->worker;
        client_give(w, c);
        worker_connection_closed(w);
    }
}

static inline bool is_secure(const struct client *c)
{
    return __builtin_expect(c->tls != NULL, 0);
}

ssize_t client_recv(struct client *c, void *data, size_t len)
{
    if (c->direct) {
        return sock_recv(c->fd, data, len);
    }
    return c->stream ? h2_stream_recv(c->stream, data, len) : tls_recv(c->tls, data, len);
}

ssize_t client_send(struct client *c, const void *data, size_t len)
{
    return c->direct ? sock_send(c->fd, data, len) : tls_send(c->tls, data, len);
}

void client_last_write(struct client *c)
{
    c->last = true;
    if (c->tls) {
        tls_last_write(c->tls);
    }
}

static void client_let_go(struct client *c)
{
    if (c->reading) {
        event_del(&c->readable);
        c->reading = false;
    }
    deadline_clear(&c->deadline);
    free(c->held);
    crowd_leave(c->seat);
    if (c->exchange) {
        exchange_free(c->exchange);
        c->exchange = NULL;
    }
    if (c->h2) {
        h2_free(DEIS_TAKE(c->h2));
    }
    c->dead = true;
}

void client_close(struct client *c)
{
    if (c->dead) {
        return;
    }
    client_let_go(c);
    if (is_secure(c)) {
        tls_shut(c->tls);
        tls_conn_free(c->tls);
    } else if (c->last) { /* close() would drop what waits when the client has sent more */
        (void)shutdown(c->fd, SHUT_WR);
    }
    close(c->fd);
    client_settle(c);
}

int client_detach(struct client *c, struct tls_conn **ret_tls)
{
    int fd = c->fd;

    *ret_tls = DEIS_TAKE(c->tls);

    client_let_go(c);
    /* The connection lives on: whoever takes the descriptor counts it from now on. */
    atomic_fetch_add_explicit(&c->worker->counters.connections, 1, memory_order_relaxed);
    client_settle(c);
    return fd;
}

void client_abort(struct client *c)
{
    if (c->state == CLIENT_ACTIVE) {
        struct exchange *x = c->exchange;
        bool seems_whole = x->head_out && x->out == OUT_CLOSE && !x->tunnel;
        x->page = x->tunnel ? PAGE_NONE : PAGE_CUT_SHORT;
        exchange_end(x, seems_whole ? CLIENT_RESET : CLIENT_CLOSE);
    } else {
        client_close(c);
    }
}

/* Does TLS hold bytes of the client's that somebody will read? The socket does not tell of them. */
static bool has_more(const struct client *c)
{
    return is_secure(c) && c->state != CLIENT_LINGER && tls_has_more(c->tls);
}

void client_read_enable(struct client *c, bool enable)
{
    if (c->stream) {
        h2_stream_read_enable(c->stream, enable);
        return;
    }
    if (enable && !c->reading) {
        event_add(&c->readable, NULL);
    } else if (!enable && c->reading) {
        event_del(&c->readable);
    }
    c->reading = enable;
    if (enable && (has_more(c) || (c->exchange && exchange_has_piece(c->exchange)))) {
        event_active(&c->readable, EV_READ, 0);
    }
}

static void client_set_idle(struct client *c)
{
    if (c->exchange) {
        exchange_free(c->exchange);
        c->exchange = NULL;
    }
    c->state = CLIENT_IDLE;
    worker_wait(c->worker, WAIT_IDLE, &c->deadline);
    client_read_enable(c, true);
}

/* Look for a complete head in what has come. */
static void client_parse(struct client *c)
{
    struct worker *w = c->worker;
    struct exchange *x = c->exchange;
    size_t used;
    int status;

    if (!exchange_has_input(x)) {
        client_set_idle(c);
        return;
    }
    switch (deis_h1_parse_request(deis_str_n(x->in.data, x->in.len), &limits, &x->scanned,
                                  &w->request, &used, &status, NULL)) {
    case DEIS_H1_DONE:
        c->state = CLIENT_ACTIVE;
        exchange_start(x, used);
        break;
    case DEIS_H1_BAD:
        if (w->policy->h2c && c->direct && !c->used &&
            h2_is_preface(deis_str_n(x->in.data, x->in.len))) {
            c->exchange = NULL;
            h2_start(c, x->in.data, x->in.len);
            exchange_free(x);
            break;
        }
        c->state = CLIENT_ACTIVE;
        exchange_refuse(x, page_of_status(status));
        break;
    case DEIS_H1_MORE:
        if (c->state != CLIENT_HEAD) {
            c->state = CLIENT_HEAD;
            worker_wait(w, WAIT_HEAD, &c->deadline);
        }
        client_read_enable(c, true);
        break;
    }
}

/* Take requests off the buffer until one has to wait for something. */
static void client_run(struct client *c)
{
    bool was_busy = c->busy;

    c->busy = true;
    do {
        c->again = false;
        client_parse(c);
        c->behind = c->again;
    } while (c->again && !c->dead);
    c->behind = false;
    c->busy = was_busy;
    client_settle(c);
}

static void client_read(struct client *c)
{
    struct worker *w = c->worker;
    bool is_new = !c->exchange;

    if (is_new) {
        c->exchange = exchange_new(c);
    }
    struct bytes *in = &c->exchange->in;
    if (in->len == in->cap) {
        (void)bytes_reserve(&w->pool, in, in->cap + (size_t)1);
    }
    ssize_t n = client_recv(c, in->data + in->len, exchange_room(c->exchange));
    if (n < 0 && sock_would_block()) {
        if (is_new) {
            exchange_free(c->exchange);
            c->exchange = NULL;
        }
        return;
    }
    if (n <= 0) {
        client_close(c);
        return;
    }
    in->len += (uint32_t)n;
    client_run(c);
}

static void client_discard(struct client *c)
{
    for (int i = 0; i < LINGER_READS; i++) {
        ssize_t n = sock_recv(c->fd, c->worker->scratch, WORKER_SCRATCH);
        if (n < 0 && sock_would_block()) {
            return;
        }
        if (n <= 0) {
            client_close(c);
            return;
        }
    }
}

static void on_readable(evutil_socket_t fd, short what, void *arg);

/* The one event of the client waits for what the handshake waits for. */
static void handshake_await(struct client *c, bool writable)
{
    if (c->writing != writable) {
        short what = writable ? EV_WRITE : EV_READ;
        c->writing = writable;
        client_read_enable(c, false);
        event_assign(&c->readable, c->worker->base, c->fd, (short)(what | EV_PERSIST), on_readable,
                     c);
        client_read_enable(c, true);
    }
}

static void client_handshake(struct client *c)
{
    switch (tls_handshake(c->tls)) {
    case TLS_DONE:
        atomic_fetch_add_explicit(&c->worker->counters.handshakes_done, 1, memory_order_relaxed);
        handshake_await(c, false);
        c->state = CLIENT_IDLE;
        if (tls_speaks_h2(c->tls)) {
            client_read_enable(c, true);
            h2_start(c, NULL, 0);
            break;
        }
        worker_wait(c->worker, WAIT_HEAD, &c->deadline);
        client_read(c);
        if (!c->dead && !c->exchange) {
            tls_flush(c->tls); /* no request came along that could take it */
        }
        break;
    case TLS_WANT_READ: handshake_await(c, false); break;
    case TLS_WANT_WRITE: handshake_await(c, true); break;
    case TLS_FAILED:
        atomic_fetch_add_explicit(&c->worker->counters.handshakes_failed, 1, memory_order_relaxed);
        client_close(c);
        break;
    }
}

static void set_peer(struct client *c, const struct deis_ip *ip)
{
    c->ip = *ip;
    c->peer_len = (uint8_t)deis_ip_format(ip, c->peer);
}

/* Its address has or does too much. */
static void client_refuse(struct client *c, enum edge_verdict verdict)
{
    struct worker *w = c->worker;
    struct page_opts opts = { .keep_alive = false };
    size_t body;

    if (!c->https) {
        size_t len = page_write(w->out, WORKER_OUT, PAGE_ADDRESS, &opts, &body);
        (void)sock_send(c->fd, w->out, len);
    }
    atomic_fetch_add_explicit(verdict == EDGE_TOO_FAST ? &w->counters.refused_rate
                                                       : &w->counters.refused_crowd,
                              1, memory_order_relaxed);
    client_close(c);
}

/* What the connection begins with, once it is known whose it is. False: it is closed. */
static bool client_greet(struct client *c)
{
    struct worker *w = c->worker;

    enum edge_verdict verdict =
        edge_admit(w->opts.edge, w->policy, &c->ip, w->now_us / 1000, &c->seat);
    if (verdict != EDGE_IN) {
        client_refuse(c, verdict);
        return false;
    }
    c->state = CLIENT_IDLE;
    if (!c->https) {
        /* A new connection has to send its first head in time, as if the first byte had come. */
        worker_wait(w, WAIT_HEAD, &c->deadline);
        return true;
    }
    c->tls = tls_conn_new(w->opts.tls, w, c->fd);
    if (!c->tls) {
        client_close(c);
        return false;
    }
    c->state = CLIENT_HANDSHAKE;
    worker_wait(w, WAIT_HANDSHAKE, &c->deadline);
    return true;
}

static void client_read_proxy(struct client *c)
{
    struct worker *w = c->worker;
    struct deis_proxy_head head;
    struct deis_err err;

    switch (deis_proxy_read(c->fd, &c->held, &head, &err)) {
    case DEIS_PROXY_MORE: return;
    case DEIS_PROXY_BAD:
        if (atomic_fetch_add_explicit(&w->counters.proxy_failed, 1, memory_order_relaxed) == 0) {
            deis_warn("load balancer's connection refused; counted from now on",
                      KV_S("peer", c->peer), KV_ERR(&err));
        }
        client_close(c);
        return;
    case DEIS_PROXY_DONE: break;
    }
    if (head.known) {
        set_peer(c, &head.source);
    }
    if (client_greet(c) && c->https) {
        client_handshake(c);
    } else if (!c->dead) {
        client_read(c);
    }
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct client *c = arg;

    worker_look_at_clock(c->worker);
    c->busy = true;
    switch (c->state) {
    case CLIENT_PROXY: client_read_proxy(c); break;
    case CLIENT_HANDSHAKE: client_handshake(c); break;
    case CLIENT_IDLE:
    case CLIENT_HEAD: client_read(c); break;
    case CLIENT_ACTIVE: exchange_on_client_readable(c->exchange); break;
    case CLIENT_H2: h2_on_readable(c); break;
    case CLIENT_LINGER: client_discard(c); break;
    }
    c->busy = false;
    if (!c->dead && c->reading && has_more(c)) {
        event_active(&c->readable, EV_READ, 0);
    }
    client_settle(c);
}

void client_linger(struct client *c)
{
    if (c->exchange) {
        exchange_free(c->exchange);
        c->exchange = NULL;
    }
    c->state = CLIENT_LINGER;
    if (is_secure(c)) {
        tls_shut(c->tls);
    }
    (void)shutdown(c->fd, SHUT_WR);
    worker_wait(c->worker, WAIT_LINGER, &c->deadline);
    client_read_enable(c, true);
}

void client_exchange_done(struct client *c, enum client_end end)
{
    static const struct linger at_once = { 1, 0 };

    if (c->stream) {
        h2_stream_done(c->stream);
        return;
    }
    switch (end) {
    case CLIENT_KEEP:
        c->used = true;
        exchange_next(c->exchange);
        if (!exchange_has_input(c->exchange)) {
            client_set_idle(c);
        } else if (c->busy) {
            c->state = CLIENT_IDLE;
            c->again = true;
        } else {
            c->state = CLIENT_IDLE;
            client_run(c);
        }
        break;
    case CLIENT_CLOSE: client_close(c); break;
    case CLIENT_CLOSE_LINGERING: client_linger(c); break;
    case CLIENT_RESET:
        (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
        tls_conn_free(DEIS_TAKE(c->tls)); /* without a word */
        client_close(c);
        break;
    }
}

void client_on_deadline(struct deadline *d)
{
    struct client *c = DEIS_OWNER(d, struct client, deadline);

    switch (c->state) {
    case CLIENT_PROXY:
    case CLIENT_HANDSHAKE:
    case CLIENT_IDLE:
    case CLIENT_LINGER: client_close(c); break;
    case CLIENT_HEAD:
        c->state = CLIENT_ACTIVE;
        exchange_refuse(c->exchange, PAGE_REQUEST_TIMEOUT);
        break;
    case CLIENT_ACTIVE: exchange_on_deadline(c->exchange); break;
    case CLIENT_H2: h2_on_deadline(c); break;
    }
}

void client_accept(struct worker *w, int fd, const struct sockaddr_storage *peer, bool https)
{
    struct client *c = client_take(w);
    uint16_t port;
    struct deis_ip ip = edge_ip(peer, &port);

    c->worker = w;
    c->fd = fd;
    c->direct = !https;
    c->https = https;
    set_peer(c, &ip);
    event_assign(&c->readable, w->base, fd, EV_READ | EV_PERSIST, on_readable, c);
    client_read_enable(c, true);
    if (deis_cidrs_contain(w->policy->http_proxies, &ip)) {
        c->state = CLIENT_PROXY;
        worker_wait(w, WAIT_HANDSHAKE, &c->deadline);
    } else if (!client_greet(c)) {
        return;
    }
    /* Most send with the connection. */
    on_readable(fd, EV_READ, c);
}

void client_drain_idle(struct worker *w)
{
    struct deadline_list *l = &w->waits[WAIT_IDLE];
    struct deadline_list *heads = &w->waits[WAIT_HEAD];
    uint64_t now_ms = w->now_us / 1000;
    struct deadline *d;

    for (d = heads->head.next; d != &heads->head;) {
        struct deadline *next = d->next;
        if (DEIS_OWNER(d, struct client, deadline)->state == CLIENT_IDLE) {
            deadline_set(l, d, now_ms);
        }
        d = next;
    }
    deadline_expire(l, now_ms + l->ms - DRAIN_BUSY_MS);
    l->ms = DRAIN_IDLE_MS;
    for (d = l->head.next; d != &l->head; d = d->next) {
        d->at_ms = now_ms + l->ms;
    }
}
