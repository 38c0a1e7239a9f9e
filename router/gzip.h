/* SPDX-License-Identifier: MIT */
/*
 * Answers of apps compressed on their way to the client, as settings say (lib/model/gzip.h): a
 * stage between what is read of a unit and what is framed for the client. Each piece that comes
 * of the unit goes on at once, whole. thread: worker
 */
#ifndef DEIS_ROUTER_GZIP_H
#define DEIS_ROUTER_GZIP_H

#include "router/core/gzip_head.h"
#include "router/exchange.h"

enum {
    GZIP_AT_ONCE = 128,        /* compressors of a worker, each of 134 KiB */
    GZIP_READ_MAX = 32 * 1024, /* bytes that are compressed at once: then others get their turn */
};

/* Are answers of this app compressed? Asked for each request. */
static inline bool gzip_is_on(const struct exchange *x)
{
    const struct route_settings *s = x->app->settings;

    if (s && s->r.gzip != DEIS_UNSET) {
        return s->r.gzip == DEIS_YES;
    }
    return x->worker->table->gzip.on && x->app->kind == ROUTE_APP;
}

/* It is on: keep what the answer needs to know of the request, worker->request. */
void gzip_note_request(struct exchange *x);
/* It is on: worker->answer is to be sent. Changes its head, whose views are good until the next
 * call, and begins to compress if that is to be done. */
void gzip_start(struct exchange *x);
/* What goes to the client for these bytes of the body; last: its end. Valid until the next call. */
struct deis_str gzip_piece(struct exchange *x, const char *data, size_t len, bool last);
void gzip_end(struct exchange *x);
void gzip_pool_free(struct gzip_pool *pool); /* NULL is fine */

#endif
