/* SPDX-License-Identifier: MIT */
/* An upgraded connection (WebSocket): bytes both ways, in flight at its unit until it ends. thread:
 * worker */
#ifndef DEIS_ROUTER_TUNNEL_H
#define DEIS_ROUTER_TUNNEL_H

#include "router/exchange.h"

/* The unit answered 101. head is to go to the client, then rest, which the unit sent behind it.
 * Ends the exchange. */
void tunnel_start(struct exchange *x, struct deis_str head, struct deis_str rest);
void tunnel_on_deadline(struct deadline *d);
/* A unit has read nothing since the last look. */
void tunnel_on_unread(struct deadline *d);
void tunnel_close(struct deadline *d);

#endif
