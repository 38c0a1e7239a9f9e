/* SPDX-License-Identifier: MIT */
/*
 * Inside route_model*.c only: what the model holds. route_model.c takes changes up and marks what
 * is to be made anew; route_model_build.c makes it.
 */
#ifndef DEIS_ROUTER_ROUTE_MODEL_PRIV_H
#define DEIS_ROUTER_ROUTE_MODEL_PRIV_H

#include "router/core/route_model.h"

enum {
    MODEL_ENDPOINTS_MAX = 10000,
    MODEL_CHANGED_MAX = 512, /* more hosts at once are worth a map made anew */
};

struct m_place {
    char *unit;
    char *address;
    char *proxy_from; /* NULL: none */
    bool gone;        /* a service that went away: used until another one is there */
};

struct m_unit {
    char *name;
    struct m_app *app;
    char *machine;
    enum route_desired desired;
    bool routable;
    struct m_unit *next; /* of the same app */
};

struct m_app {
    char *name;
    bool known;
    enum route_kind kind;
    struct m_unit *units;
    struct m_place *fixed;
    size_t fixed_count;
    bool dirty;
    struct m_app *dirty_next;
    uint32_t index; /* in the table */
    struct route_app *built;
};

struct route_model {
    struct route_registry *registry;
    struct deis_map *apps;   /* name -> m_app */
    struct deis_map *units;  /* name -> m_unit */
    struct deis_map *states; /* "machine/unit" -> address */
    struct deis_map *lost;   /* machine -> anything */
    struct deis_map *hosts;  /* host -> app name */
    struct route_policy *policy;
    char *domain;
    char *subdomain;
    struct route_limits limits;
    struct deis_gzip gzip;
    struct route_firewall firewall;
    bool examines;                    /* as in a table, by what apps say */
    bool hosts_dirty;                 /* names or the set of apps */
    char *changed[MODEL_CHANGED_MAX]; /* hosts, if no others have changed */
    size_t changed_count;
    size_t leaving;    /* units that are to go */
    bool limits_dirty; /* or https, gzip, firewall */
    struct route_https *https;
    struct m_app *dirty; /* apps to be made anew */
    struct route_table *last;
};

/* route_model.c: m->changed is empty then. */
void route_model_forget_changed(struct route_model *m);
/* route_model_build.c: no table to come has this version of an app; NULL is fine. */
void route_model_release_app(struct route_app *a);

#endif
