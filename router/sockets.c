/* SPDX-License-Identifier: MIT */
#include "router/sockets.h"

#include "router/listener.h"

#include <errno.h>
#include <unistd.h>

int sockets_add(struct sockets *s, enum socket_kind kind, int fd, struct deis_err *err)
{
    if (s->count[kind] >= SOCKETS_MAX) {
        return deis_err_set(err, DEIS_LIMIT, "more than %d sockets for one address", SOCKETS_MAX);
    }
    s->fds[kind] = deis_realloc_array(s->fds[kind], s->count[kind] + (size_t)1, sizeof(int));
    s->fds[kind][s->count[kind]++] = fd;
    return 0;
}

/* Close those that listen elsewhere. */
static void keep(struct sockets *s, enum socket_kind kind, const char *address)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < s->count[kind]; i++) {
        int fd = s->fds[kind][i];
        if (address && listener_is_at(fd, address)) {
            s->fds[kind][kept++] = fd;
        } else {
            close(fd);
        }
    }
    s->count[kind] = kept;
}

int sockets_open(struct sockets *s, enum socket_kind kind, const char *address, unsigned count,
                 struct deis_err *err)
{
    int fds[SOCKETS_MAX];

    keep(s, kind, address);
    unsigned have = s->count[kind];
    if (!address || have >= count) {
        return 0;
    }
    int code = listener_open(address, count - have, have > 0, fds, err);
    for (unsigned i = 0; code == 0 && i < count - have; i++) {
        code = sockets_add(s, kind, fds[i], err);
    }
    return code;
}

int sockets_listen(const struct sockets *s, struct deis_err *err)
{
    for (int kind = 0; kind < SOCKET_KINDS; kind++) {
        for (unsigned i = 0; i < s->count[kind]; i++) {
            if (listener_listen(s->fds[kind][i]) < 0) {
                return deis_err_errno(err, errno, "can't listen");
            }
        }
    }
    return 0;
}

void sockets_clear(struct sockets *s)
{
    for (int kind = 0; kind < SOCKET_KINDS; kind++) {
        free(s->fds[kind]);
        s->fds[kind] = NULL;
        s->count[kind] = 0;
    }
}

void sockets_close(struct sockets *s)
{
    for (int kind = 0; kind < SOCKET_KINDS; kind++) {
        keep(s, (enum socket_kind)kind, NULL);
    }
    sockets_clear(s);
}
