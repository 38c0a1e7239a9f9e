/* SPDX-License-Identifier: MIT */
/* Places for requests that hold their thread until a rollout or a command ends: the other threads
 * are for the rest of the API, and no user has them all. thread: workers */
#ifndef CONTROLLER_WAITS_H
#define CONTROLLER_WAITS_H

#include "controller/ctl.h"

#define WAITS_MAX      48 /* at once */
#define WAITS_USER_MAX 24 /* of one user */

struct waits;

/* As many may queue for a place as there are spare threads. */
struct waits *waits_new(unsigned spare);
void waits_free(struct waits *w); /* NULL is fine */
/* Take a place, within the time. DEIS_CONFLICT: there is none, err says whose fault that is. */
int waits_enter(struct waits *w, const char *user, uint64_t timeout_ms,
                struct deis_err *err) deis_must_check;
void waits_leave(struct waits *w, const char *user);

#endif
