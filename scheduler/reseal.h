/* SPDX-License-Identifier: MIT */
/* Sealing the environments of units anew when the cluster key changes. thread: loop */
#ifndef SCHEDULER_RESEAL_H
#define SCHEDULER_RESEAL_H

#include "scheduler/context.h"
#include "scheduler/core/plan.h"

/* Adds writes to a plan that has none: of some units that run and are sealed with another key than
 * the one that every service seals with. Units on their way out are left alone, they go anyway. */
void reseal_units(struct plan *plan, const struct world *w, const struct context *ctx);

#endif
