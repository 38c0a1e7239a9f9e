/* SPDX-License-Identifier: MIT */
#include "builder/front.h"

#include "builder/sshd.h"

#include "lib/net/log.h"

#include <errno.h>
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
    pid_t children[CONNECTIONS];
    size_t count;
};

static void on_connection(struct evconnlistener *listener, evutil_socket_t fd,
                          struct sockaddr *address, int len, void *arg)
{
    struct front *f = arg;
    struct deis_err err = DEIS_ERR_INIT;
    pid_t pid = 0;

    if (sshd_start(f->settings, fd, &pid, &err) < 0) {
        deis_error("sshd not started", KV_ERR(&err));
    } else {
        f->children[f->count++] = pid;
    }
    close(fd);
    if (f->count == CONNECTIONS) {
        deis_warn("as many SSH connections as are allowed", KV_I("connections", f->count));
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
    struct front *f = deis_alloc(sizeof(*f));
    f->settings = settings;
    f->listener = evconnlistener_new_bind(deis_loop_base(loop), on_connection, f,
                                          LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC |
                                              LEV_OPT_REUSEABLE | LEV_OPT_LEAVE_SOCKETS_BLOCKING,
                                          BACKLOG, sa, len);
    if (!f->listener) {
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
    if (f->listener) {
        evconnlistener_enable(f->listener);
    }
    return true;
}

void front_close(struct front *f)
{
    if (f->listener) {
        evconnlistener_free(f->listener);
        f->listener = NULL;
    }
}

void front_free(struct front *f)
{
    if (f) {
        front_close(f);
        free(f);
    }
}
