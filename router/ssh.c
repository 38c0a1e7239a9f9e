/* SPDX-License-Identifier: MIT */
#include "router/ssh.h"

#include "router/edge.h"
#include "router/relay.h"

#include "lib/base/clock.h"
#include "lib/net/log.h"
#include "lib/net/proxy_read.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    SCRATCH = 64 * 1024,
    CONNECTIONS_MAX = 512,
    ADDRESS_MAX = CONNECTIONS_MAX / 2, /* of one address */
    CROWD = 4096,
    TICK_MS = 1000,
};

/* Whose connection it is, and where it was made to. */
struct ssh_client {
    int fd;
    struct deis_proxy_head ends;
};

struct ssh_connection {
    struct relay relay; /* once the builder has taken the connection */
    struct ssh *ssh;
    int client;
    int unit;
    struct deis_proxy_head ends; /* of the client's */
    struct event connected;
    struct deadline connecting;
    struct route_endpoint *endpoint; /* counted in flight, one ref */
    _Atomic uint64_t *seat;
    _Atomic uint64_t *place; /* likewise, among those for SSH */
};

/* A load balancer's, before its PROXY header is complete. */
struct ssh_waiting {
    struct ssh *ssh;
    struct ssh_client client;
    struct deis_proxy_held *held;
    struct event *readable;
    struct deadline deadline;
};

struct ssh {
    struct router *router;
    int fd;
    struct event *accept;
    struct deis_timer *tick;
    struct deadline_list idle;
    struct deadline_list connecting; /* of struct ssh_connection */
    struct deadline_list heads;      /* of struct ssh_waiting */
    unsigned count;                  /* of all kinds */
    uint64_t refused;                /* over the limits of an address */
    struct crowd *crowd;
    char *scratch;
    struct bufpool pool;
};

static void count_down(struct ssh *s)
{
    if (--s->count == 0) {
        deis_timer_cancel(s->tick);
    }
}

static void on_done(struct relay *r, void *arg)
{
    struct ssh_connection *c = arg;

    atomic_fetch_sub(&c->endpoint->in_flight, 1);
    route_endpoint_unref(c->endpoint);
    crowd_leave(c->seat);
    crowd_leave(c->place);
    count_down(c->ssh);
    free(c);
}

static int connect_to(const struct route_endpoint *e)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(e->port) };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(e->port) };
    int fd = socket(e->v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -1;
    }
    memcpy(&v4.sin_addr, e->ip, 4);
    memcpy(&v6.sin6_addr, e->ip, 16);
    int code = e->v6 ? connect(fd, (struct sockaddr *)&v6, sizeof(v6))
                     : connect(fd, (struct sockaddr *)&v4, sizeof(v4));
    if (code < 0 && errno != EINPROGRESS) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Is the builder at the other end of this socket one that takes a PROXY header from us? */
static bool wants_head(const struct route_endpoint *e, int fd)
{
    struct sockaddr_storage own = { 0 };
    socklen_t len = sizeof(own);
    struct deis_cidrs *list = NULL;
    uint16_t port;

    if (!e->proxy_from || getsockname(fd, (struct sockaddr *)&own, &len) < 0 ||
        deis_cidrs_parse(deis_str(e->proxy_from), &list, NULL) < 0) {
        return false;
    }
    struct deis_ip ip = edge_ip(&own, &port);
    bool wants = deis_cidrs_contain(list, &ip);
    free(list);
    return wants;
}

static void give_up(struct ssh_connection *c)
{
    deadline_clear(&c->connecting);
    event_del(&c->connected);
    close(c->unit);
    close(c->client);
    on_done(&c->relay, c);
}

static void on_no_answer(struct deadline *d)
{
    struct ssh_connection *c = DEIS_OWNER(d, struct ssh_connection, connecting);

    deis_warn("ssh connection refused", KV_S("reason", "the builder does not answer"),
              KV_I("after_ms", c->ssh->connecting.ms));
    give_up(c);
}

