/* SPDX-License-Identifier: MIT */
/*
 * A connection that begins as an HTTP/1.1 request and goes on in another protocol after 101
 * (RFC 9110 section 7.8), plain or over TLS. For command-line programs. thread: one owner
 */
#ifndef DEIS_NET_HTTPC_UPGRADE_H
#define DEIS_NET_HTTPC_UPGRADE_H

#include "lib/net/httpc.h"

struct deis_tunnel;

/* Of req count: url, method, headers, connect_timeout_ms, answer_max, tls. 0: *ret (yours) stands
 * when it is not NULL, else the server answered otherwise: *answer has it, as from
 * deis_httpc_call(). Errors as there. Blocks, for 30 s after the connect at most. */
int deis_tunnel_open(const struct deis_httpc_request *req, const char *protocol,
                     struct deis_tunnel **ret, struct deis_httpc_answer *answer,
                     struct deis_err *err) deis_must_check;
void deis_tunnel_close(struct deis_tunnel *t); /* NULL is fine */
/* The socket, to be polled. Read until DEIS_TUNNEL_AGAIN before it is polled for input: TLS may
 * hold bytes back. */
int deis_tunnel_fd(const struct deis_tunnel *t);

enum { DEIS_TUNNEL_ENDED = 0, DEIS_TUNNEL_AGAIN = -1, DEIS_TUNNEL_BROKEN = -2 };

/* Bytes read or written at once, or one of the above; nothing blocks. */
ptrdiff_t deis_tunnel_read(struct deis_tunnel *t, char *data, size_t cap);
ptrdiff_t deis_tunnel_write(struct deis_tunnel *t, struct deis_str data);

#endif
