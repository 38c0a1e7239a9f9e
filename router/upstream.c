/* SPDX-License-Identifier: MIT */
#include "router/upstream.h"

#include "router/exchange.h"
#include "router/sock.h"
#include "router/unit_h2.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CAREFUL_IDLE_MS = 2000, /* longer idle ones are left to requests that can be repeated */
    KEEP_ALIVE_MARGIN_MS = 1000,
    SLOT_IDLE_MAX = 1024,
    UNSENT_MS = 20 * 1000,
};

static void unlink_idle(struct upstream *u)
{
    struct worker_slot *slot = worker_slot(u->worker, u->endpoint);

    if (u->prev) {
        u->prev->next = u->next;
    } else {
        slot->idle = u->next;
    }
    if (u->next) {
        u->next->prev = u->prev;
    }
    slot->count--;
    u->next = NULL;
    u->prev = NULL;
    u->idle = false;
    deadline_clear(&u->deadline);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct upstream *u = arg;

    worker_look_at_clock(u->worker);
    if (u->exchange) {
        exchange_on_unit_readable(u->exchange);
    } else if (!u->h2 || !unit_h2_on_idle(u->h2)) {
        /* Closed by the unit, or it speaks unasked: of no use any more. */
        upstream_close(u);
    }
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct upstream *u = arg;

    worker_look_at_clock(u->worker);
    if (u->exchange) {
        exchange_on_unit_writable(u->exchange);
    } else if (!u->h2 || unit_h2_send(u->h2) == UNIT_H2_BROKEN) {
        /* What an idle one sends are answers to the unit's pings and settings. */
        upstream_close(u);
    }
}

void upstream_read_enable(struct upstream *u, bool enable)
{
    if (enable && !u->reading) {
        event_add(&u->readable, NULL);
    } else if (!enable && u->reading) {
        event_del(&u->readable);
    }
    u->reading = enable;
    if (enable && u->h2 && u->exchange && unit_h2_has_more(u->h2)) {
        event_active(&u->readable, EV_READ, 0);
    }
}

ssize_t upstream_recv(struct upstream *u, void *data, size_t len)
{
    return u->h2 ? unit_h2_recv(u->h2, data, len) : sock_recv(u->fd, data, len);
}

static bool is_alive(const struct upstream *u)
{
    char byte;

    return recv(u->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

/* Is it this turn's to say that the unit has ended it, or has sent what nobody asked for? That is
 * no answer to what is sent now. */
static bool is_due(const struct upstream *u)
{
    return !u->h2 && (u->readable.ev_evcallback.evcb_flags & EVLIST_ACTIVE) != 0;
}

bool upstream_has_input(const struct upstream *u)
{
    return !u->h2 && !is_alive(u);
}

struct upstream *upstream_take_idle(struct worker *w, struct route_endpoint *e, bool careful,
                                    bool h2, uint64_t now_ms)
{
    struct worker_slot *slot = worker_slot(w, e);

    while (slot->idle) {
        struct upstream *u = slot->idle;
        if (careful && now_ms - u->idle_since_ms > CAREFUL_IDLE_MS) {
            return NULL;
        }
        if (now_ms >= u->idle_until_ms || h2 != (u->h2 != NULL) || is_due(u) ||
            (careful && !is_alive(u))) {
            upstream_close(u);
            continue;
        }
        unlink_idle(u);
        return u;
    }
    return NULL;
}

static socklen_t set_address(struct sockaddr_storage *a, const struct route_endpoint *e)
{
    memset(a, 0, sizeof(*a));
    if (e->v6) {
        struct sockaddr_in6 *s = (struct sockaddr_in6 *)(void *)a;
        s->sin6_family = AF_INET6;
        s->sin6_port = htons(e->port);
        memcpy(&s->sin6_addr, e->ip, 16);
        return sizeof(*s);
    }
    struct sockaddr_in *s = (struct sockaddr_in *)(void *)a;
    s->sin_family = AF_INET;
    s->sin_port = htons(e->port);
    memcpy(&s->sin_addr, e->ip, 4);
    return sizeof(*s);
}

/* A machine that is gone says nothing: after so long the connection counts as broken. 0: that is
 * left to the timeouts of answers. */
static void set_user_timeout(int fd, unsigned ms)
{
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
}

static void set_options(int fd)
{
    static const int one = 1;
    static const int idle_s = 10;
    static const int interval_s = 5;
    static const int count = 2;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof(interval_s));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
    set_user_timeout(fd, UNSENT_MS);
}

void upstream_allow_pause_of(int fd, bool *may_pause)
{
    struct tcp_info info = { 0 };
    socklen_t len = sizeof(info);

    if (!*may_pause && getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
        info.tcpi_unacked == 0) {
        *may_pause = true;
        set_user_timeout(fd, 0);
    }
}

void upstream_end_pause_of(int fd, bool *may_pause)
{
    if (*may_pause) {
        *may_pause = false;
        set_user_timeout(fd, UNSENT_MS);
    }
}

void upstream_allow_pause(struct upstream *u)
{
    if (u && u->connected) {
        upstream_allow_pause_of(u->fd, &u->may_pause);
    }
}

struct upstream *upstream_connect(struct worker *w, struct route_endpoint *e, bool h2)
{
    struct sockaddr_storage address;
    socklen_t len = set_address(&address, e);
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return NULL;
    }
    set_options(fd);
    if (connect(fd, (struct sockaddr *)&address, len) < 0 && errno != EINPROGRESS) {
        int saved = errno;
        close(fd);
        errno = saved;
        return NULL;
    }
    struct upstream *u = deis_alloc(sizeof(*u));
    u->worker = w;
    u->fd = fd;
    u->endpoint = e;
    route_endpoint_ref(e);
    event_assign(&u->readable, w->base, fd, EV_READ | EV_PERSIST, on_readable, u);
    event_assign(&u->writable, w->base, fd, EV_WRITE | EV_PERSIST, on_writable, u);
    u->h2 = h2 ? unit_h2_new(u) : NULL;
    upstream_read_enable(u, true);
    return u;
}

