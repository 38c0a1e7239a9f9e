/* SPDX-License-Identifier: MIT */
/* Carrying an operation that stands in etcd to its end. thread: workers */
#ifndef CONTROLLER_CARRY_H
#define CONTROLLER_CARRY_H

#include "controller/apps.h"
#include "controller/live.h"

/* From its step to its outcome; live (may be NULL) hears of the progress and the end.
 * DEIS_CANCELLED: the process stops. DEIS_UNAVAILABLE: the store stayed away; the operation stands
 * and is taken up again. */
int carry(struct ctl *ctl, const struct operation *op, struct live *live, struct outcome *ret,
          struct deis_err *err) deis_must_check;
/* Wait for the outcome of an operation that somebody else carries. */
int carry_watch(struct ctl *ctl, const char *id, const char *app, struct outcome *ret,
                struct deis_err *err) deis_must_check;
/* DEIS_NOT_FOUND: none. */
int carry_outcome(struct ctl *ctl, const char *id, struct outcome *ret,
                  struct deis_err *err) deis_must_check;

#endif
