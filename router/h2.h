/* SPDX-License-Identifier: MIT */
/*
 * HTTP/2 to clients (RFC 9113), framed by nghttp2. A connection is a struct client whose bytes go
 * through a session; each stream is a struct client of its own, which the exchange can't tell from
 * a connection but in the calls below: its body is read by client_recv(), its answer is handed over
 * field by field and then as plain bytes. Back-pressure is flow control: a body is credited when
 * the exchange has read it, an answer is read from the unit when the former bytes are gone.
 * thread: worker
 */
#ifndef DEIS_ROUTER_H2_H
#define DEIS_ROUTER_H2_H

#include "router/client.h"

#include <sys/uio.h>

enum {
    H2_STREAMS_MAX = 100,               /* at once on a connection */
    H2_STREAM_WINDOW = 128 * 1024,      /* body bytes that a stream may have under way */
    H2_CONNECTION_WINDOW = 1024 * 1024, /* and all of them together */
    H2_HELD_MAX = 256 * 1024, /* held answer bytes of a connection; beyond it small pieces are read
                               */
    H2_PIECE = 16 * 1024,
    H2_TAKEN_MAX = 32 * 1024, /* of a body, taken by the exchange at once */
};

struct h2_conn;
struct h2_stream;

/* The names of the protocol as the first bytes of a plain connection (RFC 9113 section 3.4). */
bool h2_is_preface(struct deis_str head);

/* --- connections --- */

/* The connection speaks HTTP/2 from now on; data are its first bytes, if they were read already.
 * The client may be freed. */
void h2_start(struct client *c, const char *data, size_t len);
void h2_on_readable(struct client *c);
void h2_on_deadline(struct client *c);
/* The connection is closed: ends all exchanges. */
void h2_free(struct h2_conn *conn);
/* Bytes of buffers that the connection itself holds, and a head that is coming in. */
size_t h2_buffers(const struct h2_conn *conn);
/* The worker is to end: say so to all clients, and let the streams that are open finish. */
void h2_drain(struct worker *w);
void h2_close_all(struct worker *w);
/* What all sessions of the worker share. */
void h2_shared_free(struct h2_shared *shared); /* NULL is fine */

/* --- streams, for the exchange --- */

struct client *h2_stream_connection(const struct h2_stream *s);
/* As recv(): 0 is the end of the body. */
ssize_t h2_stream_recv(struct h2_stream *s, void *data, size_t len);
/* Bytes of buffers with a body that is not taken. */
size_t h2_stream_buffers(const struct h2_stream *s);
void h2_stream_read_enable(struct h2_stream *s, bool enable);
/* Pass on a 1xx answer. */
void h2_stream_interim(struct h2_stream *s, const struct deis_h1_head *head);
/* The head of the answer. hsts: the line of Strict-Transport-Security, unless the app has its own;
 * extra: one more line. Both may be of no length. */
void h2_stream_head(struct h2_stream *s, const struct deis_h1_head *head, struct deis_str hsts,
                    struct deis_str extra);
/* The upgrade that it asked for is granted (RFC 8441 section 5); head: the unit's 101. */
void h2_stream_accept(struct h2_stream *s, const struct deis_h1_head *head);
/* A whole answer as text of HTTP/1.1. */
void h2_stream_answer(struct h2_stream *s, struct deis_str text, struct deis_str method);
/* Body bytes of the answer. False: the exchange is over. */
bool h2_stream_send(struct h2_stream *s, const struct iovec *iov, int count);
/* Bytes of the answer that may be read at once. */
size_t h2_stream_room(const struct h2_stream *s);
/* The answer is complete: has its end been sent? If not it will be. */
bool h2_stream_end(struct h2_stream *s);
/* The exchange is over. Frees the stream with it. */
void h2_stream_done(struct h2_stream *s);

#endif
