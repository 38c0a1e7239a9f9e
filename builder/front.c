/* SPDX-License-Identifier: MIT */
#include "builder/front.h"

#include "builder/sshd.h"

#include "lib/net/log.h"
#include "lib/net/proxy_read.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <event2/util.h>
#include <netinet/in.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONNECTIONS 100
#define BACKLOG     128
#define NO_PROGRAM  127 /* exit status of a child that could not become sshd */

struct front {
    const struct settings *settings;
    struct evconnlistener *listener;
    struct deis_cidrs *routers; /* who tell the client first; NULL: nobody */
    struct arrival *arrivals;
    size_t arriving;
    pid_t children[CONNECTIONS];
    size_t count;
};

/* A router's connection before its PROXY header is complete. */
struct arrival {
    struct front *front;
    struct arrival *next;
    int fd;
    struct event *readable;
    struct event *deadline;
    struct deis_proxy_held *held;
    char peer[DEIS_IP_TEXT];
};

static bool is_full(const struct front *f)
{
    return f->count + f->arriving >= CONNECTIONS;
}

static void connection_ended(struct front *f)
{
    if (f->listener && !is_full(f)) {
        evconnlistener_enable(f->listener);
    }
}

/* Takes fd over. */
static void start_sshd(struct front *f, int fd, const char *client)
{
    struct deis_err err = DEIS_ERR_INIT;
    pid_t pid = 0;

    if (sshd_start(f->settings, fd, client, &pid, &err) < 0) {
        deis_error("sshd not started", KV_ERR(&err));
    } else {
        deis_info("ssh connection", KV_S("client", client), KV_I("pid", pid));
        f->children[f->count++] = pid;
    }
    close(fd);
}

/* Forget it; its descriptor is left to the caller. */
static void arrival_free(struct arrival *a)
{
    struct arrival **p = &a->front->arrivals;

    while (*p != a) {
        p = &(*p)->next;
    }
    *p = a->next;
    a->front->arriving--;
    event_free(a->readable);
    event_free(a->deadline);
    free(a->held);
    free(a);
}

static void arrival_refuse(struct arrival *a, const char *why)
{
    struct front *f = a->front;

    deis_warn("ssh connection refused", KV_S("peer", a->peer), KV_S("reason", why));
    close(a->fd);
    arrival_free(a);
    connection_ended(f);
}

static void on_header(evutil_socket_t fd, short what, void *arg)
{
    struct arrival *a = arg;
    struct front *f = a->front;
    struct deis_proxy_head head;
    struct deis_err err;

    switch (deis_proxy_read(fd, &a->held, &head, &err)) {
    case DEIS_PROXY_MORE: return;
    case DEIS_PROXY_BAD: arrival_refuse(a, err.msg); return;
    case DEIS_PROXY_DONE: break;
    }
    if (head.known) {
        (void)deis_ip_format(&head.source, a->peer);
    }
    char client[DEIS_IP_TEXT];
    memcpy(client, a->peer, sizeof(client));
    arrival_free(a);
    start_sshd(f, fd, client);
    connection_ended(f);
}

static void on_late(evutil_socket_t fd, short what, void *arg)
{
    arrival_refuse(arg, "no PROXY header came in time");
}

static void await_header(struct front *f, int fd, const char *peer)
{
    static const struct timeval wait = { DEIS_PROXY_WAIT_MS / 1000, 0 };
    struct event_base *base = evconnlistener_get_base(f->listener);
    struct arrival *a = deis_alloc(sizeof(*a));

    a->front = f;
    a->fd = fd;
    memcpy(a->peer, peer, sizeof(a->peer));
    a->next = f->arrivals;
    f->arrivals = a;
    f->arriving++;
    a->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_header, a);
    a->deadline = evtimer_new(base, on_late, a);
    event_add(a->readable, NULL);
    event_add(a->deadline, &wait);
}

static struct deis_ip ip_of(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET6) {
        return deis_ip_v6(((const struct sockaddr_in6 *)(const void *)address)->sin6_addr.s6_addr);
    }
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
    return deis_ip_v4((const uint8_t *)&v4->sin_addr);
}

static void on_connection(struct evconnlistener *listener, evutil_socket_t fd,
                          struct sockaddr *address, int len, void *arg)
{
    struct front *f = arg;
    struct deis_ip ip = ip_of(address);
    char peer[DEIS_IP_TEXT] = "";

    (void)deis_ip_format(&ip, peer);
    if (deis_cidrs_contain(f->routers, &ip)) {
        await_header(f, fd, peer);
    } else {
        start_sshd(f, fd, peer);
    }
    if (is_full(f)) {
        deis_warn("as many SSH connections as are allowed", KV_I("connections", CONNECTIONS));
        evconnlistener_disable(listener);
    }
}

static void on_accept_error(struct evconnlistener *listener, void *arg)
{
    deis_warn("can't accept an SSH connection", KV_S("err", strerror(errno)));
}

int front_start(struct deis_loop *loop, const struct settings *settings, struct front **ret,
                struct deis_err *err)
{
    struct sockaddr_storage address = { 0 };
    struct sockaddr *sa = (struct sockaddr *)&address;
    int len = sizeof(address);

    if (evutil_parse_sockaddr_port(settings->ssh, sa, &len) < 0) {
        return deis_err_set(err, DEIS_INVALID, "ssh: '%s' is no address", settings->ssh);
    }
    struct deis_cidrs *routers;
    if (deis_cidrs_parse(deis_str(settings->proxy_from), &routers, err) < 0) {
        return deis_err_wrap(err, "proxy-from");
    }
    struct front *f = deis_alloc(sizeof(*f));
    f->settings = settings;
    f->routers = routers;
    f->listener = evconnlistener_new_bind(deis_loop_base(loop), on_connection, f,
                                          LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC |
                                              LEV_OPT_REUSEABLE | LEV_OPT_LEAVE_SOCKETS_BLOCKING,
                                          BACKLOG, sa, len);
    if (!f->listener) {
        free(routers);
        free(f);
        return deis_err_errno(err, errno, "can't listen on '%s'", settings->ssh);
    }
    evconnlistener_set_error_cb(f->listener, on_accept_error);
    *ret = f;
    return DEIS_OK;
}

bool front_reaped(struct front *f, pid_t pid, int status)
{
    size_t i = 0;

    while (i < f->count && f->children[i] != pid) {
        i++;
    }
    if (i == f->count) {
        return false;
    }
    f->children[i] = f->children[--f->count];
    if (WIFEXITED(status) && WEXITSTATUS(status) == NO_PROGRAM) {
        deis_error("sshd can't be run", KV_S("program", f->settings->sshd));
    }
    connection_ended(f);
    return true;
}

void front_close(struct front *f)
{
    if (f->listener) {
        while (f->arrivals) {
            arrival_refuse(f->arrivals, "the builder stops");
        }
        evconnlistener_free(f->listener);
        f->listener = NULL;
    }
}

void front_free(struct front *f)
{
    if (f) {
        front_close(f);
        free(f->routers);
        free(f);
    }
}
