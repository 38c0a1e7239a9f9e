/* SPDX-License-Identifier: MIT */
/* What the shell of the logger shares. thread: loop */
#ifndef LOGGER_LOGGER_H
#define LOGGER_LOGGER_H

#include "logger/sources.h"
#include "logger/store.h"

#include "lib/net/bus.h"

struct logger_conf {
    char *etcd;
    char *key_file;
    char *instance;
    char *bus;
    char *data;
    uint64_t segment_bytes;
    uint64_t app_bytes;
    uint64_t total_bytes;
};

struct waiter;  /* a logger.read */
struct syncing; /* logger.append calls whose lines are being synced */

struct logger {
    struct logger_conf conf;
    struct deis_loop *loop;
    struct deis_workers *workers;
    struct deis_bus_server *bus;
    struct sources *sources;
    struct log_store *store;
    struct syncing *pending; /* appended, waiting for the next sync */
    bool sync_running;
    bool broken;            /* a sync failed: ends with a status of its own, saves nothing */
    bool stopping;          /* no new jobs: the workers are about to be freed */
    struct waiter *readers; /* in turn */
    struct waiter *waiters; /* for a line */
    size_t waiter_count;    /* of both */
    struct deis_timer *read_timer;
    uint64_t dropped; /* lines refused for a bad app or process name */
};

/* ingest.c */
void logger_append(struct deis_bus_call *call, const ProtobufCMessage *msg, void *arg);

void logger_syncs_end(struct logger *l); /* sync and answer what waits; after the workers */

/* query.c */
void logger_read(struct deis_bus_call *call, const ProtobufCMessage *msg, void *arg);
void logger_delete(struct deis_bus_call *call, const ProtobufCMessage *msg, void *arg);
void logger_wake(struct logger *l, struct deis_str app); /* the app has new lines */
void logger_readers_start(struct logger *l);
void logger_readers_end(struct logger *l); /* they are told that the logger stops */

#endif
