/* SPDX-License-Identifier: MIT */
#include "lib/net/httpc_pool.h"

#include <pthread.h>

struct deis_httpc_pool {
    pthread_mutex_t lock; /* guards what follows */
    unsigned max_idle;
    unsigned count;
    struct deis_httpc *idle[];
};

struct deis_httpc_pool *deis_httpc_pool_new(unsigned max_idle)
{
    struct deis_httpc_pool *p = deis_alloc(sizeof(*p) + max_idle * sizeof(p->idle[0]));
    p->max_idle = max_idle;
    pthread_mutex_init(&p->lock, NULL);
    return p;
}

void deis_httpc_pool_free(struct deis_httpc_pool *p)
{
    if (!p) {
        return;
    }
    for (unsigned i = 0; i < p->count; i++) {
        deis_httpc_free(p->idle[i]);
    }
    pthread_mutex_destroy(&p->lock);
    free(p);
}

static struct deis_httpc *take(struct deis_httpc_pool *p)
{
    pthread_mutex_lock(&p->lock);
    struct deis_httpc *c = p->count > 0 ? p->idle[--p->count] : NULL;
    pthread_mutex_unlock(&p->lock);
    return c ? c : deis_httpc_new();
}

static void give(struct deis_httpc_pool *p, struct deis_httpc *c)
{
    pthread_mutex_lock(&p->lock);
    if (p->count < p->max_idle) {
        p->idle[p->count++] = DEIS_TAKE(c);
    }
    pthread_mutex_unlock(&p->lock);
    if (c) {
        deis_httpc_free(c);
    }
}

int deis_httpc_pool_call(struct deis_httpc_pool *p, const struct deis_httpc_request *req,
                         struct deis_httpc_answer *ret, struct deis_err *err)
{
    struct deis_httpc *c = take(p);
    int rc = deis_httpc_call(c, req, ret, err);
    give(p, c);
    return rc;
}
