/* SPDX-License-Identifier: MIT */
/* The routing table on disk: read at the start, what has changed written a moment later. thread:
 * main */
#ifndef DEIS_ROUTER_SAVED_H
#define DEIS_ROUTER_SAVED_H

#include "router/router.h"

/* Fill the model from <data>/routes; what is said of etcd goes to ret_seen. DEIS_NOT_FOUND: there
 * is none yet. */
int saved_load(const char *data, struct route_model *m, struct route_seen *ret_seen,
               struct deis_err *err) deis_must_check;
struct saved;

struct saved *saved_start(struct router *r);
void saved_stop(struct saved *d); /* NULL is fine; no job may be left */
/* Save the newest table, and what was seen of etcd, soon. */
void saved_changed(struct router *r);
bool saved_is_busy(const struct saved *d); /* is it being written? */
/* Save it by the end of the router's jobs, if that is still to be done. */
void saved_flush(struct router *r);

#endif