static void on_connected(evutil_socket_t fd, short what, void *arg)
{
    struct ssh_connection *c = arg;
    int code = 0;
    socklen_t len = sizeof(code);

    (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &len);
    if (code != 0) {
        deis_warn("ssh connection refused", KV_S("reason", "the builder can't be reached"),
                  KV_S("err", strerror(code)));
        give_up(c);
        return;
    }
    deadline_clear(&c->connecting);
    if (wants_head(c->endpoint, c->unit)) {
        char head[DEIS_PROXY_V1_MAX + 1];
        (void)relay_preload(&c->relay, 1, head, deis_proxy_head_format(head, &c->ends));
    }
    relay_start(&c->relay, deis_loop_base(c->ssh->router->loop), c->client, c->unit);
}

/* There are few places for SSH, whatever an address may have otherwise. */
static bool has_place(struct ssh *s, const struct deis_ip *ip, _Atomic uint64_t **ret_place)
{
    const struct edge_policy *p = s->router->policy;

    *ret_place = NULL;
    return edge_policy_is_proxy(p, ip) || !edge_policy_counts(p, ip) ||
           crowd_enter(s->crowd, ip, ADDRESS_MAX, ret_place) != CROWD_FULL;
}

/* Hand the connection, which is counted already, to a builder. */
static void connect_builder(struct ssh *s, const struct ssh_client *client)
{
    struct router *r = s->router;
    _Atomic uint64_t *seat;
    _Atomic uint64_t *place = NULL;

    if (edge_admit(&r->edge, r->policy, &client->ends.source, deis_now_ms(), &seat) != EDGE_IN ||
        !has_place(s, &client->ends.source, &place)) {
        crowd_leave(seat);
        s->refused++;
        close(client->fd);
        count_down(s);
        return;
    }
    struct route_app *builder = route_table_app(r->table, ROUTE_BUILDER);
    struct route_endpoint *e =
        builder ? route_app_pick(builder, deis_now_ms(),
                                 deis_wall_us() * UINT64_C(0x9e3779b97f4a7c15), NULL, 0)
                : NULL;
    int unit = e ? connect_to(e) : -1;
    if (unit < 0) {
        close(client->fd);
        crowd_leave(seat);
        crowd_leave(place);
        count_down(s);
        deis_warn("ssh connection refused",
                  KV_S("reason", !e ? "no builder is known" : "the builder can't be reached"));
        return;
    }
    struct ssh_connection *c = deis_alloc(sizeof(*c));
    c->ssh = s;
    c->endpoint = e;
    c->seat = seat;
    c->place = place;
    atomic_fetch_add(&e->in_flight, 1);
    route_endpoint_ref(e);
    c->relay.idle = &s->idle;
    c->relay.scratch = s->scratch;
    c->relay.scratch_len = SCRATCH;
    c->relay.pool = &s->pool;
    c->relay.on_done = on_done;
    c->relay.arg = c;
    c->client = client->fd;
    c->ends = client->ends;
    c->unit = unit;
    event_assign(&c->connected, deis_loop_base(r->loop), unit, EV_WRITE, on_connected, c);
    event_add(&c->connected, NULL);
    deadline_set(&s->connecting, &c->connecting, deis_now_ms());
}

static void waiting_free(struct ssh_waiting *w)
{
    deadline_clear(&w->deadline);
    event_free(w->readable);
    free(w->held);
    free(w);
}

static void waiting_close(struct ssh_waiting *w)
{
    close(w->client.fd);
    count_down(w->ssh);
    waiting_free(w);
}

static void on_head(evutil_socket_t fd, short what, void *arg)
{
    struct ssh_waiting *w = arg;
    struct ssh_client client = w->client;
    struct ssh *s = w->ssh;
    struct deis_proxy_head head;
    struct deis_err err;

    switch (deis_proxy_read(fd, &w->held, &head, &err)) {
    case DEIS_PROXY_MORE: return;
    case DEIS_PROXY_BAD:
        deis_warn("ssh connection refused", KV_S("reason", err.msg));
        waiting_close(w);
        return;
    case DEIS_PROXY_DONE: break;
    }
    waiting_free(w);
    if (head.known) {
        client.ends = head;
    }
    connect_builder(s, &client);
}

