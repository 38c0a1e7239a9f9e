/* SPDX-License-Identifier: MIT */
#include "router/ssh.h"

#include "router/listener.h"
#include "router/relay.h"

#include "lib/base/clock.h"
#include "lib/net/log.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    SCRATCH = 64 * 1024,
    CONNECTIONS_MAX = 512,
    TICK_MS = 1000,
    SYN_RETRIES = 2, /* a builder's machine that is gone is given up after 7 s */
};

struct ssh_connection {
    struct relay relay;
    struct ssh *ssh;
    struct route_endpoint *endpoint; /* counted in flight, one ref */
};

struct ssh {
    struct router *router;
    int fd;
    struct event *accept;
    struct deis_timer *tick;
    struct deadline_list idle;
    unsigned count;
    char *scratch;
};

static void on_done(struct relay *r, void *arg)
{
    struct ssh_connection *c = arg;

    c->ssh->count--;
    atomic_fetch_sub(&c->endpoint->in_flight, 1);
    route_endpoint_unref(c->endpoint);
    if (c->ssh->count == 0) {
        deis_timer_cancel(c->ssh->tick);
    }
    free(c);
}

static int connect_to(const struct route_endpoint *e)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(e->port) };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(e->port) };
    int retries = SYN_RETRIES;
    int fd = socket(e->v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -1;
    }
    memcpy(&v4.sin_addr, e->ip, 4);
    memcpy(&v6.sin6_addr, e->ip, 16);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_SYNCNT, &retries, sizeof(retries));
    int code = e->v6 ? connect(fd, (struct sockaddr *)&v6, sizeof(v6))
                     : connect(fd, (struct sockaddr *)&v4, sizeof(v4));
    if (code < 0 && errno != EINPROGRESS) {
        close(fd);
        return -1;
    }
    return fd;
}

static void on_accept(evutil_socket_t listener, short what, void *arg)
{
    struct ssh *s = arg;
    struct router *r = s->router;
    int client = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (client < 0) {
        return;
    }
    struct route_app *builder = route_table_app(r->table, ROUTE_BUILDER);
    struct route_endpoint *e =
        builder ? route_app_pick(builder, deis_now_ms(),
                                 deis_wall_us() * UINT64_C(0x9e3779b97f4a7c15), NULL, 0)
                : NULL;
    int unit = e && s->count < CONNECTIONS_MAX ? connect_to(e) : -1;
    if (unit < 0) {
        close(client);
        deis_warn("ssh connection refused",
                  KV_S("reason", !e ? "no builder is known" : "the builder can't be reached"));
        return;
    }
    struct ssh_connection *c = deis_alloc(sizeof(*c));
    c->ssh = s;
    c->endpoint = e;
    atomic_fetch_add(&e->in_flight, 1);
    route_endpoint_ref(e);
    c->relay.idle = &s->idle;
    c->relay.scratch = s->scratch;
    c->relay.scratch_len = SCRATCH;
    c->relay.on_done = on_done;
    c->relay.arg = c;
    if (s->count++ == 0) {
        deis_timer_every(s->tick, TICK_MS);
    }
    relay_start(&c->relay, deis_loop_base(r->loop), client, unit);
}

static void on_idle(struct deadline *d)
{
    relay_expired(DEADLINE_OWNER(d, struct relay, deadline), deis_now_ms());
}

static void on_tick(void *arg)
{
    struct ssh *s = arg;

    deadline_expire(&s->idle, deis_now_ms());
}

struct ssh *ssh_start(struct router *r, const char *address, struct deis_err *err)
{
    int fd;

    if (listener_open(address, 1, &fd, err) < 0) {
        return NULL;
    }
    struct ssh *s = deis_alloc(sizeof(*s));
    s->router = r;
    s->fd = fd;
    s->scratch = deis_realloc_array(NULL, SCRATCH, 1);
    deadline_list_init(&s->idle, r->settings.ssh_timeout_ms, on_idle);
    s->tick = deis_timer_new(r->loop, on_tick, s);
    s->accept = event_new(deis_loop_base(r->loop), fd, EV_READ | EV_PERSIST, on_accept, s);
    event_add(s->accept, NULL);
    return s;
}

void ssh_drain(struct ssh *s)
{
    if (s && s->accept) {
        event_free(s->accept);
        s->accept = NULL;
        close(s->fd);
    }
}

bool ssh_idle(const struct ssh *s)
{
    return !s || s->count == 0;
}

void ssh_stop(struct ssh *s)
{
    struct deadline *d;

    if (!s) {
        return;
    }
    ssh_drain(s);
    while ((d = deadline_first(&s->idle))) {
        relay_close(DEADLINE_OWNER(d, struct relay, deadline));
    }
    deis_timer_free(s->tick);
    free(s->scratch);
    free(s);
}
