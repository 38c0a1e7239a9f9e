/* SPDX-License-Identifier: MIT */
/* A mirror of what the engine says about each app's newest formation, to wait on. */
#ifndef CONTROLLER_ROLLOUTS_H
#define CONTROLLER_ROLLOUTS_H

#include "controller/ctl.h"

struct rollouts *rollouts_start(struct ctl *ctl); /* thread: loop */
void rollouts_stop(struct rollouts *r);           /* thread: loop; nobody waits any more */
/* End all waits at once: the process stops. thread: any */
void rollouts_cancel(struct rollouts *r);
bool rollouts_cancelled(struct rollouts *r);
/* Wait until the app's rollout differs from version *seen (0 at first), timeout_ms at most. *ret
 * gets a copy (clear it; app NULL = there is none); false: nothing new. thread: workers */
bool rollouts_wait(struct rollouts *r, const char *app, uint64_t *seen, uint64_t timeout_ms,
                   struct deis_rollout *ret);

#endif
