/* SPDX-License-Identifier: MIT */
#include "router/core/edge_policy.h"

/* Those of Deis v1, while the PROXY protocol is on and nothing else was said. Nobody's fields are
 * believed unasked. */
#define PROXIES_DEFAULT "10.0.0.0/8"

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
    if ((code = parse_if(o->cidrs != NULL, o->cidrs, &p->forwarders, err)) < 0 ||
        (code = parse_if(o->http_proxy, proxies, &p->http_proxies, err)) < 0 ||
        (code = parse_if(o->ssh_proxy, proxies, &p->ssh_proxies, err)) < 0) {
        edge_policy_unref(p);
        return code;
    }
    *ret = p;
    return DEIS_OK;
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
