/* SPDX-License-Identifier: MIT */
/*
 * The routing table: host name -> app -> endpoints. A table is an immutable snapshot, shared by all
 * workers; what it points to (apps, endpoints, counters) is shared between successive tables, so
 * that a change of one app among thousands copies pointers only. Everything is counted by
 * references; the registry alone creates and destroys endpoints and counters.
 */
#ifndef DEIS_ROUTER_ROUTE_TABLE_H
#define DEIS_ROUTER_ROUTE_TABLE_H

#include "router/core/latency.h"
#include "router/core/route_hosts.h"
#include "router/core/route_policy.h"

#include "lib/base/map.h"
#include "lib/model/gzip.h"

#include <stdatomic.h>

/* One address of one unit. Text and address never change; the atomics are shared by all threads. */
struct route_endpoint {
    atomic_uint refs;
    atomic_int in_flight; /* requests and upgraded connections, over all workers */
    atomic_bool retired;  /* not in the newest table: keep no idle connection to it */
    atomic_uint failures; /* in a row */
    _Atomic uint64_t ejected_until_ms;
    _Atomic uint64_t since_ms; /* when it was first looked at for its weight; 0: not yet */
    uint64_t tag;  /* names its unit to clients that stick to it; 0: none needed so far */
    uint32_t slot; /* small number, unique among the endpoints that exist */
    unsigned uses; /* built apps that hold it; thread: main */
    bool v6;
    uint16_t port;
    uint8_t ip[16]; /* 4 or 16 bytes, network order */
    char *unit;
    char *address;    /* "172.18.0.5:5000" */
    char *proxy_from; /* of a builder: the ranges whose connections to it begin with a PROXY header,
                       * without blanks; NULL: none */
};

enum { ROUTE_CACHE_LINE = 64 };

/* Counters of an app, kept over all its versions. */
struct route_stats {
    /* Workers take turns with these lines of the cache: what each request writes is in the first
     * two. */
    _Alignas(ROUTE_CACHE_LINE) atomic_uint refs;
    atomic_int in_flight;        /* requests; no more when they became connections */
    atomic_int connections;      /* upgraded, and requests that ask for it */
    _Atomic uint64_t answers[6]; /* by class; [0]: the client left before its answer */
    _Atomic uint64_t latency_us; /* all times together */
    _Atomic uint64_t bytes_out;  /* of bodies */
    _Atomic uint64_t bytes_in;
    _Atomic uint64_t latency[LATENCY_BUCKETS]; /* requests by their time */
    struct rate *rate;   /* NULL: no limit has been set so far; thread: main makes it */
    struct crowd *crowd; /* likewise */
};

enum route_kind {
    ROUTE_APP,
    ROUTE_PLATFORM, /* the controller, the builder: not an app of a user */
};

struct route_app {
    atomic_uint refs;
    enum route_kind kind;
    char *name;
    struct route_stats *stats;
    unsigned wanted; /* units that should run; > 0 with no endpoint: none is ready */
    struct route_settings *settings; /* NULL: none */
    uint8_t *weights;                /* of the endpoints, 0 to 100; NULL: all the same */
    atomic_bool warm;                /* no endpoint is in its slow start any more */
    size_t count;
    struct route_endpoint *endpoints[];
};

struct route_limits {
    uint64_t body_max;          /* bytes of a request body */
    uint64_t answer_timeout_ms; /* silence of the unit while its answer is awaited or streamed */
};

/* What the firewall does with requests to apps. */
struct route_firewall {
    bool on;           /* for apps that don't say */
    int status;        /* of what is blocked */
    uint64_t body_max; /* bytes of a body that are held and examined */
};

/* What the listener for HTTPS needs, made by others and embedded in theirs. Never changes. */
struct route_https {
    atomic_uint refs;
    void (*on_free)(struct route_https *h); /* thread: any */
    bool enforce;                           /* plain requests are sent to HTTPS */
    size_t hsts_len;                        /* 0: none */
    size_t hsts_app_len;                    /* for an app that asks for it; never 0 */
    char hsts[96];               /* the field's line for answers over HTTPS, with its end */
    struct deis_map *challenges; /* see challenges.h; NULL: none */
};

/* Apps stand in groups, so that a table that differs in one app shares all groups but one. */
enum { ROUTE_GROUP = 64 };

struct route_group {
    atomic_uint refs;
    size_t count;
    struct route_app *apps[ROUTE_GROUP];
};

struct route_table {
    atomic_uint refs;
    uint64_t generation;
    struct route_limits limits;
    struct route_hosts *hosts;
    struct route_https *https;      /* NULL: there is none */
    struct deis_gzip gzip;          /* which answers are compressed; before sharing only */
    struct route_firewall firewall; /* likewise */
    bool examines;                  /* requests to an app of it, or of a former one */
    size_t app_count;
    struct route_group *groups[];
};

