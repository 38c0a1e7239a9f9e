/* SPDX-License-Identifier: MIT */
/* The edge's policy as it follows from the settings, for workers and SSH. */
#ifndef DEIS_ROUTER_EDGE_H
#define DEIS_ROUTER_EDGE_H

#include "router/router.h"

#include <sys/socket.h>

/* Are the ranges of proxyRealIpCidr good? NULL is. thread: any */
int edge_check_cidrs(const char *text, struct deis_err *err) deis_must_check;
/* Make r->policy anew from the settings and hand it to the workers. thread: main */
void edge_update(struct router *r);
/* The address of a peer; ::  for a socket that is not of the Internet. thread: any */
struct deis_ip edge_ip(const struct sockaddr_storage *peer, uint16_t *ret_port);

#endif
