/* SPDX-License-Identifier: MIT */
#include "router/relay.h"

#include "router/tls.h"

#include "lib/base/clock.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

bool relay_preload(struct relay *r, int side, const void *data, size_t len)
{
    return len == 0 || bytes_add(r->pool, &r->side[side].held, data, len);
}

void relay_close(struct relay *r)
{
    for (int i = 0; i < 2; i++) {
        struct relay_side *s = &r->side[i];
        if (s->fd >= 0) {
            event_del(&s->readable);
            event_del(&s->writable);
            if (s->tls) {
                tls_shut(s->tls);
                tls_conn_free(s->tls);
            }
            close(s->fd);
            s->fd = -1;
        }
        bytes_release(r->pool, &s->held);
    }
    deadline_clear(&r->deadline);
    r->on_done(r, r->arg);
}

void relay_expired(struct relay *r, uint64_t now_ms)
{
    if (r->last_ms + r->idle->ms > now_ms) {
        deadline_set(r->idle, &r->deadline, r->last_ms);
    } else {
        relay_close(r);
    }
}

/* Nothing is held for s: pass on the end of the other side, if it has come. False: r is closed. */
static bool relay_settle(struct relay *r, int to)
{
    struct relay_side *s = &r->side[to];

    if (r->side[1 - to].ended && !s->shut && s->held.len == 0) {
        s->shut = true;
        if (s->tls) {
            tls_shut(s->tls);
        }
        (void)shutdown(s->fd, SHUT_WR);
    }
    if (r->side[0].shut && r->side[1].shut) {
        relay_close(r);
        return false;
    }
    return true;
}

/* Returns how much was taken, -1 when the side is broken. */
static ssize_t side_send(struct relay_side *s, const char *data, size_t len)
{
    ssize_t n = s->tls ? tls_send(s->tls, data, len) : send(s->fd, data, len, MSG_NOSIGNAL);

    if (n < 0) {
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    }
    s->bytes += (uint64_t)n;
    return n;
}

static void side_read(struct relay_side *s)
{
    event_add(&s->readable, NULL);
    if (s->tls && tls_has_more(s->tls)) {
        event_active(&s->readable, EV_READ, 0);
    }
}

static void relay_writable(struct relay *r, int to)
{
    struct relay_side *s = &r->side[to];
    struct bytes *b = &s->held;

    if (b->len > 0) {
        ssize_t n = side_send(s, b->data + b->off, b->len - b->off);
        if (n < 0) {
            relay_close(r);
            return;
        }
        b->off += (uint32_t)n;
        if (n > 0) {
            s->held_ms = deis_now_ms();
        }
        if (b->off < b->len) {
            event_add(&s->writable, NULL);
            return;
        }
        bytes_release(r->pool, b);
    }
    event_del(&s->writable);
    if (relay_settle(r, to) && !r->side[1 - to].ended) {
        side_read(&r->side[1 - to]);
    }
}

static void relay_readable(struct relay *r, int from)
{
    struct relay_side *s = &r->side[from];
    struct relay_side *to = &r->side[1 - from];
    ssize_t n = s->tls ? tls_recv(s->tls, r->scratch, r->scratch_len)
                       : recv(s->fd, r->scratch, r->scratch_len, 0);

    r->last_ms = deis_now_ms();
    if (n < 0) {
        if (errno != EAGAIN && errno != EINTR) {
            relay_close(r);
        }
        return;
    }
    if (n == 0) {
        s->ended = true;
        event_del(&s->readable);
        (void)relay_settle(r, 1 - from);
        return;
    }
    ssize_t sent = side_send(to, r->scratch, (size_t)n);
    if (sent < 0 || !relay_preload(r, 1 - from, r->scratch + sent, (size_t)(n - sent))) {
        relay_close(r);
    } else if (sent < n) {
        event_del(&s->readable);
        event_add(&to->writable, NULL);
        to->held_ms = r->last_ms;
        if (r->on_held) {
            r->on_held(r->arg);
        }
    } else {
        side_read(s);
    }
}

static void on_readable_0(evutil_socket_t fd, short what, void *arg)
{
    relay_readable(arg, 0);
}

static void on_readable_1(evutil_socket_t fd, short what, void *arg)
{
    relay_readable(arg, 1);
}

static void on_writable_0(evutil_socket_t fd, short what, void *arg)
{
    relay_writable(arg, 0);
}

static void on_writable_1(evutil_socket_t fd, short what, void *arg)
{
    relay_writable(arg, 1);
}

void relay_start(struct relay *r, struct event_base *base, int fd0, int fd1)
{
    static const event_callback_fn on_readable[2] = { on_readable_0, on_readable_1 };
    static const event_callback_fn on_writable[2] = { on_writable_0, on_writable_1 };
    int fds[2] = { fd0, fd1 };

    r->last_ms = deis_now_ms();
    deadline_set(r->idle, &r->deadline, r->last_ms);
    for (int i = 0; i < 2; i++) {
        struct relay_side *s = &r->side[i];
        s->fd = fds[i];
        s->held_ms = r->last_ms;
        event_assign(&s->readable, base, s->fd, EV_READ | EV_PERSIST, on_readable[i], r);
        event_assign(&s->writable, base, s->fd, EV_WRITE | EV_PERSIST, on_writable[i], r);
    }
    for (int i = 0; i < 2; i++) {
        if (r->side[i].held.len > 0) {
            event_add(&r->side[i].writable, NULL);
        } else {
            side_read(&r->side[1 - i]);
        }
    }
}
