/* SPDX-License-Identifier: MIT */
/*
 * How many connections, or requests, each address has open, over all threads without a lock. The
 * table has a fixed size; where more addresses meet in one place than it holds, the late ones are
 * let in uncounted: the limit of all still holds for them. IPv6 counts by /64, which is what one
 * customer gets. Pure. thread: any
 */
#ifndef DEIS_ROUTER_CROWD_H
#define DEIS_ROUTER_CROWD_H

#include "lib/wire/ip.h"

#include <stdatomic.h>

struct crowd;

enum {
    CROWD_OF_ALL = 65536,   /* 512 KiB, of which only what is used takes memory */
    CROWD_OF_AN_APP = 8192, /* 64 KiB */
};

/* slots: a power of two, 8 bytes each. */
struct crowd *crowd_new(size_t slots);
void crowd_free(struct crowd *c); /* NULL is fine */

enum crowd_verdict {
    CROWD_IN,        /* counted: *ret_seat is to be given back */
    CROWD_UNCOUNTED, /* let in, *ret_seat is NULL */
    CROWD_FULL,      /* this address has as many as it may */
};

/* One more of this address, which may have max. */
enum crowd_verdict crowd_enter(struct crowd *c, const struct deis_ip *ip, uint32_t max,
                               _Atomic uint64_t **ret_seat);
void crowd_leave(_Atomic uint64_t *seat); /* NULL is fine */

#endif
