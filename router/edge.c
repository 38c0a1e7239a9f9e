/* SPDX-License-Identifier: MIT */
#include "router/edge.h"

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
    struct edge_options options = { r->settings.proxy_real_ip_cidr, r->settings.proxy_protocol,
                                    r->settings.ssh_proxy_protocol };
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
