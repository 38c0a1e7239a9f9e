/* SPDX-License-Identifier: MIT */
/*
 * The SSH port: one sshd for each connection, so that none runs while nobody is there. Beyond
 * CONNECTIONS at a time new ones wait in the queue of the socket. A connection from the ranges of
 * settings->proxy_from must begin with a PROXY header, which says whose it is. thread: loop
 */
#ifndef DEIS_BUILDER_FRONT_H
#define DEIS_BUILDER_FRONT_H

#include "builder/settings.h"

#include "lib/net/loop.h"

#include <sys/types.h>

struct front;

/* Listen. settings is borrowed. */
int front_start(struct deis_loop *loop, const struct settings *settings, struct front **ret,
                struct deis_err *err) deis_must_check;
/* A child of this process has ended. true: it was a connection's. */
bool front_reaped(struct front *f, pid_t pid, int status);
void front_close(struct front *f); /* no more connections; those that are there go on */
void front_free(struct front *f);  /* NULL is fine */

#endif
