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
/* Register in etcd: connections are accepted from now on. NULL is fine. */
void source_register(struct source *s);
/* Be there as a second router of that name, too, while what is left comes to its end. */
void source_register_leaving(struct source *s, const char *name);
bool source_leaving_registered(const struct source *s); /* NULL: true */
int64_t source_leaving_lease(const struct source *s);   /* 0: none now */
/* Stay under one of the two names alone. NULL is fine. */
void source_keep_leaving(struct source *s);
void source_keep_instance(struct source *s);
void source_unregister(struct source *s); /* take both out of services/. NULL is fine */
void source_stop(struct source *s);       /* NULL is fine */
struct deis_etcd *source_etcd(struct source *s);
struct deis_directory *source_directory(struct source *s); /* NULL once unregistered */
/* The certificates have changed by themselves: publish soon. */
void source_refresh(struct source *s);
/* Everything was read, and what the table says is what etcd says. */
bool source_synced(const struct source *s);
/* The table stays although etcd, older than it was, says something else. NULL is fine */
bool source_held(const struct source *s);

/* A document for the settings, the certificates, the challenges, or m's limits; NONE: there is
 * none. Others are ignored. */
void source_apply(struct router *r, struct route_model *m, const char *key, struct deis_str value);

#endif
