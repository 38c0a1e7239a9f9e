/* SPDX-License-Identifier: MIT */
/*
 * Tells the engine when a unit that is to go gets nothing more from this router: writes
 * drained/<instance>/<unit> once every worker uses a table without the unit and nothing is in
 * flight to it, and removes the key when the unit is gone or runs again. thread: main
 */
#ifndef DEIS_ROUTER_DRAINS_H
#define DEIS_ROUTER_DRAINS_H

#include "router/router.h"

struct drains *drains_start(struct router *r);
/* Something changed: the model, what workers use, what is in flight. NULL is fine. */
void drains_update(struct drains *d);
/* Another process is going to speak for this instance: write nothing more under its name. */
void drains_pause(struct drains *d);        /* NULL is fine */
bool drains_paused(const struct drains *d); /* and nothing is under way. NULL: true */
/* Go on under this name, with the lease of its registration. name NULL: under the instance's
 * again. d NULL is fine */
void drains_resume(struct drains *d, const char *name);
/* Start no more calls. NULL is fine */
void drains_halt(struct drains *d);
/* After the router's jobs have ended. NULL is fine */
void drains_stop(struct drains *d);

#endif
