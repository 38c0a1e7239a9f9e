/* SPDX-License-Identifier: MIT */
/*
 * Leaving the platform. The account goes in one transaction, and with it all that it could do. What
 * hung on it (grants, keys, certificates, tokens) is taken away after that in steps, since there
 * may be more of it than a transaction takes; leaving/<user> stands until nothing is left, so that
 * any controller finishes what another one began, and nobody gets the name with what is left.
 * thread: workers
 */
#ifndef CONTROLLER_LEAVING_H
#define CONTROLLER_LEAVING_H

#include "controller/api.h"

/* DEIS_CONFLICT: the user is gone already, or owns apps. */
int leaving_begin(struct api *a, const char *user, struct deis_err *err) deis_must_check;
/* Take away what is left. A failure leaves the rest to leaving_look_after(). */
int leaving_finish(struct ctl *ctl, const char *user, struct deis_err *err) deis_must_check;
/* DEIS_CONFLICT: the user's things are just being taken away, so the name is not free. */
int leaving_check(struct ctl *ctl, const char *user, struct deis_err *err) deis_must_check;
/* Finish what was begun, by whom ever. */
void leaving_look_after(struct ctl *ctl);

#endif
