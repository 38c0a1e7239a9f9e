/* SPDX-License-Identifier: MIT */
/* Loads the firewall when it is wanted for the first time, and again and again while that fails.
 * thread: main */
#ifndef DEIS_ROUTER_FIREWALL_LOAD_H
#define DEIS_ROUTER_FIREWALL_LOAD_H

#include "router/firewall.h"

#include "lib/net/loop.h"

struct firewall_load;

/* module NULL: lib/deis/deis-router-firewall.so beside the folder of this program. The texts must
 * live as long. */
struct firewall_load *firewall_load_new(struct deis_loop *loop, const char *module,
                                        const char *rules);
/* Waits for what is being loaded. Before the loop goes, and NULL is fine, as with the next. */
void firewall_load_stop(struct firewall_load *l);
/* No worker, no loop may be left. */
void firewall_load_free(struct firewall_load *l);

/*
 * Requests are to be examined from now on. now: load before this returns, for nobody is served
 * meanwhile; else a thread of its own does, and they are examined as soon as it has.
 */
void firewall_load_want(struct firewall_load *l, bool now);

const struct firewall_place *firewall_load_place(const struct firewall_load *l);

#endif