void upstream_keep(struct upstream *u, unsigned timeout_s)
{
    struct worker *w = u->worker;
    struct worker_slot *slot = worker_slot(w, u->endpoint);

    u->exchange = NULL;
    if (atomic_load_explicit(&u->endpoint->retired, memory_order_relaxed) ||
        slot->count >= SLOT_IDLE_MAX || w->draining || (u->h2 && !unit_h2_is_reusable(u->h2))) {
        upstream_close(u);
        return;
    }
    if (u->h2) { /* trailers that nobody wanted */
        struct bytes trailers = unit_h2_take_trailers(u->h2);
        bytes_release(&w->pool, &trailers);
    }
    upstream_end_pause_of(u->fd, &u->may_pause);
    uint64_t timeout_ms = (uint64_t)timeout_s * 1000;
    u->idle_since_ms = w->now_us / 1000;
    u->idle_until_ms = u->idle_since_ms +
                       (timeout_ms > KEEP_ALIVE_MARGIN_MS ? timeout_ms - KEEP_ALIVE_MARGIN_MS : 0);
    u->prev = NULL;
    u->next = slot->idle;
    if (u->next) {
        u->next->prev = u;
    }
    slot->idle = u;
    slot->count++;
    u->idle = true;
    upstream_read_enable(u, true);
    worker_wait(w, WAIT_UPSTREAM, &u->deadline);
}

static int upstream_let_go(struct upstream *u)
{
    int fd = u->fd;

    if (u->idle) {
        unlink_idle(u);
    }
    upstream_read_enable(u, false);
    event_del(&u->writable);
    route_endpoint_unref(u->endpoint);
    unit_h2_free(u->h2);
    free(u);
    return fd;
}

void upstream_close(struct upstream *u)
{
    close(upstream_let_go(u));
}

int upstream_detach(struct upstream *u)
{
    return upstream_let_go(u);
}

void upstream_sweep(struct worker *w, bool all)
{
    for (uint32_t i = 0; i < w->slot_count; i++) {
        struct upstream *u = w->slots[i].idle;
        bool retired = u && (all || atomic_load(&u->endpoint->retired));
        while (retired && w->slots[i].idle) {
            upstream_close(w->slots[i].idle);
        }
    }
}

void upstream_on_deadline(struct deadline *d)
{
    upstream_close(DEIS_OWNER(d, struct upstream, deadline));
}