static inline struct route_app *route_table_at(const struct route_table *t, size_t i)
{
    return t->groups[i / ROUTE_GROUP]->apps[i % ROUTE_GROUP];
}

/* --- registry. thread: main --- */

struct route_registry;

struct route_registry *route_registry_new(void);
/* How a unit is named to clients: the same in all routers, nothing that they can guess, not 0. */
void route_registry_set_tagger(struct route_registry *r,
                               uint64_t (*tag)(const char *unit, void *arg), void *arg);
void route_registry_free(struct route_registry *r); /* no table, no request may be left */

/* The endpoint of this unit at this address ("1.2.3.4:80", "[::1]:80") that wants PROXY headers
 * from these ranges (NULL: none): yours, unref it. NULL when the address is none. */
struct route_endpoint *route_registry_endpoint(struct route_registry *r, const char *unit,
                                               const char *address, const char *proxy_from);
struct route_stats *route_registry_stats(struct route_registry *r, const char *app); /* yours */
/* Give the endpoint its tag, unless it has one. Before a table is shared that makes use of it. */
void route_registry_tag(struct route_registry *r, struct route_endpoint *e);
/* Something may have lost its last reference. */
void route_registry_mark(struct route_registry *r);
/* Forget endpoints and counters that nothing refers to any more, if there may be some. False: some
 * that are retired are still in use; try again later. */
bool route_registry_sweep(struct route_registry *r);
uint32_t route_registry_slots(const struct route_registry *r); /* above every slot in use */
/* Requests in flight to all endpoints of a unit. */
int route_registry_in_flight(const struct route_registry *r, const char *unit);

/* --- references. thread: any --- */

void route_endpoint_ref(struct route_endpoint *e);
void route_endpoint_unref(struct route_endpoint *e);
void route_stats_unref(struct route_stats *s);
void route_app_ref(struct route_app *a);
void route_app_unref(struct route_app *a); /* NULL is fine */
struct route_table *route_table_ref(struct route_table *t);
void route_table_unref(struct route_table *t); /* NULL is fine */

/* Takes refs of stats and endpoints. */
struct route_app *route_app_new(const char *name, enum route_kind kind, unsigned wanted,
                                struct route_stats *stats, struct route_endpoint **endpoints,
                                size_t count);

/* Before sharing only. Takes a ref; NULL is fine. */
void route_app_set_settings(struct route_app *a, struct route_settings *s);

void route_https_unref(struct route_https *h); /* NULL is fine */

/* A new table; takes refs of hosts, apps and https (which may be NULL). */
struct route_table *route_table_new(uint64_t generation, const struct route_limits *limits,
                                    struct route_hosts *hosts, struct route_https *https,
                                    struct route_app *const *apps, size_t app_count);
/* As old, but for these apps (count of them, at these indexes), limits, hosts and https. */
struct route_table *route_table_change(const struct route_table *old, uint64_t generation,
                                       const struct route_limits *limits, struct route_hosts *hosts,
                                       struct route_https *https, const uint32_t *indexes,
                                       struct route_app *const *apps, size_t count);

/* --- use. thread: any --- */

/* Lower case, without port and final dot; the length, 0 when it is empty or too long. */
size_t route_host_normalise(struct deis_str host, char out[ROUTE_HOST_MAX + 1]);
/* The app of a normalised host, or NULL; borrowed from the table. */
struct route_app *route_table_find(const struct route_table *t, struct deis_str host);
struct route_app *route_table_app(const struct route_table *t, const char *name); /* linear */

/*
 * Choose an endpoint: of two at random the one with fewer requests in flight, leaving out those
 * that were tried and, while another is left, those that are ejected. NULL when all were tried.
 */
struct route_endpoint *route_app_pick(const struct route_app *a, uint64_t now_ms, uint64_t random,
                                      struct route_endpoint *const *tried, size_t tried_count);

/* What a client asks for by an app's settings: the unit it has a cookie for, or the value of the
 * query variable that always leads to the same one. 0: nothing. */
struct route_wish {
    uint64_t tag;
    uint64_t value; /* of route_wish_value() */
};

uint64_t route_wish_value(struct deis_str value); /* 0 for none */

/* As route_app_pick() for an app with settings: wishes, weights, slow start. */
struct route_endpoint *route_app_choose(struct route_app *a, const struct route_wish *wish,
                                        uint64_t now_ms, uint64_t random,
                                        struct route_endpoint *const *tried, size_t tried_count);

/* A connection failed: put the endpoint aside for a while, longer each time. */
void route_endpoint_eject(struct route_endpoint *e, uint64_t now_ms);
/* It closed without an answer: put aside, and true, after three times in a row. */
bool route_endpoint_suspect(struct route_endpoint *e, uint64_t now_ms);
void route_endpoint_good(struct route_endpoint *e);

/* "1.2.3.4:80" or "[::1]:80". */
bool route_address_parse(struct deis_str text, uint8_t ip[16], bool *ret_v6, uint16_t *ret_port);

#endif
