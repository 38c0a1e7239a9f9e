/* SPDX-License-Identifier: MIT */
/*
 * Changes of a static table over a Unix socket. One command a line:
 *   set HOST ADDR:PORT    the host has this one backend from now on
 * The answer is "ok" when all workers use the new table, or "error: ...". thread: main
 */
#ifndef DEIS_ROUTER_CONTROL_H
#define DEIS_ROUTER_CONTROL_H

#include "router/router.h"

struct control *control_start(struct router *r, const char *path,
                              struct deis_err *err) deis_must_check;
void control_on_adopted(struct control *c); /* NULL is fine */
/* NULL is fine. The path is left to whoever took over, if somebody did. */
void control_stop(struct control *c);

#endif
