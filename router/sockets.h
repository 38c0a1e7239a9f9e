/* SPDX-License-Identifier: MIT */
/* The listening sockets of the process, by what they are for. thread: main */
#ifndef DEIS_ROUTER_SOCKETS_H
#define DEIS_ROUTER_SOCKETS_H

#include "router/core/handover_msg.h"

enum { SOCKETS_MAX = 256 }; /* of a kind: one a worker */

/* The descriptors are numbers here: workers, SSH and the private port own and close them. */
struct sockets {
    int *fds[SOCKET_KINDS];
    unsigned count[SOCKET_KINDS];
};

/* DEIS_LIMIT when there are SOCKETS_MAX already. */
int sockets_add(struct sockets *s, enum socket_kind kind, int fd,
                struct deis_err *err) deis_must_check;
/* Make `count` sockets of the kind on the address: those that are there are kept if they listen on
 * it (there may then be more than count), and closed otherwise. address NULL: close all. */
int sockets_open(struct sockets *s, enum socket_kind kind, const char *address, unsigned count,
                 struct deis_err *err) deis_must_check;
void sockets_close(struct sockets *s); /* all; empty afterwards */
/* Of all: from now on they get connections. */
int sockets_listen(const struct sockets *s, struct deis_err *err) deis_must_check;
void sockets_clear(struct sockets *s); /* frees the lists alone */

#endif
