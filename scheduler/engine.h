/* SPDX-License-Identifier: MIT */
/*
 * The engine: one process in the cluster, elected by a leased key, decides which unit runs where.
 * All it knows comes from etcd, all its writes hold only while its leader key stands. thread: loop
 */
#ifndef SCHEDULER_ENGINE_H
#define SCHEDULER_ENGINE_H

#include "scheduler/context.h"

struct engine;

struct engine *engine_start(const struct context *ctx);
/* Gives the leadership up. */
void engine_stop(struct engine *e); /* NULL is fine */

#endif
