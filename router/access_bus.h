/* SPDX-License-Identifier: MIT */
/* Carries the workers' access log to the logger, in batches. thread: main */
#ifndef DEIS_ROUTER_ACCESS_BUS_H
#define DEIS_ROUTER_ACCESS_BUS_H

#include "router/router.h"

#include "lib/crypto/secret.h"

struct access_bus *access_bus_start(struct router *r);
void access_bus_wake(struct access_bus *b); /* there are lines. NULL is fine */
/* All lines have been taken by the logger, or it takes none. NULL is idle */
bool access_bus_idle(const struct access_bus *b);
void access_bus_stop(struct access_bus *b); /* NULL is fine */

#endif
