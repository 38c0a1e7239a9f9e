/* SPDX-License-Identifier: MIT */
/*
 * A worker: one thread with an event base, a listening socket and connections of its own. It shares
 * with the others only what struct route_table points to. The main thread hands it a new table by a
 * pointer and a wake-up. thread: worker, unless said otherwise
 */
#ifndef DEIS_ROUTER_WORKER_H
#define DEIS_ROUTER_WORKER_H

#include "router/access_log.h"
#include "router/bufpool.h"
#include "router/core/edge_policy.h"
#include "router/core/http_head.h"
#include "router/core/route_table.h"
#include "router/deadline.h"
#include "router/send_batch.h"
#include "router/sockets.h"
#include "router/splicer.h"
#include "router/tls.h"
#include "router/waits.h"

#include "lib/net/loop.h"
#include "lib/wire/h1.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <pthread.h>

struct client;
struct edge;
struct examiner;
struct exchange;
struct firewall_place;
struct gzip_pool;
struct h2_conn;
struct h2_shared;
struct unit_h2_shared;
struct upstream;

/* What each wait is bounded by. */
enum wait {
    WAIT_IDLE,      /* a client between requests */
    WAIT_HANDSHAKE, /* TLS, from the connection to its end */
    WAIT_HEAD,      /* a request head, from its first byte to its end */
    WAIT_BODY,      /* silence of a client that sends a body */
    WAIT_CLIENT,    /* a client that does not read */
    WAIT_CONNECT,   /* to a unit */
    WAIT_ANSWER,    /* silence of a unit */
    WAIT_UNIT,      /* the same while its client is not read: until that is looked at */
    WAIT_LINGER,    /* a client that is being closed */
    WAIT_STREAM,    /* silence on an upgraded stream of HTTP/2 */
    /* up to here it is a client that waits */
    WAIT_UPSTREAM,    /* an idle connection to a unit */
    WAIT_TUNNEL,      /* silence on an upgraded connection */
    WAIT_TUNNEL_UNIT, /* a unit that reads none of one: until that is looked at */
    WAIT_COUNT,
};

enum {
    WORKER_SCRATCH = 98304,
    WORKER_OUT = 163840, /* a head and the body bytes that came with it, written anew */
};

/* Idle connections to one endpoint. */
struct worker_slot {
    struct upstream *idle; /* the one used last is first */
    unsigned count;
};

/* Written by the worker, read by the main thread. */
struct worker_counters {
    _Atomic uint64_t accepted;
    _Atomic uint64_t refused;       /* over the limit of connections */
    _Atomic uint64_t refused_crowd; /* over that of an address */
    _Atomic uint64_t refused_rate;  /* more a second than an address may */
    _Atomic uint64_t shed;          /* lazy ones, for lack of room */
    _Atomic uint64_t exhausted;     /* times that no descriptor was to be had */
    _Atomic uint64_t requests;
    _Atomic uint64_t together; /* messages that were sent together */
    _Atomic uint64_t retries;
    _Atomic uint64_t bad_requests;
    _Atomic uint64_t handshakes_done;
    _Atomic uint64_t handshakes_failed;
    _Atomic uint64_t ejections;
    _Atomic uint64_t proxy_failed; /* connections of load balancers without a good PROXY header */
    _Atomic uint64_t h2_connections;
    _Atomic uint64_t h2_abuses;    /* HTTP/2 connections ended for what they cost */
    _Atomic uint64_t gzip_answers; /* compressed */
    _Atomic uint64_t gzip_refused; /* for lack of a compressor */
    _Atomic uint64_t examined;     /* requests, by the firewall */
    _Atomic uint64_t blocked;      /* of these */
    atomic_int connections;
    atomic_int tunnels;
    atomic_int checks; /* of the firewall, that the examiner has or is to make */
};

