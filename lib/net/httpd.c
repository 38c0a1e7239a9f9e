/* SPDX-License-Identifier: MIT */
#include "lib/net/httpd_internal.h"
#include "lib/net/log.h"
#include "lib/wire/url.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define ACCEPT_STEP     64
#define ACCEPT_RETRY_US 200000

/* --- connections come and go --- */

static void peer_text(const struct sockaddr_storage *ss, char *text, size_t size)
{
    const void *address = NULL;
    int family = ss->ss_family;
    if (family == AF_INET) {
        address = &((const struct sockaddr_in *)ss)->sin_addr;
    } else if (family == AF_INET6) {
        const struct in6_addr *in6 = &((const struct sockaddr_in6 *)ss)->sin6_addr;
        address = in6;
        if (IN6_IS_ADDR_V4MAPPED(in6)) {
            family = AF_INET;
            address = in6->s6_addr + 12;
        }
    }
    if (address == NULL || inet_ntop(family, address, text, (socklen_t)size) == NULL) {
        snprintf(text, size, "unix");
    }
}

static void add_conn(struct deis_httpd *s, int fd, const struct sockaddr_storage *ss)
{
    char peer[INET6_ADDRSTRLEN];
    int on = 1;
    if (s->unix_path == NULL) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    }
    peer_text(ss, peer, sizeof(peer));
    struct conn *c = conn_new(s, fd, peer);
    TAILQ_INSERT_TAIL(&s->live, c, link);
    s->live_count++;
}

/* True when the backlog is empty. */
static bool accept_one(struct deis_httpd *s)
{
    struct sockaddr_storage ss = { .ss_family = AF_UNSPEC };
    socklen_t len = sizeof(ss);
    int fd = accept4(s->fd, (struct sockaddr *)&ss, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        add_conn(s, fd, &ss);
        return false;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        struct timeval delay = { 0, ACCEPT_RETRY_US };
        deis_warn("cannot accept connections for now", KV_S("err", strerror(errno)));
        event_del(s->accept_ev);
        event_add(s->retry_ev, &delay);
        return true;
    }
    return errno == EAGAIN;
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
    struct deis_httpd *s = arg;
    for (int i = 0; i < ACCEPT_STEP && s->live_count < s->opts.max_connections; i++) {
        if (accept_one(s)) {
            return;
        }
    }
    if (s->live_count >= s->opts.max_connections) {
        event_del(s->accept_ev);
    }
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
    struct deis_httpd *s = arg;
    event_add(s->accept_ev, NULL);
}

void httpd_conn_died(struct conn *c)
{
    struct deis_httpd *s = c->server;
    TAILQ_REMOVE(&s->live, c, link);
    TAILQ_INSERT_TAIL(&s->dead, c, link);
    s->live_count--;
    event_active(s->turn_ev, EV_TIMEOUT, 0);
}

/* --- drain and end --- */

static void free_dead(struct deis_httpd *s)
{
    while (!TAILQ_EMPTY(&s->dead)) {
        struct conn *c = TAILQ_FIRST(&s->dead);
        TAILQ_REMOVE(&s->dead, c, link);
        conn_free(c);
    }
}

static void stop_listening(struct deis_httpd *s)
{
    if (s->fd >= 0) {
        event_del(s->accept_ev);
        event_del(s->retry_ev);
        close(s->fd);
        s->fd = -1;
    }
    if (s->unix_path != NULL) {
        unlink(s->unix_path);
    }
}

/* Whoever waits in the backlog has been promised a connection: closing the socket would reset it.
 */
static void accept_the_last(struct deis_httpd *s)
{
    while (s->fd >= 0 && s->live_count < s->opts.max_connections && !accept_one(s)) {
    }
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
    struct deis_httpd *s = arg;
    free_dead(s);
    if (!s->draining) {
        if (s->live_count < s->opts.max_connections && !evtimer_pending(s->retry_ev, NULL)) {
            event_add(s->accept_ev, NULL);
        }
        return;
    }
    if (s->fd >= 0) {
        accept_the_last(s);
        stop_listening(s);
        struct conn *next = NULL;
        for (struct conn *c = TAILQ_FIRST(&s->live); c != NULL; c = next) {
            next = TAILQ_NEXT(c, link);
            conn_leave_if_idle(c);
        }
        free_dead(s);
    }
    if (s->live_count == 0 && !s->drained) {
        s->drained = true;
        if (s->on_drained != NULL) {
            s->on_drained(s->drained_arg); /* may free s */
        }
    }
}

void deis_httpd_drain(struct deis_httpd *s, void (*on_done)(void *arg), void *arg)
{
    s->draining = true;
    s->on_drained = on_done;
    s->drained_arg = arg;
    event_active(s->turn_ev, EV_TIMEOUT, 0);
}

void deis_httpd_free(struct deis_httpd *s)
{
    if (s == NULL) {
        return;
    }
    stop_listening(s);
    while (!TAILQ_EMPTY(&s->live)) {
        conn_close(TAILQ_FIRST(&s->live));
    }
    free_dead(s);
    if (s->accept_ev != NULL) {
        event_free(s->accept_ev);
    }
    if (s->retry_ev != NULL) {
        event_free(s->retry_ev);
    }
    if (s->turn_ev != NULL) {
        event_free(s->turn_ev);
    }
    free(s->unix_path);
    free(s);
}

