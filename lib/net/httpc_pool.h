/* SPDX-License-Identifier: MIT */
/*
 * Blocking HTTP clients shared by the threads of a process: a call takes one and gives it back, so
 * that its kept-alive connections serve the next call. thread: any
 */
#ifndef DEIS_NET_HTTPC_POOL_H
#define DEIS_NET_HTTPC_POOL_H

#include "lib/net/httpc.h"

struct deis_httpc_pool;

/* Keeps at most max_idle clients that nobody uses. */
struct deis_httpc_pool *deis_httpc_pool_new(unsigned max_idle);
void deis_httpc_pool_free(struct deis_httpc_pool *p); /* none may be in use; NULL is fine */
/* deis_httpc_call() with a client of the pool. */
int deis_httpc_pool_call(struct deis_httpc_pool *p, const struct deis_httpc_request *req,
                         struct deis_httpc_answer *ret, struct deis_err *err) deis_must_check;

#endif
