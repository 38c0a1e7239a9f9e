/* SPDX-License-Identifier: MIT */
/* Listening sockets. thread: main */
#ifndef DEIS_ROUTER_LISTENER_H
#define DEIS_ROUTER_LISTENER_H

#include "lib/base/str.h"

/* Open `count` sockets that share an address ("0.0.0.0:80") and its connections. An address that
 * somebody else listens on is an error that names it; join: sockets of ours listen on it already,
 * and these are to share it. The fds are yours. */
int listener_open(const char *address, unsigned count, bool join, int *ret_fds,
                  struct deis_err *err) deis_must_check;
/* One beside those of another process is only bound: as soon as it listens it gets its share of all
 * clients. -1: errno. */
int listener_listen(int fd);
/* Is this a socket that listens on just that address? */
bool listener_is_at(int fd, const char *address);

#endif
