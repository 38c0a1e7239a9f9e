/* SPDX-License-Identifier: MIT */
#include "router/edge.h"

#include "router/core/rate.h"
#include "router/router.h"

#include "lib/net/log.h"

#include <netinet/in.h>

int edge_check_cidrs(const char *text, struct deis_err *err)
{
    struct deis_cidrs *list = NULL;
    int code = deis_cidrs_parse(deis_str(text), &list, err);

    free(list);
    return code;
}

void edge_update(struct router *r)
{
    struct edge_options options = {
        .cidrs = r->settings.proxy_real_ip_cidr,
        .http_proxy = r->settings.proxy_protocol,
        .ssh_proxy = r->settings.ssh_proxy_protocol,
        .connections = r->settings.address_connections,
        .rate = r->settings.address_rate,
        .connections_all = r->workers_wanted * r->connections_max,
        .body_rate = r->settings.body_rate,
        .h2 = r->settings.h2,
        .h2c = r->settings.h2c,
    };
    struct edge_policy *policy;
    struct deis_err err;

    if (edge_policy_new(&options, &policy, &err) < 0) {
        deis_error("the settings of the edge are bad", KV_ERR(&err)); /* they were checked */
        return;
    }
    edge_policy_unref(r->policy);
    r->policy = policy;
    for (unsigned i = 0; i < r->worker_count; i++) {
        worker_give_policy(r->workers[i], policy);
    }
}

void edge_init(struct edge *e)
{
    e->crowd = crowd_new(CROWD_OF_ALL);
    e->arrivals = rate_new();
}

void edge_clear(struct edge *e)
{
    crowd_free(e->crowd);
    rate_free(e->arrivals);
}

enum edge_verdict edge_admit(struct edge *e, const struct edge_policy *p, const struct deis_ip *ip,
                             uint64_t now_ms, _Atomic uint64_t **ret_seat)
{
    enum { BURST = 2, PER_MINUTE = 60 }; /* seconds' worth that may come at once */

    *ret_seat = NULL;
    if (edge_policy_is_proxy(p, ip)) {
        return EDGE_IN;
    }
    if (p->rate > 0 && rate_take(e->arrivals, ip, p->rate * PER_MINUTE, p->rate * BURST, now_ms)) {
        return EDGE_TOO_FAST;
    }
    if (!edge_policy_counts(p, ip)) {
        return EDGE_IN;
    }
    return crowd_enter(e->crowd, ip, p->connections, ret_seat) == CROWD_FULL ? EDGE_TOO_MANY
                                                                             : EDGE_IN;
}

struct deis_ip edge_ip(const struct sockaddr_storage *peer, uint16_t *ret_port)
{
    if (peer->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)peer;
        *ret_port = ntohs(v6->sin6_port);
        return deis_ip_v6(v6->sin6_addr.s6_addr);
    }
    if (peer->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)peer;
        *ret_port = ntohs(v4->sin_port);
        return deis_ip_v4((const uint8_t *)&v4->sin_addr);
    }
    *ret_port = 0;
    return (struct deis_ip){ { 0 } };
}
