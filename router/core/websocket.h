/* SPDX-License-Identifier: MIT */
/*
 * The opening handshake of WebSocket (RFC 6455 section 4) in the name of clients and units of
 * HTTP/2, which have none of their own (RFC 8441 section 5). Pure. thread: any
 */
#ifndef DEIS_ROUTER_WEBSOCKET_H
#define DEIS_ROUTER_WEBSOCKET_H

#include "lib/wire/h1.h"

enum { WEBSOCKET_KEY_LEN = 24, WEBSOCKET_ACCEPT_LEN = 28 };

/* A Sec-WebSocket-Key of 16 bytes that nobody had before; it ends with NUL. */
void websocket_key(const uint64_t random[2], char out[WEBSOCKET_KEY_LEN + 1]);
/* The Sec-WebSocket-Accept that a request of this head is granted by. False: it is no opening
 * handshake, for it has no key of that length. */
bool websocket_accept(const struct deis_h1_head *request, char out[WEBSOCKET_ACCEPT_LEN + 1]);
/* Does a unit's 101 answer the request of this head, by Upgrade and Sec-WebSocket-Accept? */
bool websocket_is_accepted(const struct deis_h1_head *request, const struct deis_h1_head *answer);

#endif
