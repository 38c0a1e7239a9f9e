/* SPDX-License-Identifier: MIT */
/* At most so many at a time for each name, within this process; waiting has a deadline. thread: any
 */
#ifndef CONTROLLER_GATE_H
#define CONTROLLER_GATE_H

#include "lib/base/err.h"

struct gate;

struct gate *gate_new(unsigned width);
void gate_free(struct gate *g);
/* False when no place was free within timeout_ms. Every success needs one gate_leave(). */
bool gate_enter(struct gate *g, const char *name, uint64_t timeout_ms) deis_must_check;
void gate_leave(struct gate *g, const char *name);

#endif
