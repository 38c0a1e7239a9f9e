/* SPDX-License-Identifier: MIT */
/* One health check of one endpoint: a TCP connect, or an HTTP GET that must answer 200. thread:
 * loop */
#ifndef SCHEDULER_PROBE_H
#define SCHEDULER_PROBE_H

#include "lib/model/model.h"
#include "lib/net/loop.h"

#define PROBE_TIMEOUT_MAX_MS 60000

struct probe;

/* address is "172.18.0.5:5000". health->path NULL: connecting is enough. host is the Host field.
 * on_done is called once, later: error NULL = passed, else what to tell people (borrowed).
 * eager: a connection that does not stand quickly is given up, to be tried again. */
struct probe *probe_start(struct deis_loop *loop, const char *address,
                          const struct deis_health *health, const char *host, bool eager,
                          void (*on_done)(const char *error, void *arg), void *arg);
/* Without calling on_done. */
void probe_cancel(struct probe *p); /* NULL is fine */

#endif
