/* SPDX-License-Identifier: MIT */
/* The process: main loop, table, workers and the parts on the main thread. thread: main */
#ifndef DEIS_ROUTER_ROUTER_H
#define DEIS_ROUTER_ROUTER_H

#include "router/core/route_file.h"
#include "router/edge.h"
#include "router/settings.h"
#include "router/worker.h"

#include "lib/crypto/secret.h"
#include "lib/net/loop.h"

struct access_bus;
struct admin;
struct certs;
struct deis_keys;
struct control;
struct drains;
struct firewall_load;
struct handover;
struct kept;
struct saved;
struct source;
struct ssh;
struct takeover;

struct router {
    struct settings settings;
    struct deis_loop *loop;
    struct sockets sockets;    /* listening; of no use once stopping or leaving */
    struct deis_workers *jobs; /* one thread for etcd calls and files */
    struct deis_keys *keys;    /* of the cluster; random when there is neither a file nor etcd */
    struct route_registry *registry;
    struct deis_key tag_key; /* of the names that clients get for units */
    struct route_model *model;
    struct route_table *table; /* the newest */
    uint64_t table_ms;         /* when it was made */
    uint64_t table_build_us;   /* how long that took */
    struct worker **workers;
    unsigned worker_count;
    unsigned workers_wanted; /* known once what is on disk was read */
    unsigned ended;          /* workers that have drained */
    bool live;               /* accepts connections */
    bool leaving;            /* another process does in our place */
    bool stopping;
    unsigned stop_ticks;
    unsigned stop_ticks_max;
    unsigned ended_ticks;
    atomic_int idle_wanted;
    struct deis_timer *stop_timer;
    struct saved *saved;    /* the table on disk */
    struct certs *certs;    /* NULL: no HTTPS */
    struct kept *kept;      /* NULL with --routes */
    struct route_seen seen; /* known from former lives too */
    struct firewall_load *firewall;
    struct edge_policy *policy;
    struct edge edge;
    unsigned connections_max; /* of each worker */
    struct access_bus *access_bus;
    struct admin *admin;
    struct control *control;
    struct drains *drains;
    struct handover *handover; /* NULL: nobody can take over */
    struct takeover *takeover; /* from a running process; NULL once live */
    struct deis_timer *leave_timer;
    char *leaving_name; /* in etcd, while leaving */
    int status;         /* that the process ends with */
    struct source *source;
    struct ssh *ssh;
};

/* Limits and what else the settings say about all apps, into m. */
void router_set_policy(const struct router *r, struct route_model *m);
/* Make a table of what the model knows now and hand it to the workers. False: nothing had changed.
 */
bool router_publish(struct router *r);
/* Use t, made from m, from now on. Takes both over. */
void router_take_table(struct router *r, struct route_model *m, struct route_table *t);
/* A table was made but is not used: go on with the present one. */
void router_keep_table(struct router *r);
/* Generation that all workers have at least. */
uint64_t router_adopted(const struct router *r);
/* All is ready: accept connections, and let others take over in turn. */
int router_go_live(struct router *r, struct deis_err *err) deis_must_check;
/* The process is to end within this time, when all that it has to finish is over. May be called
 * again with less. */
void router_end_within(struct router *r, uint64_t ms);
/* It can't go on: end with status 1. */
void router_give_up(struct router *r, const struct deis_err *err);

#endif
