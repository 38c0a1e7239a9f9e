/* SPDX-License-Identifier: MIT */
/*
 * Where a new unit goes: of the machines that are present, have no verdict and carry the tags asked
 * for, the one with the fewest units of the same app and type, then of all units, then by id.
 * thread: one owner
 */
#ifndef SCHEDULER_CORE_PLACEMENT_H
#define SCHEDULER_CORE_PLACEMENT_H

#include "scheduler/core/world.h"

struct placement;

/* Counts the units of the world that are not being stopped. Borrows w for its life. */
struct placement *placement_new(const struct world *w);
void placement_free(struct placement *p);
/* Machine for a unit and count it there; borrowed. tags may be NULL. DEIS_UNAVAILABLE: no machine
 * is present at all, or all have a verdict; DEIS_NOT_FOUND: none of those present has the tags. */
int placement_pick(struct placement *p, const char *app, const char *type, const json_t *tags,
                   const char **ret_machine, struct deis_err *err) deis_must_check;

#endif
