/* SPDX-License-Identifier: MIT */
#include "router/handover.h"

#include "router/handover_io.h"
#include "router/leave.h"

#include "lib/base/clock.h"
#include "lib/net/log.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    HELLO_MS = 2000,
    START_MS = 60000, /* the new process reads its routes */
    READY_MS = 3000,  /* etcd may be away: then it is done without */
    TAKEN_MS = 10000,
    TICK_MS = 20,
};

enum state { IDLE, AWAIT_HELLO, AWAIT_TAKE, PREPARING, AWAIT_TAKEN };

struct handover {
    struct router *router;
    int fd;
    struct event *accept;
    enum state state;
    int peer; /* -1 while IDLE */
    struct event *read;
    struct deis_timer *tick;
    uint64_t until_ms; /* of the state */
};

static void enter(struct handover *h, enum state state, uint64_t ms)
{
    h->state = state;
    h->until_ms = deis_now_ms() + ms;
}

/* The new process is gone, or is to go. */
static void end_peer(struct handover *h)
{
    if (h->state >= PREPARING) {
        leave_undo(h->router);
    }
    event_free(DEIS_TAKE(h->read));
    close(h->peer);
    h->peer = -1;
    deis_timer_cancel(h->tick);
    enter(h, IDLE, 0);
}

static int say(struct handover *h, enum handover_type type, const char *text, struct deis_err *err)
{
    struct handover_msg m = { .type = type, .text = deis_str(text) };

    return handover_send(h->peer, &m, NULL, err);
}

static void fail(struct handover *h, const struct deis_err *err)
{
    struct deis_err gone;

    deis_warn("the hand-over failed; serving on", KV_ERR(err));
    if (say(h, HANDOVER_REFUSED, err->msg, &gone) < 0) {
        deis_debug("it is gone already", KV_ERR(&gone));
    }
    end_peer(h);
}

static int send_sockets(struct handover *h, struct deis_err *err)
{
    const struct sockets *s = &h->router->sockets;
    int code = 0;

    for (int kind = 0; kind < SOCKET_KINDS; kind++) {
        for (unsigned i = 0; i < s->count[kind] && code == 0; i += HANDOVER_FDS_MAX) {
            unsigned left = s->count[kind] - i;
            struct handover_msg m = { .type = HANDOVER_SOCKETS,
                                      .kind = (enum socket_kind)kind,
                                      .count = left < HANDOVER_FDS_MAX ? left : HANDOVER_FDS_MAX };
            code = handover_send(h->peer, &m, s->fds[kind] + i, err);
        }
    }
    return code == 0 ? say(h, HANDOVER_END, "", err) : code;
}

static int on_hello(struct handover *h, const struct handover_msg *m, struct deis_err *err)
{
    struct router *r = h->router;
    const char *why = r->stopping                      ? "this router is stopping"
                      : m->version != HANDOVER_VERSION ? "another version of the hand-over"
                      : !deis_str_eq_cstr(m->text, r->settings.http)
                          ? "this router has another --http"
                          : NULL;

    if (why) {
        return deis_err_set(err, DEIS_CONFLICT, "%s", why);
    }
    enter(h, AWAIT_TAKE, START_MS);
    return send_sockets(h, err);
}

static int on_packet(struct handover *h, const struct handover_msg *m, struct deis_err *err)
{
    if (m->type == HANDOVER_HELLO && h->state == AWAIT_HELLO) {
        return on_hello(h, m, err);
    }
    if (m->type == HANDOVER_TAKE && h->state == AWAIT_TAKE) {
        leave_prepare(h->router);
        enter(h, PREPARING, READY_MS);
        return 0;
    }
    if (m->type == HANDOVER_TAKEN && h->state == AWAIT_TAKEN) {
        enter(h, IDLE, 0);
        leave(h->router);
        return 0;
    }
    return deis_err_set(err, DEIS_PROTOCOL, "the new process said what was not its turn to say");
}

