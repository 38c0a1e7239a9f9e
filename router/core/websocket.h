/* SPDX-License-Identifier: MIT */
/*
 * The opening handshake of WebSocket (RFC 6455 section 4) in the name of clients of HTTP/2, which
 * have none of their own (RFC 8441 section 5). Pure. thread: any
 */
#ifndef DEIS_ROUTER_WEBSOCKET_H
#define DEIS_ROUTER_WEBSOCKET_H

#include "lib/wire/h1.h"

enum { WEBSOCKET_KEY_LEN = 24 };

/* A Sec-WebSocket-Key of 16 bytes that nobody had before; it ends with NUL. */
void websocket_key(const uint64_t random[2], char out[WEBSOCKET_KEY_LEN + 1]);
/* Does a unit's 101 answer the request of this head, by Upgrade and Sec-WebSocket-Accept? */
bool websocket_is_accepted(const struct deis_h1_head *request, const struct deis_h1_head *answer);

#endif
