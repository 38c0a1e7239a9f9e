/* SPDX-License-Identifier: MIT */
/*
 * Lets a new process take over: a Unix socket in the data folder (mode 0600, the same user only)
 * by which it gets our listening sockets. Nothing changes here until the new one says that it
 * accepts connections; should it end before, or be slow, we go on. thread: main
 */
#ifndef DEIS_ROUTER_HANDOVER_H
#define DEIS_ROUTER_HANDOVER_H

#include "router/router.h"

/* Takes the path from whoever listened there. */
struct handover *handover_start(struct router *r, struct deis_err *err) deis_must_check;
void handover_stop(struct handover *h); /* NULL is fine */

#endif
