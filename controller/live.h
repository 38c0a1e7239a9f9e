/* SPDX-License-Identifier: MIT */
/*
 * Operations that this process carries: their progress, for whoever asks by id. Kept for two
 * minutes after their end. thread: any
 */
#ifndef CONTROLLER_LIVE_H
#define CONTROLLER_LIVE_H

#include "controller/core/operation.h"

struct lives;
struct live;

struct lives *lives_new(void);
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
    char **progress; /* lines from `seen` on */
    struct outcome outcome;
};

/* Wait until there are more than `seen` lines, it ended or was dropped; timeout_ms at most. Clear
 * *ret. */
void live_wait(struct live *v, size_t seen, uint64_t timeout_ms, struct live_status *ret);
void live_status_clear(struct live_status *s);

#endif
