/* SPDX-License-Identifier: MIT */
/*
 * Tells etcd how the units of this machine are: states/<machine>/<unit>. Written only when it
 * changes; while etcd is away the newest is kept and written when it is back. thread: loop
 */
#ifndef SCHEDULER_REPORT_H
#define SCHEDULER_REPORT_H

#include "scheduler/context.h"

struct report;

/* Once it is known what etcd holds about this machine on_seed is called for each state (texts are
 * borrowed), then on_seeded. Nothing is written before. */
struct report *report_start(const struct context *ctx,
                            void (*on_seed)(struct deis_str unit, struct deis_str text, void *arg),
                            void (*on_seeded)(void *arg), void *arg);
void report_stop(struct report *r); /* NULL is fine */
/* text is taken over; NULL removes the key. */
void report_set(struct report *r, const char *unit, char *text);
/* Write all of it once more: etcd may have lost what it took. */
void report_again(struct report *r);
/* What is or shall be there; NULL = nothing. Borrowed. */
const char *report_get(const struct report *r, const char *unit);
/* Remove the keys of units for which keep() is false. */
void report_prune(struct report *r, bool (*keep)(struct deis_str unit, void *arg), void *arg);

#endif
