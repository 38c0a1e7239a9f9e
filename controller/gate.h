/* SPDX-License-Identifier: MIT */
/*
 * At most so many at a time for each name, within this process. Waiting has a deadline, and who
 * comes when too many wait already is turned away. thread: any
 */
#ifndef CONTROLLER_GATE_H
#define CONTROLLER_GATE_H

#include "lib/base/err.h"

struct gate;

struct gate *gate_new(unsigned width, unsigned waiting_max);
void gate_free(struct gate *g);
/* False when no place was free within timeout_ms, or too many wait for one. Every success needs one
 * gate_leave(). */
bool gate_enter(struct gate *g, const char *name, uint64_t timeout_ms) deis_must_check;
void gate_leave(struct gate *g, const char *name);

#endif
