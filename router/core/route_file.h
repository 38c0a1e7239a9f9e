/* SPDX-License-Identifier: MIT */
/*
 * Tables as text. Static: lines "HOST ADDR:PORT", a host may stand on several lines, '#' starts a
 * comment. Saved: what the router keeps on disk for a start without etcd; versioned, closed by a
 * checksum, so that a torn or foreign file is refused as a whole. Behind it may stand changes, one
 * after the other, each with a checksum of its own. Both say which etcd they are from.
 * thread: main; saving: any
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

/* The etcd that a table is from. */
struct route_seen {
    int64_t revision; /* the highest that was seen */
    uint64_t cluster; /* 0: none yet */
};

/* A table, and what was seen when it was in use. */
struct route_saved {
    const struct route_table *table;
    struct route_seen seen;
};

void route_file_save(const struct route_saved *s, struct deis_buf *out);
/* What is to be put behind a saved table and the changes that are there already, so that it becomes
 * another one; nothing when it is that already. False: too much is different, save it as a whole.
 */
bool route_file_save_changes(const struct route_saved *from, const struct route_saved *to,
                             struct deis_buf *out);
/* Into an empty model. 1: all but changes at the end, which are torn. ret_seen stays as it is if
 * the file does not say it. */
int route_file_load(struct route_model *m, struct deis_str text, struct route_seen *ret_seen,
                    struct deis_err *err) deis_must_check;

/* FNV-1a: tells a torn file from a whole one; it is no protection against anybody. */
uint64_t route_file_checksum(struct deis_str s);

#endif
