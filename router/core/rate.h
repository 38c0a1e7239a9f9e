/* SPDX-License-Identifier: MIT */
/*
 * Requests of one address in a time, over all threads without a lock: for each address one word
 * with the moment until which it has used up what it may (generic cell rate algorithm). The table
 * has a fixed size; when many addresses meet in one place the one that is furthest from its limit
 * is forgotten, which errs in favour of the client. IPv6 counts by /64. Pure. thread: any
 */
#ifndef DEIS_ROUTER_RATE_H
#define DEIS_ROUTER_RATE_H

#include "lib/wire/ip.h"

struct rate;

struct rate *rate_new(void);
void rate_free(struct rate *r); /* NULL is fine */
/* Count one request, of which `burst` may come at once and `per_minute` in the long run. Returns 0,
 * or the ms after which the next one is let through; that request is not counted. */
uint64_t rate_take(struct rate *r, const struct deis_ip *ip, uint32_t per_minute, uint32_t burst,
                   uint64_t now_ms);

#endif
