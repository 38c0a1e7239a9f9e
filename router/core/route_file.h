/* SPDX-License-Identifier: MIT */
/*
 * Tables as text. Static: lines "HOST ADDR:PORT", a host may stand on several lines, '#' starts a
 * comment. Saved: what the router keeps on disk for a start without etcd; versioned, closed by a
 * checksum, so that a torn or foreign file is refused as a whole. thread: main
 */
#ifndef DEIS_ROUTER_ROUTE_FILE_H
#define DEIS_ROUTER_ROUTE_FILE_H

#include "router/core/route_model.h"

#include "lib/base/buf.h"

#define ROUTE_FILE_MAX (UINT64_C(64) << 20)

/* DEIS_INVALID names the line; the model may then hold part of the file. */
int route_file_read_static(struct route_model *m, struct deis_str text,
                           struct deis_err *err) deis_must_check;
/* A static host's one endpoint. DEIS_INVALID: bad host or address, nothing changed. */
int route_file_set_static(struct route_model *m, const char *host, const char *address,
                          struct deis_err *err) deis_must_check;

void route_file_save(const struct route_table *t, struct deis_buf *out);
/* Into an empty model. */
int route_file_load(struct route_model *m, struct deis_str text,
                    struct deis_err *err) deis_must_check;

/* FNV-1a: tells a torn file from a whole one; it is no protection against anybody. */
uint64_t route_file_checksum(struct deis_str s);

#endif
