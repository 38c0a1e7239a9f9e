/* SPDX-License-Identifier: MIT */
/*
 * What the agent serves on the bus: one-off processes (agent.run, agent.run_*) and the last lines
 * of a unit (agent.unit_log). thread: loop
 */
#ifndef SCHEDULER_RUN_H
#define SCHEDULER_RUN_H

#include "scheduler/agent.h"

struct run_server;

int run_server_start(const struct context *ctx, struct runtime *rt, struct logship *logs,
                     struct agent *agent, struct run_server **ret,
                     struct deis_err *err) deis_must_check;
void run_server_stop(struct run_server *s); /* NULL is fine; processes that run go on */

#endif
