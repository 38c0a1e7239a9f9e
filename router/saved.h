/* SPDX-License-Identifier: MIT */
/* The routing table on disk: read at the start, written a moment after each change. thread: main */
#ifndef DEIS_ROUTER_SAVED_H
#define DEIS_ROUTER_SAVED_H

#include "router/router.h"

/* Fill the model from <data>/routes. DEIS_NOT_FOUND: there is none yet. */
int saved_load(const char *data, struct route_model *m, struct deis_err *err) deis_must_check;
/* Save the newest table soon. */
void saved_changed(struct router *r);
/* Save it by the end of the router's jobs, if that is still to be done. */
void saved_flush(struct router *r);
/* Read a whole file of at most max bytes. */
int saved_read_file(const char *path, size_t max, struct deis_buf *ret,
                    struct deis_err *err) deis_must_check;
/* Put the text in the place of the file, at once and on disk; a new file gets this mode. Blocking.
 * thread: any */
int saved_write_file(const char *path, struct deis_str text, unsigned mode,
                     struct deis_err *err) deis_must_check;

#endif
