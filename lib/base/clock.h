/* SPDX-License-Identifier: MIT */
/* Time, for shells only: logic in core/ gets it as an argument. thread: any */
#ifndef DEIS_BASE_CLOCK_H
#define DEIS_BASE_CLOCK_H

#include "lib/base/buf.h"

uint64_t deis_now_ms(void);  /* monotonic: for deadlines and ages */
uint64_t deis_now_us(void);
uint64_t deis_wall_ms(void); /* Unix time in ms: for people and records */
uint64_t deis_wall_us(void);

/* The two layouts of the API (both UTC), pure: */
void deis_time_format_model(uint64_t wall_ms, struct deis_buf *out); /* 2026-03-05T17:14:27UTC */
void deis_time_format_iso(uint64_t wall_us, struct deis_buf *out); /* 2026-03-05T17:14:27.123456Z */

#endif
