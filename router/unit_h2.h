/* SPDX-License-Identifier: MIT */
/*
 * HTTP/2 to a unit, without TLS, known beforehand (RFC 9113 section 3.3): what gRPC servers speak.
 * One request at a time on a connection, which is kept like those of HTTP/1.1. To the exchange it
 * reads like an HTTP/1.1 answer whose body goes on to the end: unit_h2_recv() gives the head as
 * text and then plain bytes. The request's body is taken from exchange.to_unit, as plain bytes.
 * thread: worker
 */
#ifndef DEIS_ROUTER_UNIT_H2_H
#define DEIS_ROUTER_UNIT_H2_H

#include "router/upstream.h"

struct unit_h2;
struct unit_h2_shared;

struct unit_h2 *unit_h2_new(struct upstream *u);
void unit_h2_free(struct unit_h2 *h); /* NULL is fine */
void unit_h2_shared_free(struct unit_h2_shared *shared);

/* Begin a request: head as it is to be sent. trailers: the client takes them. False: this
 * connection takes no more requests. */
bool unit_h2_request(struct unit_h2 *h, const struct deis_h1_head *head, bool trailers);

enum unit_h2_sent {
    UNIT_H2_SENT,   /* all that is to go now */
    UNIT_H2_HELD,   /* the socket, or the unit's windows, take no more; called again when they do */
    UNIT_H2_BROKEN, /* errno says why */
};

/* Send what can be sent. The exchange's to_unit is released when it is empty. */
enum unit_h2_sent unit_h2_send(struct unit_h2 *h);
/* As recv(): 0 is the end of the answer. */
ssize_t unit_h2_recv(struct unit_h2 *h, void *data, size_t len);
/* There is something to read although the socket may have nothing. */
bool unit_h2_has_more(const struct unit_h2 *h);
/* The answer's head was all of it. */
bool unit_h2_is_bodyless(const struct unit_h2 *h);
/* Trailers as lines, yours; may be empty. */
struct bytes unit_h2_take_trailers(struct unit_h2 *h);
/* Bytes of the request have gone out. */
bool unit_h2_has_sent(const struct unit_h2 *h);
/* The unit says that it has not begun with the request. */
bool unit_h2_is_refused(const struct unit_h2 *h);
/* The exchange is over: may the connection be kept? */
bool unit_h2_is_reusable(const struct unit_h2 *h);
/* Something came while it was idle. False: close it. */
bool unit_h2_on_idle(struct unit_h2 *h);

#endif
