/* SPDX-License-Identifier: MIT */
/*
 * Operations that this process carries: their progress, for whoever asks by id. Kept for two
 * minutes after their end. thread: any
 */
#ifndef CONTROLLER_LIVE_H
#define CONTROLLER_LIVE_H

#include "controller/core/operation.h"

#include "lib/net/loop.h"

struct lives;
struct live;

/* thread: loop, both. At the end all who wait are told. */
struct lives *lives_new(struct deis_loop *loop);
void lives_free(struct lives *l);

/* The operation of this id with a reference (live_unref()); *ret_new tells whether it was made now.
 * NULL: too many. */
struct live *live_get(struct lives *l, const char *id, bool *ret_new);
/* The same, but NULL when there is none. */
struct live *live_find(struct lives *l, const char *id);
void live_unref(struct live *v); /* NULL is fine */
void live_progress(struct live *v, const char *format, ...) deis_printf(2, 3);
void live_end(struct live *v, const struct outcome *o);
/* Forget one that never began here, or that is left to others; its id can be tried again. The
 * caller keeps its reference. */
void live_drop(struct live *v);

struct live_status {
    bool ended;
    char **progress; /* lines from `seen` on; NULL = none */
    struct outcome outcome;
};

/* status is valid during the call. thread: any, also that of lives_tell() */
typedef void live_fn(const struct live_status *status, void *arg);

/* Call fn once: when there are more than `seen` lines, it ended or was dropped, at once if that is
 * so; else after timeout_ms, or up to a second later. v: NULL = only the time counts. Nobody's
 * thread waits. */
void lives_tell(struct lives *l, struct live *v, size_t seen, uint64_t timeout_ms, live_fn *fn,
                void *arg);

#endif
