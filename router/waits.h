/* SPDX-License-Identifier: MIT */
/*
 * Lists of deadlines for times that apps set of their own: one list for each length, made when it
 * is first asked for. Lists that are empty are used again for other lengths. thread: worker
 */
#ifndef DEIS_ROUTER_WAITS_H
#define DEIS_ROUTER_WAITS_H

#include "router/deadline.h"

enum {
    WAITS_EXACT = 64,
    WAITS_MAX = WAITS_EXACT + 256, /* the rest for rounded ones: there are 200 up to a day */
};

struct waits {
    struct deadline_list *lists[WAITS_MAX];
    unsigned count;
};

/* The list of this length, or of one that is up to an eighth longer when too many others are in
 * use. */
struct deadline_list *waits_get(struct waits *w, uint64_t ms,
                                void (*on_expired)(struct deadline *d));
/* Report all that are due; true: others still wait. */
bool waits_expire(struct waits *w, uint64_t now_ms);
/* Any that still waits, or NULL. */
struct deadline *waits_first(struct waits *w);
void waits_clear(struct waits *w); /* none may wait */

#endif
