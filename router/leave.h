/* SPDX-License-Identifier: MIT */
/*
 * The end of a router whose listening sockets another process has taken: it accepts no more and
 * finishes what it has. As long as it is there it is one more router to the engine, under a name
 * of its own, so that no unit that it still uses is stopped. thread: main
 */
#ifndef DEIS_ROUTER_LEAVE_H
#define DEIS_ROUTER_LEAVE_H

#include "router/router.h"

void leave_prepare(struct router *r);     /* register under the other name, write nothing more */
bool leave_ready(const struct router *r); /* that is done */
void leave_confirm(struct router *r);     /* from now on the instance's name is the other's */
void leave_undo(struct router *r);        /* all as before leave_prepare() */
void leave(struct router *r);             /* after leave_confirm(): no way back */

#endif
