/* SPDX-License-Identifier: MIT */
/* The private port: /healthz, /health-check, /metrics, /routes. thread: main */
#ifndef DEIS_ROUTER_ADMIN_H
#define DEIS_ROUTER_ADMIN_H

#include "router/router.h"

struct admin *admin_start(struct router *r, int fd); /* a listening socket; taken over */
void admin_drain(struct admin *a);                   /* accept no more. NULL is fine */
void admin_stop(struct admin *a);                    /* NULL is fine */

#endif
