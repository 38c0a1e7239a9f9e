/* SPDX-License-Identifier: MIT */
/*
 * Routes from etcd: watches what the table is made of and publishes each change. Until everything
 * was read once, the table from disk stays in use; when etcd goes away, the last one does. thread:
 * main
 */
#ifndef DEIS_ROUTER_SOURCE_H
#define DEIS_ROUTER_SOURCE_H

#include "router/router.h"

#include "lib/etcd/etcd.h"
#include "lib/model/directory.h"

struct source *source_start(struct router *r, struct deis_err *err) deis_must_check;
/* Take the address out of services/. */
void source_unregister(struct source *s);
void source_stop(struct source *s); /* NULL is fine */
struct deis_etcd *source_etcd(struct source *s);
struct deis_directory *source_directory(struct source *s); /* NULL once unregistered */
/* Everything was read, and what the table says is what etcd says. */
bool source_synced(const struct source *s);
/* The table stays although etcd, older than it was, says something else. NULL is fine */
bool source_held(const struct source *s);

/* A kept document, NONE: there is none. It goes to the settings, the certificates and m. */
void source_apply(struct router *r, struct route_model *m, const char *key, struct deis_str value);
/* The kept document that says up to which revision etcd was seen, and its cluster. */
#define SOURCE_SEEN "revision"

#endif
