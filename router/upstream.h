/* SPDX-License-Identifier: MIT */
/* Connections to units, kept alive per worker and endpoint. thread: worker */
#ifndef DEIS_ROUTER_UPSTREAM_H
#define DEIS_ROUTER_UPSTREAM_H

#include "router/worker.h"

struct upstream {
    struct event readable;
    struct event writable;
    struct deadline deadline; /* while idle */
    struct worker *worker;
    struct route_endpoint *endpoint; /* one ref */
    struct exchange *exchange;       /* NULL while idle */
    struct unit_h2 *h2;              /* NULL: it speaks HTTP/1.1 */
    struct upstream *next;           /* in the slot's list of idle ones */
    struct upstream *prev;
    uint64_t idle_since_ms;
    uint64_t idle_until_ms; /* the unit said so */
    int fd;
    bool connected;
    bool reading;
    bool idle;      /* stands in its slot */
    bool may_pause; /* the kernel does not give it up while it takes nothing */
};

/* An idle connection, or NULL. careful: the request can't be repeated, so take only one that is
 * surely alive. h2: one that speaks HTTP/2. */
struct upstream *upstream_take_idle(struct worker *w, struct route_endpoint *e, bool careful,
                                    bool h2, uint64_t now_ms);
/* A new one, connecting. NULL with errno set: it failed at once. */
struct upstream *upstream_connect(struct worker *w, struct route_endpoint *e, bool h2);
/* As recv(). */
ssize_t upstream_recv(struct upstream *u, void *data, size_t len);
/* Has it sent more than was read, or ended? Not asked of HTTP/2, which says what is whose. */
bool upstream_has_input(const struct upstream *u);
/* The exchange is over and the connection can be used again. */
void upstream_keep(struct upstream *u, unsigned timeout_s);
/* The unit takes no more for now. When it has acknowledged what it was sent its machine is there,
 * and how long that may last is for the timeouts of the request to say. */
void upstream_allow_pause(struct upstream *u);
/* The same for a descriptor that was given up. *may_pause: has it been allowed? */
void upstream_allow_pause_of(int fd, bool *may_pause);
/* It takes again what it is sent. */
void upstream_end_pause_of(int fd, bool *may_pause);
void upstream_close(struct upstream *u);
/* Give up the descriptor and free the rest. */
int upstream_detach(struct upstream *u);
void upstream_read_enable(struct upstream *u, bool enable);
/* Close idle connections to endpoints that are retired; or all of them. */
void upstream_sweep(struct worker *w, bool all);
void upstream_on_deadline(struct deadline *d);

#endif
