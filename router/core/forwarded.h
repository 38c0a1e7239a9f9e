/* SPDX-License-Identifier: MIT */
/* Whose request it is when another proxy stands in front: X-Forwarded-For, -Proto, -Port. thread:
 * any */
#ifndef DEIS_ROUTER_FORWARDED_H
#define DEIS_ROUTER_FORWARDED_H

#include "lib/wire/h1.h"
#include "lib/wire/ip.h"

struct forwarded {
    struct deis_ip ip;      /* of the client */
    struct deis_str client; /* the same as text; a view of the head when it comes from there */
    struct deis_str port;   /* NONE: that of our listener */
    bool https;             /* the client's own connection is secure */
};

/*
 * f holds what the connection itself says; fill in what its peer, which is in `believed`, says of
 * the request. The client is the last address of X-Forwarded-For that is not in `believed` (those
 * after it are proxies, those before it are what the client claims); one that is no address ends
 * the search. The last word of the last X-Forwarded-Proto counts, if it is http or https; a
 * connection over TLS stays https.
 */
void forwarded_read(const struct deis_h1_head *head, const struct deis_cidrs *believed,
                    struct forwarded *f);

#endif
