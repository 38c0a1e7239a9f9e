/* SPDX-License-Identifier: MIT */
/* Shared by the parts of the plan only: plan.c, rollout.c, machines.c. */
#ifndef SCHEDULER_CORE_PLANNER_H
#define SCHEDULER_CORE_PLANNER_H

#include "scheduler/core/placement.h"
#include "scheduler/core/plan.h"

struct planner {
    const struct world *world;
    unit_digest_fn *digest;
    int64_t epoch;
    uint64_t now_ms;
    uint64_t wall_ms;
    struct placement *placement; /* made on first use */
    struct deis_map *touched;    /* keys that the plan writes */
    struct plan *plan;
};

/* The note is printf-like. value is taken over; NULL deletes. A second action on a key is dropped:
 * what it wants comes with the next plan. */
void planner_act(struct planner *p, const char *key, char *value, int64_t guard, const char *note,
                 ...) deis_printf(5, 6);
/* Plan again at that time. */
void planner_wake(struct planner *p, uint64_t at_ms);
/* Has `since_ms` been `ms` ago? If not, plan again when it has. */
bool planner_elapsed(struct planner *p, uint64_t since_ms, uint64_t ms);
int planner_place(struct planner *p, const char *app, const char *type, const json_t *tags,
                  const char **ret_machine, struct deis_err *err) deis_must_check;
/* Write a unit anew with this desired state and machine. */
void planner_put_unit(struct planner *p, const struct world_unit *u, enum deis_desired desired,
                      const char *machine, const char *note);

/* rollout.c: bring the units of one app towards its formation. */
void rollout_plan(struct planner *p, const struct world_formation *f);
/* rollout.c: an app without a formation. */
void rollout_plan_gone(struct planner *p, const struct world_rollout *r);

/* machines.c: declare machines lost, or found again; move their units. */
void machines_plan(struct planner *p);

#endif
