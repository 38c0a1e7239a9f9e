/* SPDX-License-Identifier: MIT */
/* The documents in etcd, read into the model. Pure: key and text in. thread: main */
#ifndef DEIS_ROUTER_ROUTE_DOCS_H
#define DEIS_ROUTER_ROUTE_DOCS_H

#include "router/core/route_model.h"

enum { ROUTE_DOCS_PREFIXES = 10 };

/* What is watched, below /deis/. */
extern const char *const route_docs_prefixes[ROUTE_DOCS_PREFIXES];

/* One key of one of these prefixes changed; value NONE: it was deleted. DEIS_INVALID: the document
 * can't be read, the former one stays in effect. Keys that say nothing about routes are ignored. */
int route_docs_apply(struct route_model *m, const char *key, struct deis_str value,
                     struct deis_err *err) deis_must_check;

#endif
