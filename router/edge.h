/* SPDX-License-Identifier: MIT */
/* The edge's policy as it follows from the settings, for workers and SSH. */
#ifndef DEIS_ROUTER_EDGE_H
#define DEIS_ROUTER_EDGE_H

#include "router/core/crowd.h"
#include "router/core/edge_policy.h"

#include <sys/socket.h>

struct router;

/* Are the ranges of proxyRealIpCidr good? NULL is. thread: any */
int edge_check_cidrs(const char *text, struct deis_err *err) deis_must_check;
/* Make r->policy anew from the settings and hand it to the workers. thread: main */
void edge_update(struct router *r);

/* What is counted by address, shared by all workers and SSH. thread: any, once made */
struct edge {
    struct crowd *crowd;
    struct rate *arrivals;
};

enum edge_verdict { EDGE_IN, EDGE_TOO_MANY, EDGE_TOO_FAST };

void edge_init(struct edge *e);
void edge_clear(struct edge *e);
/* A new connection of this address. EDGE_IN: *ret_seat is to be given to crowd_leave() at its end.
 */
enum edge_verdict edge_admit(struct edge *e, const struct edge_policy *p, const struct deis_ip *ip,
                             uint64_t now_ms, _Atomic uint64_t **ret_seat);
/* The address of a peer; ::  for a socket that is not of the Internet. thread: any */
struct deis_ip edge_ip(const struct sockaddr_storage *peer, uint16_t *ret_port);

#endif
