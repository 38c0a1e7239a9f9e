/* SPDX-License-Identifier: MIT */
/* Listening sockets. thread: main */
#ifndef DEIS_ROUTER_LISTENER_H
#define DEIS_ROUTER_LISTENER_H

#include "lib/base/str.h"

/* Open `count` sockets that share an address ("0.0.0.0:80") and its connections. An address that
 * somebody else listens on is an error that names it. The fds are yours. */
int listener_open(const char *address, unsigned count, int *ret_fds,
                  struct deis_err *err) deis_must_check;

#endif
