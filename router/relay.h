/* SPDX-License-Identifier: MIT */
/*
 * Carries bytes both ways between two sockets until both ends are closed: upgraded connections and
 * SSH. Half-closes are passed on; what one side can't take yet is held (one read at most) and the
 * other is not read meanwhile. thread: the loop of base
 */
#ifndef DEIS_ROUTER_RELAY_H
#define DEIS_ROUTER_RELAY_H

#include "router/bufpool.h"
#include "router/deadline.h"

#include <event2/event.h>
#include <event2/event_struct.h>

struct relay_side {
    int fd;
    struct tls_conn *tls; /* NULL: plain; freed at the end */
    struct event readable;
    struct event writable;
    struct bytes held; /* for this side */
    uint64_t held_ms;  /* since when it has taken none of that */
    bool ended;        /* nothing more comes from it */
    bool shut;         /* told that nothing more comes */
    uint64_t bytes;    /* written to it */
};

struct relay {
    struct relay_side side[2];
    struct deadline deadline; /* in the list given, renewed lazily */
    struct deadline_list *idle;
    uint64_t last_ms;
    char *scratch; /* borrowed, shared by all relays of the loop */
    size_t scratch_len;
    struct bufpool *pool; /* of what is held; likewise */
    /* More is held: the pool may be over its limit. Not to close a relay from here. NULL is fine */
    void (*on_held)(void *arg);
    void (*on_done)(struct relay *r, void *arg); /* both sockets are closed; free it here */
    void *arg;
};

/* Start with zeroed r but tls, idle, scratch, scratch_len, pool, on_*, arg set. Takes over both
 * sockets. A failure is reported by on_done, perhaps before return. */
void relay_start(struct relay *r, struct event_base *base, int fd0, int fd1);
/* Before relay_start(): bytes that are to go to a side first. False: that is more than may be held.
 */
bool relay_preload(struct relay *r, int side, const void *data, size_t len);
void relay_close(struct relay *r); /* at once; calls on_done */

/* For on_expired of the idle list: closes r, or puts it back when it was active meanwhile. */
void relay_expired(struct relay *r, uint64_t now_ms);

#endif
