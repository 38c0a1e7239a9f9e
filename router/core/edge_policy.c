/* SPDX-License-Identifier: MIT */
#include "router/core/edge_policy.h"

/* Those of Deis v1, while the PROXY protocol is on and nothing else was said. Nobody's fields are
 * believed unasked. */
#define PROXIES_DEFAULT "10.0.0.0/8"

enum {
    RATE_MAX = 64000, /* what can be told apart: 1/64 ms each */
    FREE_US = 20 * 1000 * 1000,
};

static int parse_if(bool wanted, const char *text, struct deis_cidrs **ret, struct deis_err *err)
{
    return wanted ? deis_cidrs_parse(deis_str(text), ret, err) : DEIS_OK;
}

int edge_policy_new(const struct edge_options *o, struct edge_policy **ret, struct deis_err *err)
{
    struct edge_policy *p = deis_alloc(sizeof(*p));
    const char *proxies = o->cidrs ? o->cidrs : PROXIES_DEFAULT;
    int code;

    atomic_init(&p->refs, 1);
    p->connections = o->connections > 0 ? o->connections : o->connections_all / 2;
    p->connections = p->connections > 0 ? p->connections : 1;
    p->loopback_too = o->connections > 0;
    p->body_rate = o->body_rate;
    p->rate = o->rate < RATE_MAX ? o->rate : RATE_MAX;
    p->h2 = o->h2;
    p->h2c = o->h2c;
    if ((code = parse_if(o->cidrs != NULL, o->cidrs, &p->forwarders, err)) < 0 ||
        (code = parse_if(o->http_proxy, proxies, &p->http_proxies, err)) < 0 ||
        (code = parse_if(o->ssh_proxy, proxies, &p->ssh_proxies, err)) < 0) {
        edge_policy_unref(p);
        return code;
    }
    *ret = p;
    return DEIS_OK;
}

static bool is_loopback(const struct deis_ip *ip)
{
    static const struct deis_ip v6 = { { [15] = 1 } };

    return (deis_ip_is_v4(ip) && ip->bytes[12] == 127) || deis_ip_eq(ip, &v6);
}

bool edge_policy_is_proxy(const struct edge_policy *p, const struct deis_ip *ip)
{
    return deis_cidrs_contain(p->http_proxies, ip) || deis_cidrs_contain(p->ssh_proxies, ip) ||
           deis_cidrs_contain(p->forwarders, ip);
}

bool edge_policy_counts(const struct edge_policy *p, const struct deis_ip *ip)
{
    return p->loopback_too || !is_loopback(ip);
}

bool edge_policy_is_trickle(const struct edge_policy *p, uint64_t bytes, uint64_t elapsed_us)
{
    uint64_t late_s = elapsed_us > FREE_US ? (elapsed_us - FREE_US) / 1000000 : 0;

    return late_s > 0 && bytes / late_s < p->body_rate;
}

struct edge_policy *edge_policy_ref(struct edge_policy *p)
{
    atomic_fetch_add(&p->refs, 1);
    return p;
}

void edge_policy_unref(struct edge_policy *p)
{
    if (p && atomic_fetch_sub(&p->refs, 1) == 1) {
        free(p->http_proxies);
        free(p->ssh_proxies);
        free(p->forwarders);
        free(p);
    }
}
