/* SPDX-License-Identifier: MIT */
#include "router/takeover.h"

#include "router/handover_io.h"
#include "router/source.h"

#include "lib/base/clock.h"
#include "lib/net/log.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    SOCKETS_MS = 5000,
    ROUTES_MS = 10000, /* etcd may be away: then the table from disk has to do */
    READY_MS = 10000,
    TICK_MS = 10,
};

struct takeover {
    struct router *router;
    int fd;
    bool asked; /* TAKE was said */
    uint64_t until_ms;
    struct event *read;
    struct deis_timer *tick;
};

/* -1: nobody is there. */
static int connect_to(const char *data)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };

    if (!handover_path(a.sun_path, data)) {
        return -1;
    }
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static int await_packet(int fd, uint64_t until_ms, struct handover_packet *p, struct deis_err *err)
{
    int code;

    while ((code = handover_recv(fd, p, err)) == DEIS_NOT_FOUND) {
        struct pollfd wait = { .fd = fd, .events = POLLIN };
        uint64_t now_ms = deis_now_ms();
        if (now_ms >= until_ms) {
            return deis_err_set(err, DEIS_TIMEOUT, "it gave no answer");
        }
        (void)poll(&wait, 1, (int)(until_ms - now_ms));
    }
    if (code == 0 && p->msg.type == HANDOVER_REFUSED) {
        return deis_err_set(err, DEIS_CONFLICT, "%.*s", DEIS_STR_ARG(p->msg.text));
    }
    return code;
}

static int take_sockets(struct sockets *s, const struct handover_packet *p, struct deis_err *err)
{
    int code = 0;

    for (unsigned i = 0; i < p->fd_count; i++) {
        if (code == 0) {
            code = sockets_add(s, p->msg.kind, p->fds[i], err);
        }
        if (code < 0) {
            close(p->fds[i]);
        }
    }
    return code;
}

static int get_sockets(int fd, struct router *r, struct deis_err *err)
{
    struct handover_msg hello = { .type = HANDOVER_HELLO,
                                  .version = HANDOVER_VERSION,
                                  .text = deis_str(r->settings.http) };
    struct handover_packet p;
    uint64_t until_ms = deis_now_ms() + SOCKETS_MS;
    int code = handover_check_peer(fd, err);

    if (code == 0) {
        code = handover_send(fd, &hello, NULL, err);
    }
    while (code == 0 && (code = await_packet(fd, until_ms, &p, err)) == 0 &&
           p.msg.type != HANDOVER_END) {
        code = p.msg.type == HANDOVER_SOCKETS
                   ? take_sockets(&r->sockets, &p, err)
                   : deis_err_set(err, DEIS_PROTOCOL, "it said what was not its turn to say");
    }
    return code;
}

struct takeover *takeover_begin(struct router *r)
{
    struct deis_err err = DEIS_ERR_INIT;
    int fd = connect_to(r->settings.data);

    if (fd < 0) {
        return NULL;
    }
    if (get_sockets(fd, r, &err) < 0) {
        deis_warn("the router that runs does not hand over", KV_ERR(&err));
        sockets_close(&r->sockets);
        close(fd);
        return NULL;
    }
    struct takeover *t = deis_alloc(sizeof(*t));
    t->router = r;
    t->fd = fd;
    return t;
}

/* Serve, and tell the other one if it is still there. */
static void go_live(struct takeover *t)
{
    static const struct handover_msg taken = { .type = HANDOVER_TAKEN };
    struct router *r = t->router;
    struct deis_err err = DEIS_ERR_INIT;

    if (router_go_live(r, &err) < 0) {
        router_give_up(r, &err);
    } else if (handover_send(t->fd, &taken, NULL, &err) < 0) {
        deis_warn("the router that ran is gone", KV_ERR(&err));
    }
    takeover_free(DEIS_TAKE(r->takeover));
}

static void give_up(struct takeover *t, const struct deis_err *err)
{
    struct router *r = t->router;

    takeover_free(DEIS_TAKE(r->takeover));
    router_give_up(r, err);
}

static void on_read(evutil_socket_t fd, short what, void *arg)
{
    struct takeover *t = arg;
    struct handover_packet p;
    struct deis_err err = DEIS_ERR_INIT;
    int code = handover_recv(fd, &p, &err);

    if (code == DEIS_NOT_FOUND) {
        return;
    }
    for (unsigned i = 0; code == 0 && i < p.fd_count; i++) {
        close(p.fds[i]);
    }
    /* It ends or has ended: its sockets are ours alone, and somebody has to serve. */
    if (code == DEIS_CANCELLED || (code == 0 && p.msg.type == HANDOVER_READY && t->asked)) {
        go_live(t);
        return;
    }
    if (code == 0) {
        deis_err_set(&err, DEIS_CONFLICT, "the router that runs serves on: %.*s",
                     DEIS_STR_ARG(p.msg.text));
    }
    give_up(t, &err);
}

static bool routes_known(const struct router *r)
{
    return (!r->source || source_synced(r->source)) && router_adopted(r) == r->table->generation;
}

static void on_tick(void *arg)
{
    static const struct handover_msg take = { .type = HANDOVER_TAKE };
    struct takeover *t = arg;
    struct deis_err err = DEIS_ERR_INIT;
    bool late = deis_now_ms() >= t->until_ms;

    if (!t->asked && (late || routes_known(t->router))) {
        t->asked = true;
        t->until_ms = deis_now_ms() + READY_MS;
        if (handover_send(t->fd, &take, NULL, &err) < 0) {
            deis_warn("the router that runs can't be asked", KV_ERR(&err)); /* on_read() sees why */
        }
    } else if (t->asked && late) {
        deis_err_set(&err, DEIS_TIMEOUT, "the router that runs does not let go");
        give_up(t, &err);
    }
}

void takeover_go(struct takeover *t)
{
    struct router *r = t->router;

    t->until_ms = deis_now_ms() + ROUTES_MS;
    t->read = event_new(deis_loop_base(r->loop), t->fd, EV_READ | EV_PERSIST, on_read, t);
    event_add(t->read, NULL);
    t->tick = deis_timer_new(r->loop, on_tick, t);
    deis_timer_every(t->tick, TICK_MS);
}

void takeover_free(struct takeover *t)
{
    if (!t) {
        return;
    }
    if (t->read) {
        event_free(t->read);
    }
    deis_timer_free(t->tick);
    close(t->fd);
    free(t);
}