/* --- listening --- */

static int bind_and_listen(struct deis_httpd *s, const struct sockaddr *address, socklen_t len,
                           const char *text, struct deis_err *err)
{
    int on = 1;
    s->fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->fd < 0) {
        return deis_err_errno(err, errno, "cannot create a socket for '%s'", text);
    }
    setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(s->fd, address, len) != 0 || listen(s->fd, SOMAXCONN) != 0) {
        return deis_err_errno(err, errno, "cannot listen on '%s'", text);
    }
    return 0;
}

static int listen_tcp(struct deis_httpd *s, const char *text, struct deis_err *err)
{
    struct deis_str host;
    uint16_t port = 0;
    int rc = deis_addr_split(deis_str(text), &host, &port, err);
    if (rc != 0) {
        return deis_err_wrap(err, "cannot listen on '%s'", text);
    }
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICHOST };
    struct addrinfo *found = NULL;
    deis_autofree char *name = deis_str_dup(host);
    deis_autofree char *service = deis_asprintf("%u", port);
    if (getaddrinfo(name, service, &hints, &found) != 0) {
        return deis_err_set(err, DEIS_INVALID, "cannot listen on '%s': not a numeric address",
                            text);
    }
    rc = bind_and_listen(s, found->ai_addr, found->ai_addrlen, text, err);
    freeaddrinfo(found);
    if (rc != 0) {
        return rc;
    }

    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } bound = { .in6 = { 0 } };

    socklen_t len = sizeof(bound);
    if (getsockname(s->fd, &bound.any, &len) != 0) {
        return deis_err_errno(err, errno, "cannot read the address of '%s'", text);
    }
    s->port = ntohs(bound.any.sa_family == AF_INET6 ? bound.in6.sin6_port : bound.in.sin_port);
    return 0;
}

static int listen_unix(struct deis_httpd *s, const char *path, struct deis_err *err)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof(address.sun_path)) {
        return deis_err_set(err, DEIS_INVALID, "the socket path '%s' is too long", path);
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    struct stat st;
    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode)) {
        unlink(path);
    }
    int rc = bind_and_listen(s, (struct sockaddr *)&address, sizeof(address), path, err);
    if (rc == 0) {
        s->unix_path = deis_strdup(path);
    }
    return rc;
}

static void set_opts(struct deis_httpd *s, const struct deis_httpd_opts *opts)
{
    if (opts != NULL) {
        s->opts = *opts;
    }
    if (s->opts.head_timeout_ms == 0) {
        s->opts.head_timeout_ms = 30000;
    }
    if (s->opts.idle_timeout_ms == 0) {
        s->opts.idle_timeout_ms = 75000;
    }
    if (s->opts.body_max == 0) {
        s->opts.body_max = 1048576;
    }
    if (s->opts.bodies_max == 0) {
        s->opts.bodies_max = 67108864;
    }
    if (s->opts.unsent_max == 0) {
        s->opts.unsent_max = 67108864;
    }
    if (s->opts.max_connections == 0) {
        s->opts.max_connections = 1024;
    }
}

static struct deis_httpd *server_new(struct deis_loop *loop, const struct deis_httpd_opts *opts,
                                     const struct deis_httpd_ops *ops, void *arg)
{
    struct deis_httpd *s = deis_alloc(sizeof(*s));
    s->loop = loop;
    s->fd = -1;
    s->ops = *ops;
    s->arg = arg;
    TAILQ_INIT(&s->live);
    TAILQ_INIT(&s->dead);
    set_opts(s, opts);
    return s;
}

static struct deis_httpd *server_start(struct deis_httpd *s)
{
    struct event_base *base = deis_loop_base(s->loop);
    s->accept_ev = event_new(base, s->fd, EV_READ | EV_PERSIST, on_accept, s);
    s->retry_ev = evtimer_new(base, on_retry, s);
    s->turn_ev = evtimer_new(base, on_turn, s);
    if (s->accept_ev == NULL || s->retry_ev == NULL || s->turn_ev == NULL) {
        abort();
    }
    event_add(s->accept_ev, NULL);
    return s;
}

struct deis_httpd *deis_httpd_new(struct deis_loop *loop, const char *address,
                                  const struct deis_httpd_opts *opts,
                                  const struct deis_httpd_ops *ops, void *arg, struct deis_err *err)
{
    struct deis_httpd *s = server_new(loop, opts, ops, arg);
    bool is_unix = strncmp(address, "unix:", 5) == 0;
    int rc = is_unix ? listen_unix(s, address + 5, err) : listen_tcp(s, address, err);
    if (rc != 0) {
        if (s->fd >= 0) {
            close(s->fd);
        }
        free(s);
        return NULL;
    }
    return server_start(s);
}

struct deis_httpd *deis_httpd_new_on(struct deis_loop *loop, int fd,
                                     const struct deis_httpd_opts *opts,
                                     const struct deis_httpd_ops *ops, void *arg)
{
    struct deis_httpd *s = server_new(loop, opts, ops, arg);
    s->fd = fd;
    return server_start(s);
}

uint16_t deis_httpd_port(const struct deis_httpd *s)
{
    return s->port;
}
