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

enum unit_h2_begun {
    UNIT_H2_BEGUN,
    UNIT_H2_LATER,      /* once unit_h2_is_due(): the unit has to say first whether it can */
    UNIT_H2_CANNOT,     /* it takes no WebSockets (RFC 8441 section 3) */
    UNIT_H2_NO_REQUEST, /* the head is no opening handshake of a WebSocket, which it seems to be */
    UNIT_H2_FULL,       /* this connection takes no more requests */
};

/*
 * Begin a request: head as it is to be sent. trailers: the client takes them. One that asks for a
 * WebSocket, by Upgrade, becomes an extended CONNECT (RFC 8441 section 4); if that is granted a 101
 * is read, and then both bodies are bytes as they come. Until then exchange.request_done does not
 * end the request.
 */
enum unit_h2_begun unit_h2_request(struct unit_h2 *h, const struct deis_h1_head *head,
                                   bool trailers);
/* What was to begin later can begin now. */
bool unit_h2_is_due(const struct unit_h2 *h);

enum unit_h2_sent {
    UNIT_H2_SENT,   /* all that is to go now */
    UNIT_H2_HELD,   /* the socket, or the unit's windows, take no more; called again when they do */
    UNIT_H2_BROKEN, /* errno says why */
};

/* Send what can be sent. The exchange's to_unit is released when it is empty. */
enum unit_h2_sent unit_h2_send(struct unit_h2 *h);
/* As recv(): 0 is the end of the answer. */
ssize_t unit_h2_recv(struct unit_h2 *h, void *data, size_t len);
/* Take in what the unit has sent, while nobody reads the answer: its windows limit that, and the
 * request goes on. False: nothing more is to be had. */
bool unit_h2_read_on(struct unit_h2 *h);
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
/* Memory of what is held on its way from and to the unit. */
size_t unit_h2_buffers(const struct unit_h2 *h);
/* The exchange is over: may the connection be kept? */
bool unit_h2_is_reusable(const struct unit_h2 *h);
/* Something came while it was idle. False: close it. */
bool unit_h2_on_idle(struct unit_h2 *h);

#endif
