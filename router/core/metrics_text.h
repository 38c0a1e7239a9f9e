/* SPDX-License-Identifier: MIT */
/* Prometheus' text format, version 0.0.4. Pure. thread: any */
#ifndef DEIS_ROUTER_METRICS_TEXT_H
#define DEIS_ROUTER_METRICS_TEXT_H

#include "router/core/route_table.h"

#include "lib/base/buf.h"

/* # HELP and # TYPE of a family; its samples follow. help: one line of plain text. */
void metrics_family(struct deis_buf *b, const char *name, const char *type, const char *help);
/* One sample; label NULL: none. */
void metrics_sample(struct deis_buf *b, const char *name, const char *label, const char *value,
                    uint64_t number);
/* A family with one sample without labels. */
void metrics_single(struct deis_buf *b, const char *name, const char *type, const char *help,
                    uint64_t number);
/* The same, in seconds with six digits. */
void metrics_seconds(struct deis_buf *b, const char *name, const char *type, const char *help,
                     uint64_t us);
/* All families of the apps of a table. Apps that had no request have no histogram. */
void metrics_apps(struct deis_buf *b, const struct route_table *t);

#endif
