/* SPDX-License-Identifier: MIT */
/*
 * Watches over the platform's own containers (by a label, of the settings): one that has ended is
 * started again, unless it carries the label deis.hold. thread: loop
 */
#ifndef SCHEDULER_COMPONENTS_H
#define SCHEDULER_COMPONENTS_H

#include "scheduler/context.h"

struct components;

/* NULL when the settings name no label. */
struct components *components_start(const struct context *ctx);
void components_stop(struct components *c); /* NULL is fine */

#endif
