/* SPDX-License-Identifier: MIT */
/*
 * HTTP/1.1 server on the loop, on lib/wire/h1. For the controller, the registry-proxy and the small
 * /healthz, /metrics pages (the router has its own I/O). Keep-alive and pipelining (answers in
 * order), 100-continue, limits and deadlines on all that a peer sends. thread: loop
 */
#ifndef DEIS_NET_HTTPD_H
#define DEIS_NET_HTTPD_H

#include "lib/net/loop.h"
#include "lib/wire/h1.h"
#include "lib/wire/json.h"

struct deis_httpd;
struct deis_http_req; /* one request and its answer */

struct deis_httpd_opts {
    uint64_t head_timeout_ms; /* from the first byte to the end of the head; default 30 s */
    uint64_t idle_timeout_ms; /* silence while reading a body or between requests; default 75 s */
    size_t body_max;          /* bytes of a collected body; 413 beyond; default 1 MiB */
    size_t bodies_max;        /* of all collected bodies together; 503 beyond; default 64 MiB */
    /* Bytes of answers that their peers have not taken yet, of all connections together; default
     * 64 MiB. Beyond, the connection that has waited longest of those with much of it (64 KiB) is
     * closed, but never the one that is just being answered. */
    size_t unsent_max;
    unsigned max_connections; /* default 1024; beyond: accept pauses */
    bool upper_reason;        /* reason phrases in upper case (the API contract) */
    /* How a refusal of the server itself (malformed, too large, too slow) reads; NULL: its text as
     * text/plain. May change *status; appends whole field lines ("Name: value\r\n") and the body,
     * and returns the content type. */
    const char *(*refusal)(int *status, const char *text, struct deis_buf *fields,
                           struct deis_buf *body);
};

/*
 * What a service implements. Only on_request is required.
 *
 * - on_head (optional) is called when the head is complete: call deis_http_stream_body() there to
 * get the body in pieces by on_body (limit: none but yours) instead of collected. An answer may be
 * sent at once from any of these; the rest of the body is then discarded (a little) or the
 * connection closed.
 * - on_request is called once when the request is complete.
 * - on_gone: the peer went away (or sent a body that had to be refused) before the answer was
 *   complete; the req must not be answered, nor used after return. It is not called once the answer
 *   has been handed over whole. A peer that ends its side of the connection before it has its
 * answer counts as gone.
 */
struct deis_httpd_ops {
    void (*on_head)(struct deis_http_req *req, void *arg);
    void (*on_body)(struct deis_http_req *req, struct deis_str data, void *arg);
    void (*on_request)(struct deis_http_req *req, void *arg);
    void (*on_gone)(struct deis_http_req *req, void *arg);
};

/* Listen on address ("127.0.0.1:8000", "[::]:80", port 0 = any; or "unix:/path"). ops and opts are
 * copied; opts may be NULL. */
struct deis_httpd *deis_httpd_new(struct deis_loop *loop, const char *address,
                                  const struct deis_httpd_opts *opts,
                                  const struct deis_httpd_ops *ops, void *arg,
                                  struct deis_err *err) deis_must_check;
/* The same on a TCP socket that listens already and does not block; it is taken over. */
struct deis_httpd *deis_httpd_new_on(struct deis_loop *loop, int fd,
                                     const struct deis_httpd_opts *opts,
                                     const struct deis_httpd_ops *ops, void *arg);
uint16_t deis_httpd_port(const struct deis_httpd *s);
/* Stop accepting; idle connections close at once, others after their answer. on_done (from the
 * loop; it may free the server) when none is left. */
void deis_httpd_drain(struct deis_httpd *s, void (*on_done)(void *arg), void *arg);
/* Closes what is left, calling on_gone. Not from within a callback of a request. NULL is fine. */
void deis_httpd_free(struct deis_httpd *s);

/* --- the request: valid until its answer is handed over whole, aborted, or on_gone returned --- */
const struct deis_h1_head *deis_http_head(const struct deis_http_req *req);
struct deis_str deis_http_path(const struct deis_http_req *req); /* raw, without the query */
struct deis_str deis_http_query(const struct deis_http_req *req);
struct deis_str deis_http_body(const struct deis_http_req *req); /* collected body */
const char *deis_http_peer(const struct deis_http_req *req);     /* "10.0.0.7" */
void deis_http_set_user(struct deis_http_req *req, void *user);  /* a pointer of yours */
void *deis_http_user(const struct deis_http_req *req);
void deis_http_stream_body(struct deis_http_req *req);             /* from on_head */
void deis_http_pause_body(struct deis_http_req *req, bool paused); /* back-pressure on the sender */

/* --- the answer --- */
/* Add a field to the answer, before it starts. CR, LF and NUL in it are our bug: abort. */
void deis_http_set(struct deis_http_req *req, const char *name, const char *value);
/* Whole answer. type NULL: no Content-Type. HEAD sends no body but its length. Date and
 * Content-Length are added (not for 1xx, 204, 304). */
void deis_http_reply(struct deis_http_req *req, int status, const char *type, struct deis_str body);
void deis_http_reply_json(struct deis_http_req *req, int status, const json_t *value);
/* Stream: start, chunk..., end. length UINT64_MAX = unknown (chunked, or until close for HTTP/1.0).
 * on_writable is called whenever all that was given has gone out: send the next then. abort closes
 * the connection so that the peer sees a truncated message. */
void deis_http_reply_start(struct deis_http_req *req, int status, const char *type, uint64_t length,
                           void (*on_writable)(struct deis_http_req *req, void *arg), void *arg);
void deis_http_reply_chunk(struct deis_http_req *req, struct deis_str data);
/* Bytes given that have not gone out. Beyond 8 MiB the next chunk closes the connection. */
size_t deis_http_unsent(const struct deis_http_req *req);
void deis_http_reply_end(struct deis_http_req *req);
void deis_http_reply_abort(struct deis_http_req *req);
/* Answer 101 and leave HTTP, instead of any other answer, once the request is complete: the socket
 * (non-blocking) is yours, req is gone. ret_out gets the head of the answer with the fields that
 * were set: send it first. ret_in gets what the peer sent behind its request. -1: the peer has gone
 * already. Not counted in max_connections any more, nor waited for by a drain. */
int deis_http_upgrade(struct deis_http_req *req, const char *protocol, struct deis_buf *ret_out,
                      struct deis_buf *ret_in);
/* Whole answer from a file: length bytes of fd from offset on; fd is taken over and closed. */
void deis_http_reply_file(struct deis_http_req *req, int status, const char *type, int fd,
                          uint64_t offset, uint64_t length);

#endif