static void on_no_head(struct deadline *d)
{
    waiting_close(DEIS_OWNER(d, struct ssh_waiting, deadline));
}

static void await_head(struct ssh *s, const struct ssh_client *client)
{
    struct ssh_waiting *w = deis_alloc(sizeof(*w));

    w->ssh = s;
    w->client = *client;
    w->readable =
        event_new(deis_loop_base(s->router->loop), client->fd, EV_READ | EV_PERSIST, on_head, w);
    event_add(w->readable, NULL);
    deadline_set(&s->heads, &w->deadline, deis_now_ms());
}

static void on_accept(evutil_socket_t listener, short what, void *arg)
{
    struct ssh *s = arg;
    struct ssh_client client = { .ends.known = true };
    struct sockaddr_storage peer = { 0 };
    struct sockaddr_storage own = { 0 };
    socklen_t len = sizeof(peer);

    client.fd = accept4(listener, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client.fd < 0) {
        return;
    }
    if (s->count >= CONNECTIONS_MAX) {
        close(client.fd);
        deis_warn("ssh connection refused", KV_S("reason", "there are too many"));
        return;
    }
    len = sizeof(own);
    (void)getsockname(client.fd, (struct sockaddr *)&own, &len);
    client.ends.source = edge_ip(&peer, &client.ends.source_port);
    client.ends.destination = edge_ip(&own, &client.ends.destination_port);
    if (s->count++ == 0) {
        deis_timer_every(s->tick, TICK_MS);
    }
    if (deis_cidrs_contain(s->router->policy->ssh_proxies, &client.ends.source)) {
        await_head(s, &client);
    } else {
        connect_builder(s, &client);
    }
}

static void on_idle(struct deadline *d)
{
    relay_expired(DEIS_OWNER(d, struct relay, deadline), deis_now_ms());
}

static void on_tick(void *arg)
{
    struct ssh *s = arg;

    deadline_expire(&s->idle, deis_now_ms());
    deadline_expire(&s->connecting, deis_now_ms());
    deadline_expire(&s->heads, deis_now_ms());
}

static uint64_t connect_ms(const struct router *r)
{
    uint64_t ms = r->settings.ssh_connect_ms;

    return ms < TICK_MS ? TICK_MS : ms;
}

struct ssh *ssh_start(struct router *r, int fd)
{
    struct ssh *s = deis_alloc(sizeof(*s));
    s->router = r;
    s->fd = fd;
    s->crowd = crowd_new(CROWD);
    s->scratch = deis_realloc_array(NULL, SCRATCH, 1);
    deadline_list_init(&s->idle, r->settings.ssh_timeout_ms, on_idle);
    deadline_list_init(&s->connecting, connect_ms(r), on_no_answer);
    deadline_list_init(&s->heads, DEIS_PROXY_WAIT_MS, on_no_head);
    s->tick = deis_timer_new(r->loop, on_tick, s);
    s->accept = event_new(deis_loop_base(r->loop), fd, EV_READ | EV_PERSIST, on_accept, s);
    event_add(s->accept, NULL);
    return s;
}

void ssh_use_settings(struct ssh *s)
{
    if (s) {
        deadline_list_set_ms(&s->connecting, connect_ms(s->router));
    }
}

void ssh_drain(struct ssh *s)
{
    if (s && s->accept) {
        event_free(s->accept);
        s->accept = NULL;
        close(s->fd);
    }
}

unsigned ssh_count(const struct ssh *s)
{
    return s ? s->count : 0;
}

uint64_t ssh_refused(const struct ssh *s)
{
    return s ? s->refused : 0;
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
        relay_close(DEIS_OWNER(d, struct relay, deadline));
    }
    while ((d = deadline_first(&s->connecting))) {
        give_up(DEIS_OWNER(d, struct ssh_connection, connecting));
    }
    while ((d = deadline_first(&s->heads))) {
        on_no_head(d);
    }
    deis_timer_free(s->tick);
    bufpool_clear(&s->pool);
    crowd_free(s->crowd);
    free(s->scratch);
    free(s);
}
