/* SPDX-License-Identifier: MIT */
/*
 * What the engine decides: from what it knows to a list of writes. Level-triggered: the same world
 * gives the same plan, and a plan carried out leads to a world whose plan is empty, or to one that
 * waits for an agent, a router or a point in time. thread: one owner
 */
#ifndef SCHEDULER_CORE_PLAN_H
#define SCHEDULER_CORE_PLAN_H

#include "scheduler/core/unit_id.h"
#include "scheduler/core/world.h"

#define PLAN_LOST_AFTER_MS  30000  /* a machine's absence before its verdict */
#define PLAN_DRAIN_MAX_MS   30000  /* for routers to finish with a unit */
#define PLAN_DRAIN_ALONE_MS 1000   /* the same when no router is registered */
#define PLAN_ROUTER_BACK_MS 60000  /* a router that left is expected back for so long */
#define PLAN_FETCH_MAX_MS   600000 /* to fetch an image, on top of the start timeout */
#define PLAN_ANSWER_MAX_MS  30000  /* for an agent to say anything, on top of the start timeout */
#define PLAN_WANTED_MAX     10000  /* units of one app */

struct plan_action {
    char *key;
    char *value;   /* NULL = delete the key */
    int64_t guard; /* mod revision that the key must have, 0 = it must be absent */
    char *note;    /* for the log: "create blog_v7.web.1-1a2b3c4d on m1" */
};

struct plan {
    struct plan_action *actions; /* those of one app follow each other */
    size_t count;
    uint64_t
        wake_ms; /* plan again then at the latest, even if nothing changes; UINT64_MAX = never */
};

/* The end of the longest run of actions from `from` on that has at most so many actions and bytes,
 * but at least one action. */
size_t plan_batch(const struct plan *p, size_t from, size_t actions_max, size_t bytes_max);
/* The end of the run of actions from `from` on, before `to`, that concern the same app. */
size_t plan_app(const struct plan *p, size_t from, size_t to);

/* epoch is written into every unit, wall_ms (Unix time) into records for people. The world must be
 * complete (all prefixes listed). Never NULL. */
struct plan *plan_make(const struct world *w, unit_digest_fn *digest, int64_t epoch,
                       uint64_t now_ms, uint64_t wall_ms);
void plan_free(struct plan *p); /* NULL is fine */

#endif
