/* SPDX-License-Identifier: MIT */
/* This machine in etcd: what it is, and, under a lease, that its agent is there. thread: loop */
#ifndef SCHEDULER_MACHINE_H
#define SCHEDULER_MACHINE_H

#include "scheduler/context.h"

/* The id given in the settings, or the one kept in the data folder, which is made when there is
 * none. Yours. thread: main */
int machine_id(const struct settings *s, char **ret, struct deis_err *err) deis_must_check;

struct machine;

/* DEIS_INVALID: the metadata of the settings is not "name=value,...". */
int machine_start(const struct context *ctx, struct machine **ret,
                  struct deis_err *err) deis_must_check;
void machine_stop(struct machine *m); /* NULL is fine */

#endif