struct worker_opts {
    unsigned index;
    const struct sockets *sockets; /* this worker takes each worker_count-th, and owns it */
    unsigned worker_count;
    bool paused;   /* accept nothing before worker_resume() */
    bool io_uring; /* use it if it is to be had */
    struct tls_server *tls;
    struct edge_policy *policy; /* to begin with; borrowed */
    struct edge *edge;
    const struct firewall_place *firewall;
    size_t buffers_max; /* bytes; 0: any number */
    char https_port[8];
    unsigned connections_max;
    char port[8];  /* of the listener, as text */
    int access_fd; /* -1: none */
    bool access_ring;
    struct deis_loop *main_loop;
    /* All are posted to the main loop. */
    void (*on_adopted)(void *arg); /* a table was taken over */
    void (*on_idle)(void *arg);    /* an endpoint has nothing in flight while one is waited for */
    void (*on_access)(void *arg);  /* there are log lines */
    void (*on_ended)(void *arg);   /* the worker has drained; join it */
    atomic_int *idle_wanted;       /* > 0: on_idle is wanted */
    void *arg;
};

struct worker_listener {
    struct worker *worker;
    int fd;
    bool https;
    struct event ev;
};

struct worker {
    struct worker_opts opts;
    pthread_t thread;
    struct event_base *base;
    struct worker_listener *listeners;
    unsigned listener_count; /* 0: closed */
    struct event ev_wake;
    struct event ev_tick;
    bool ticking;
    bool accepting;
    bool paused;
    bool draining; /* each connection ends with what is under way on it */
    bool stopping; /* idle ones end too */
    int wake_fd;
    _Atomic(struct route_table *) pending;
    _Atomic uint64_t generation; /* of the table in use */
    atomic_bool resume;
    atomic_bool leave;
    atomic_bool stop;
    atomic_bool stop_now;
    struct route_table *table;
    _Atomic(struct edge_policy *) pending_policy;
    struct edge_policy *policy;
    struct deadline_list waits[WAIT_COUNT];
    struct waits own_waits;    /* of clients, as long as an app says */
    struct worker_slot *slots; /* by route_endpoint.slot */
    uint32_t slot_count;
    struct bufpool pool;
    struct splicer_pool pipes;
    struct send_batch sends;
    struct h2_conn *h2_conns;
    struct h2_shared *h2_shared; /* NULL until it is needed */
    struct unit_h2_shared *unit_h2_shared;
    struct gzip_pool *gzips;   /* NULL until it is needed */
    struct examiner *examiner; /* likewise */
    struct client *free_clients;
    unsigned free_client_count;
    struct exchange *free_exchanges;
    unsigned free_exchange_count;
    uint64_t random[2];
    uint64_t now_us;             /* monotonic, of the callback at work */
    struct deis_h1_head request; /* of the exchange that is being started */
    struct deis_h1_head answer;
    struct http_clock clock;
    struct access_log log;
    struct worker_counters counters;
    struct tls_tickets tickets;
    char *scratch;
    char *out;
};

/* thread: main */
struct worker *worker_start(const struct worker_opts *opts, struct route_table *table,
                            struct deis_err *err) deis_must_check;
void worker_give_table(struct worker *w, struct route_table *table); /* takes a ref */
void worker_give_policy(struct worker *w, struct edge_policy *p);    /* takes a ref */
void worker_resume(struct worker *w);
/* Another process accepts on the same sockets: accept no more, let connections end by themselves,
 * then end. worker_stop() may follow. */
void worker_leave(struct worker *w);
/* Finish what is in flight and end; now: end at once. */
void worker_stop(struct worker *w, bool now);
void worker_join(struct worker *w); /* waits for its end and frees it */

/* thread: worker */
void worker_wait(struct worker *w, enum wait wait, struct deadline *d);
/* Something holds bytes more: others may have to let go of theirs, soon. */
void worker_held_more(struct worker *w);
/* The same, but for own_ms if that is not 0. For deadlines of clients. */
void worker_wait_for(struct worker *w, enum wait wait, uint64_t own_ms, struct deadline *d);
/* At the start of each callback: sets now_us for all that it does. */
void worker_look_at_clock(struct worker *w);
uint64_t worker_random(struct worker *w);
struct worker_slot *worker_slot(struct worker *w, const struct route_endpoint *e);
/* One in flight less at an endpoint; it must not be used afterwards. */
void worker_release_endpoint(struct worker *w, struct route_endpoint *e);
/* A connection of a client is gone. */
void worker_connection_closed(struct worker *w);

#endif
