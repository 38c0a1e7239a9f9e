/* SPDX-License-Identifier: MIT */
/* The private port: /healthz, /health-check, /metrics, /routes. thread: main */
#ifndef DEIS_ROUTER_ADMIN_H
#define DEIS_ROUTER_ADMIN_H

#include "router/router.h"

struct admin *admin_start(struct router *r, const char *address,
                          struct deis_err *err) deis_must_check;
void admin_stop(struct admin *a); /* NULL is fine */

#endif
