/* SPDX-License-Identifier: MIT */
/*
 * What the router knows, and the routing table made from it. Feed it each change, then build: only
 * the apps that changed are made anew. thread: main
 *
 * App units are routed while their unit says "run", their machine is not lost, and their state says
 * ready and names an address. An app that is known but has no endpoint keeps its host names (503);
 * host names of unknown apps are unknown (404). Platform services keep their last addresses until
 * another one is there.
 */
#ifndef DEIS_ROUTER_ROUTE_MODEL_H
#define DEIS_ROUTER_ROUTE_MODEL_H

#include "router/core/route_table.h"

/* Names that no app can have. */
#define ROUTE_CONTROLLER "@controller"
#define ROUTE_BUILDER    "@builder"

enum route_desired { ROUTE_RUN, ROUTE_DRAIN, ROUTE_STOP };

struct route_model;

struct route_model *route_model_new(struct route_registry *registry); /* borrowed */
void route_model_free(struct route_model *m);

/* The domain of all apps ("example.com") and the first label of the controller's host ("deis"). */
void route_model_set_domain(struct route_model *m, const char *domain);
void route_model_set_subdomain(struct route_model *m, const char *subdomain);
void route_model_set_limits(struct route_model *m, const struct route_limits *limits);
void route_model_set_gzip(struct route_model *m, const struct deis_gzip *gzip);
void route_model_set_firewall(struct route_model *m, const struct route_firewall *firewall);
/* Takes a ref. */
void route_model_set_https(struct route_model *m, struct route_https *https);

void route_model_set_app(struct route_model *m, const char *app, bool known);
/* An app's routing document; see route_policy_set(). */
int route_model_set_routing(struct route_model *m, const char *app, struct deis_str text,
                            struct deis_err *err) deis_must_check;
/* What the platform sets; err as in route_policy_set_defaults(). */
void route_model_set_defaults(struct route_model *m, const struct route_defaults *d,
                              struct deis_err *err);
/* A custom host name; app NULL removes it. */
void route_model_set_host(struct route_model *m, const char *host, const char *app);

struct route_unit {
    const char *app;
    const char *machine;
    enum route_desired desired;
    bool routable;
};

/* NULL removes. */
void route_model_set_unit(struct route_model *m, const char *unit, const struct route_unit *u);
/* What a machine says of a unit; address NULL or "": not ready. */
void route_model_set_state(struct route_model *m, const char *machine, const char *unit,
                           const char *address);
void route_model_set_machine_lost(struct route_model *m, const char *machine, bool lost);
/* An instance of the controller or the builder; address NULL: it went away. proxy_from: the ranges
 * whose connections to it begin with a PROXY header, or NULL. */
void route_model_set_service(struct route_model *m, const char *name, const char *instance,
                             const char *address, const char *proxy_from);

/* An app whose endpoints are given, for tables from files: known, endpoint added. */
void route_model_add_fixed(struct route_model *m, const char *app, enum route_kind kind,
                           const char *unit, const char *address, const char *proxy_from);
void route_model_clear_fixed(struct route_model *m, const char *app);

/* A new table, yours; NULL when nothing changed since the last. */
struct route_table *route_model_build(struct route_model *m, uint64_t generation);

/* --- units that are leaving --- */

/* How many are to go: what is below costs a look at each unit. */
size_t route_model_leaving(const struct route_model *m);
/* Walk all routable units: start with *cursor = 0. */
bool route_model_next_unit(const struct route_model *m, size_t *cursor, const char **ret_unit,
                           enum route_desired *ret_desired);
/* False when there is no such unit. */
bool route_model_unit(const struct route_model *m, const char *unit,
                      enum route_desired *ret_desired);

#endif
