/* SPDX-License-Identifier: MIT */
/*
 * Whom the router believes, what it speaks, and how much one address may take: the settings that
 * matter while a connection has no host yet. A snapshot that never changes, counted by references.
 */
#ifndef DEIS_ROUTER_EDGE_POLICY_H
#define DEIS_ROUTER_EDGE_POLICY_H

#include "lib/wire/ip.h"

#include <stdatomic.h>

struct edge_policy {
    atomic_uint refs;
    struct deis_cidrs *http_proxies; /* send a PROXY header first, over HTTP and HTTPS; or NULL */
    struct deis_cidrs *ssh_proxies;  /* likewise over SSH */
    struct deis_cidrs *forwarders;   /* their X-Forwarded-* fields are believed; or NULL */
    uint32_t connections;            /* of one address at a time */
    bool loopback_too;               /* this machine's own count as well */
    uint32_t rate;                   /* new ones of it a second; 0: any number */
    uint64_t body_rate;              /* bytes of a body a second, at least; 0: any */
    bool h2;                         /* HTTP/2 is offered over TLS */
    bool h2c;                        /* and taken over plain connections */
};

struct edge_options {
    const char *cidrs;    /* proxyRealIpCidr; NULL: unset */
    bool http_proxy;      /* proxyProtocol */
    bool ssh_proxy;       /* builder/proxyProtocol */
    uint32_t connections; /* addressConnections; 0: half of all */
    uint32_t rate;        /* addressRate */
    uint32_t connections_all;
    uint64_t body_rate; /* bodyRate */
    bool h2;            /* http2 */
    bool h2c;           /* h2c */
};

/* One ref, yours. DEIS_INVALID, DEIS_LIMIT: the list of ranges is bad. thread: main */
int edge_policy_new(const struct edge_options *o, struct edge_policy **ret,
                    struct deis_err *err) deis_must_check;
/* Is it a load balancer, whose connections are those of many? */
bool edge_policy_is_proxy(const struct edge_policy *p, const struct deis_ip *ip);
/* Does the number of connections hold for it? For this machine's own only when it was set. */
bool edge_policy_counts(const struct edge_policy *p, const struct deis_ip *ip);
/* Does a body that has been coming for this long come so slowly that it only holds an app up? The
 * first 20 s are free. */
bool edge_policy_is_trickle(const struct edge_policy *p, uint64_t bytes, uint64_t elapsed_us);
struct edge_policy *edge_policy_ref(struct edge_policy *p); /* thread: any */
void edge_policy_unref(struct edge_policy *p);              /* NULL is fine; thread: any */

#endif
