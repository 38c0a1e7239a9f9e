/* SPDX-License-Identifier: MIT */
/*
 * The agent: makes the containers of this machine what units/ says, and tells how they are. What
 * etcd said last is kept on disk, so that units come back without it. thread: loop
 */
#ifndef SCHEDULER_AGENT_H
#define SCHEDULER_AGENT_H

#include "scheduler/context.h"
#include "scheduler/logship.h"
#include "scheduler/runtime.h"

struct agent;

struct agent *agent_start(const struct context *ctx, struct runtime *rt, struct logship *logs);
/* Containers go on running. */
void agent_stop(struct agent *a); /* NULL is fine */
/* Id of the container of a unit, for its log; NULL = no such unit. Borrowed. */
const char *agent_container(const struct agent *a, const char *unit);
/* The last lines, each with a newline, of a unit that was removed lately; NULL = not known.
 * Borrowed. */
const char *agent_last_lines(const struct agent *a, const char *unit);
/* Told about each container of ours that is no unit's, as GET /containers/json lists it, and with
 * NULL at the end of each list; fn NULL ends that. */
void agent_on_container(struct agent *a, void (*fn)(const json_t *container, void *arg), void *arg);

#endif
