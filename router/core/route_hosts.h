/* SPDX-License-Identifier: MIT */
/*
 * Host name -> a small number (in the table: which app; for HTTPS: which certificate). Never
 * changed once it is shared. Names stand in groups by their hash, and a copy shares them all: what
 * is then changed in the copy costs the groups concerned, however many names there are.
 */
#ifndef DEIS_ROUTER_ROUTE_HOSTS_H
#define DEIS_ROUTER_ROUTE_HOSTS_H

#include "lib/base/str.h"

#define ROUTE_HOST_MAX 253

struct route_hosts;

struct route_hosts *route_hosts_new(size_t expected);
/* One that can be changed. */
struct route_hosts *route_hosts_copy(const struct route_hosts *h);
struct route_hosts *route_hosts_ref(struct route_hosts *h); /* thread: any */
void route_hosts_unref(struct route_hosts *h);              /* NULL is fine. thread: any */

/* --- before sharing only --- */

/* A host in lower case, without a port. "*.example.com" stands for every name with one label more
 * that has no entry of its own (RFC 6125 section 6.4.3), not for example.com. False when the host
 * is taken, or no name. */
bool route_hosts_add(struct route_hosts *h, struct deis_str host, uint32_t number);
/* The same, in the place of what it had. */
void route_hosts_set(struct route_hosts *h, struct deis_str host, uint32_t number);
void route_hosts_remove(struct route_hosts *h, struct deis_str host); /* if it is there */

/* --- use. thread: any --- */

/* What the host has, or the wildcard that stands for it. */
bool route_hosts_find(const struct route_hosts *h, struct deis_str host, uint32_t *ret_number);
/* What this very name has. */
bool route_hosts_get(const struct route_hosts *h, struct deis_str host, uint32_t *ret_number);
size_t route_hosts_count(const struct route_hosts *h);
/* Walk: start with *cursor = 0. */
bool route_hosts_next(const struct route_hosts *h, size_t *cursor, struct deis_str *ret_host,
                      uint32_t *ret_number);
/* Give `each` the hosts that `to`, a copy that was changed, has otherwise than `from`; number NULL:
 * it lacks them. False, and none is given: they don't share most of their groups. */
bool route_hosts_changes(const struct route_hosts *from, const struct route_hosts *to,
                         void (*each)(struct deis_str host, const uint32_t *number, void *arg),
                         void *arg);

#endif