static void on_read(evutil_socket_t fd, short what, void *arg)
{
    struct handover *h = arg;
    struct handover_packet p;
    struct deis_err err = DEIS_ERR_INIT;
    int code = handover_recv(fd, &p, &err);

    if (code == DEIS_NOT_FOUND) {
        return;
    }
    if (code == 0) {
        for (unsigned i = 0; i < p.fd_count; i++) {
            close(p.fds[i]);
        }
        code = on_packet(h, &p.msg, &err);
    }
    if (code < 0) {
        fail(h, &err);
    } else if (h->router->leaving && h->state == IDLE) {
        struct router *r = h->router;
        handover_stop(DEIS_TAKE(r->handover));
    }
}

static void on_tick(void *arg)
{
    struct handover *h = arg;
    struct deis_err err = DEIS_ERR_INIT;
    bool late = deis_now_ms() >= h->until_ms;

    if (h->router->stopping && h->state != IDLE) {
        end_peer(h); /* without a word: it is to serve */
    } else if (h->state == PREPARING && (late || leave_ready(h->router))) {
        enter(h, AWAIT_TAKEN, TAKEN_MS);
        leave_confirm(h->router);
        if (say(h, HANDOVER_READY, "", &err) < 0) {
            fail(h, &err);
        }
    } else if (late && h->state != IDLE) {
        deis_err_set(&err, DEIS_TIMEOUT, "the new process is too slow");
        fail(h, &err);
    }
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
    struct handover *h = arg;
    struct deis_err err = DEIS_ERR_INIT;
    int s = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (s < 0) {
        return;
    }
    if (h->state != IDLE || handover_check_peer(s, &err) < 0) {
        deis_warn("a process that wants to take over is refused",
                  KV_S("reason", err.code < 0 ? err.msg : "there is one already"));
        close(s);
        return;
    }
    h->peer = s;
    h->read = event_new(deis_loop_base(h->router->loop), s, EV_READ | EV_PERSIST, on_read, h);
    event_add(h->read, NULL);
    enter(h, AWAIT_HELLO, HELLO_MS);
    deis_timer_every(h->tick, TICK_MS);
}

/* Bound beside and renamed, so that there is one to talk to at every instant. */
static int listen_at(const char *path, struct deis_err *err)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int n = snprintf(a.sun_path, sizeof(a.sun_path), "%s.new", path);
    int fd = -1;

    if (n < 0 || (size_t)n >= sizeof(a.sun_path)) {
        return deis_err_set(err, DEIS_INVALID, "--data is too long for a socket in it");
    }
    (void)unlink(a.sun_path);
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || chmod(a.sun_path, 0600) < 0 ||
        listen(fd, 4) < 0 || rename(a.sun_path, path) < 0) {
        int code = deis_err_errno(err, errno, "can't listen on '%s'", path);
        if (fd >= 0) {
            close(fd);
        }
        return code;
    }
    return fd;
}

struct handover *handover_start(struct router *r, struct deis_err *err)
{
    char path[108];
    int fd = handover_path(path, r->settings.data)
                 ? listen_at(path, err)
                 : deis_err_set(err, DEIS_INVALID, "--data is too long for a socket in it");

    if (fd < 0) {
        return NULL;
    }
    struct handover *h = deis_alloc(sizeof(*h));
    h->router = r;
    h->fd = fd;
    h->peer = -1;
    h->tick = deis_timer_new(r->loop, on_tick, h);
    h->accept = event_new(deis_loop_base(r->loop), fd, EV_READ | EV_PERSIST, on_accept, h);
    event_add(h->accept, NULL);
    return h;
}

void handover_stop(struct handover *h)
{
    if (!h) {
        return;
    }
    if (h->read) {
        event_free(h->read);
        close(h->peer);
    }
    event_free(h->accept);
    deis_timer_free(h->tick);
    close(h->fd); /* the path stays: it is somebody else's, or nobody answers there */
    free(h);
}
