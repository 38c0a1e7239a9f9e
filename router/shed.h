/* SPDX-License-Identifier: MIT */
/*
 * Whom the router lets go when there is no room: connections, descriptors, memory. thread: worker
 */
#ifndef DEIS_ROUTER_SHED_H
#define DEIS_ROUTER_SHED_H

#include "router/worker.h"

/* End one connection of a client that does no part of its own: one that is idle, else one that has
 * been sending its head for long, else one that has neither read nor sent for long while it should;
 * but never `spare`, whose request is what room is made for. False: there is none. Uses
 * worker->request. */
bool shed_for_connection(struct worker *w, const struct client *spare);
/* Buffers hold more than they may: end those whose bytes cost most, which is their number times the
 * time in which nothing got on, until buffers hold less. Not from within one's work on a client. */
void shed_for_memory(struct worker *w);

#endif
