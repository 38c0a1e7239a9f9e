/* SPDX-License-Identifier: MIT */
#include "router/control.h"

#include "router/core/route_file.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    LINE_MAX = 1024,
    CLIENTS_MAX = 64,
    IDLE_S = 60,
};

struct control_client {
    struct control *control;
    struct bufferevent *bev;
    uint64_t awaited; /* generation that is to be in use before the answer; 0 = none */
    struct control_client *next;
};

struct control {
    struct router *router;
    char *path;
    int fd;
    struct event *accept;
    struct control_client *clients;
    unsigned count;
};

static void client_free(struct control_client *c)
{
    for (struct control_client **p = &c->control->clients; *p; p = &(*p)->next) {
        if (*p == c) {
            *p = c->next;
            break;
        }
    }
    c->control->count--;
    bufferevent_free(c->bev);
    free(c);
}

static void answer(struct control_client *c, const char *text)
{
    evbuffer_add(bufferevent_get_output(c->bev), text, strlen(text));
}

static int run_command(struct router *r, struct deis_str line, struct deis_err *err)
{
    struct deis_str command;
    struct deis_str host;

    line = deis_str_trim(line);
    (void)deis_str_split(&line, ' ', &command);
    if (!deis_str_eq_cstr(command, "set") || !deis_str_split(&line, ' ', &host) || !line.ptr) {
        return deis_err_set(err, DEIS_INVALID, "must be 'set HOST ADDR:PORT'");
    }
    deis_autofree char *name = deis_str_dup(host);
    deis_autofree char *address = deis_str_dup(line);
    return route_file_set_static(r->model, name, address, err);
}

static void client_read(struct control_client *c)
{
    struct evbuffer *in = bufferevent_get_input(c->bev);
    struct router *r = c->control->router;
    struct deis_err err;
    size_t len;

    while (c->awaited == 0) {
        char *line = evbuffer_readln(in, &len, EVBUFFER_EOL_LF);
        if (!line) {
            if (evbuffer_get_length(in) > LINE_MAX) {
                client_free(c);
            }
            return;
        }
        int code = run_command(r, deis_str_n(line, len), &err);
        free(line);
        if (code < 0) {
            answer(c, "error: ");
            answer(c, err.msg);
            answer(c, "\n");
            continue;
        }
        (void)router_publish(r);
        c->awaited = r->table->generation;
        control_on_adopted(c->control);
    }
}

static void on_read(struct bufferevent *bev, void *arg)
{
    client_read(arg);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    client_free(arg);
}

void control_on_adopted(struct control *control)
{
    if (!control) {
        return;
    }
    uint64_t adopted = router_adopted(control->router);
    for (struct control_client *c = control->clients; c; c = c->next) {
        if (c->awaited > 0 && c->awaited <= adopted) {
            c->awaited = 0;
            answer(c, "ok\n");
            bufferevent_trigger(c->bev, EV_READ, BEV_TRIG_DEFER_CALLBACKS);
        }
    }
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
    struct control *control = arg;
    static const struct timeval idle = { IDLE_S, 0 };
    int s = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (s < 0) {
        return;
    }
    if (control->count >= CLIENTS_MAX) {
        close(s);
        return;
    }
    struct control_client *c = deis_alloc(sizeof(*c));
    c->control = control;
    c->bev =
        bufferevent_socket_new(deis_loop_base(control->router->loop), s, BEV_OPT_CLOSE_ON_FREE);
    c->next = control->clients;
    control->clients = c;
    control->count++;
    bufferevent_setcb(c->bev, on_read, NULL, on_event, c);
    bufferevent_set_timeouts(c->bev, &idle, &idle);
    bufferevent_setwatermark(c->bev, EV_READ, 0, LINE_MAX + 1);
    bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}

struct control *control_start(struct router *r, const char *path, struct deis_err *err)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };

    if (strlen(path) >= sizeof(a.sun_path)) {
        deis_err_set(err, DEIS_INVALID, "--control '%s' is too long for a socket", path);
        return NULL;
    }
    memcpy(a.sun_path, path, strlen(path));
    (void)unlink(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || chmod(path, 0600) < 0 ||
        listen(fd, 16) < 0) {
        deis_err_errno(err, errno, "can't listen on '%s'", path);
        if (fd >= 0) {
            close(fd);
        }
        return NULL;
    }
    struct control *c = deis_alloc(sizeof(*c));
    c->router = r;
    c->path = deis_strdup(path);
    c->fd = fd;
    c->accept = event_new(deis_loop_base(r->loop), fd, EV_READ | EV_PERSIST, on_accept, c);
    event_add(c->accept, NULL);
    return c;
}

void control_stop(struct control *c)
{
    if (!c) {
        return;
    }
    while (c->clients) {
        client_free(c->clients);
    }
    event_free(c->accept);
    close(c->fd);
    if (!c->router->leaving) {
        (void)unlink(c->path);
    }
    free(c->path);
    free(c);
}
