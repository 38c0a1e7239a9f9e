/* SPDX-License-Identifier: MIT */
/* Takes over from the router that runs on the same data folder: handover.h is the other side.
 * thread: main */
#ifndef DEIS_ROUTER_TAKEOVER_H
#define DEIS_ROUTER_TAKEOVER_H

#include "router/router.h"

/* Get the listening sockets of the process that runs into r->sockets. NULL: there is none, or it
 * keeps them. Waits a few seconds at most. */
struct takeover *takeover_begin(struct router *r);
/* All parts have started: go live as soon as the routes are known and the other one is ready. */
void takeover_go(struct takeover *t);
void takeover_free(struct takeover *t); /* NULL is fine */

#endif
