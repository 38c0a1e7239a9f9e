/* SPDX-License-Identifier: MIT */
/*
 * HTTP client on libcurl. Two forms: a blocking one for worker threads and command-line programs,
 * and streams on the loop. Proxies from the environment are not used, redirects not followed.
 */
#ifndef DEIS_NET_HTTPC_H
#define DEIS_NET_HTTPC_H

#include "lib/base/buf.h"
#include "lib/net/loop.h"

struct deis_httpc_tls {
    const char *ca_file;   /* NULL: the system's */
    const char *cert_file; /* client certificate, or NULL */
    const char *key_file;
    bool insecure; /* don't verify the peer */
};

struct deis_httpc_request {
    const char *method; /* NULL = GET */
    const char *url;
    const char *unix_socket;    /* connect there instead, or NULL */
    const char *const *headers; /* "Name: value" lines, NULL-terminated; may be NULL */
    struct deis_str body;
    /* Or a body in pieces: fill up to cap bytes, return the count, 0 = end, -1 = fail. Sent
     * chunked. */
    ptrdiff_t (*read_body)(char *data, size_t cap, void *arg);
    void *read_arg;
    uint64_t timeout_ms;         /* of the whole call; 0 = none */
    uint64_t connect_timeout_ms; /* 0 = 2 s */
    size_t answer_max;           /* bytes of a collected answer; 0 = 16 MiB; DEIS_LIMIT beyond */
    /* If set the answer's body comes here instead (any status); return false to stop:
     * DEIS_CANCELLED. */
    bool (*on_data)(int status, struct deis_str data, void *arg);
    /* If set: true when the call should be given up (polled about every 0.2 s). */
    bool (*cancelled)(void *arg);
    void *arg; /* of on_data and cancelled */
    const struct deis_httpc_tls *tls;
};

struct deis_httpc_answer {
    int status;
    char reason[64];         /* as received, cut when longer */
    struct deis_buf headers; /* raw lines of the final answer */
    struct deis_buf body;
};

/* An answer starts zeroed ("= { 0 }"); a call clears what an earlier one left in it. */
#define deis_autoanswer __attribute__((cleanup(deis_httpc_answer_clear)))
void deis_httpc_answer_clear(struct deis_httpc_answer *a);
/* Value of a header of the answer (case ignored), trimmed; NONE when absent. */
struct deis_str deis_httpc_header(const struct deis_httpc_answer *a, const char *name);

/* A blocking client: kept-alive connections, one call at a time. thread: one owner */
struct deis_httpc *deis_httpc_new(void);
void deis_httpc_free(struct deis_httpc *c);
/* 0 whatever the HTTP status is. DEIS_UNAVAILABLE: no connection, nothing was sent; DEIS_TIMEOUT:
 * no (whole) answer in time or the connection broke, the outcome is unknown; DEIS_PROTOCOL;
 * DEIS_LIMIT; DEIS_CANCELLED (on_data, cancelled or read_body said so); DEIS_INVALID: url, method
 * or a header line. A request other than GET and HEAD goes out once at most. */
int deis_httpc_call(struct deis_httpc *c, const struct deis_httpc_request *req,
                    struct deis_httpc_answer *ret, struct deis_err *err) deis_must_check;

/* Streams on the loop. One multi handle per loop. on_done is called once, never from within start;
 * err is NULL when the answer is complete; st is invalid afterwards. cancel calls it, with
 * DEIS_CANCELLED, before it returns, and may be called from on_data. req is copied as needed;
 * cancelled is not supported here, read_body must not block, answers are not collected. Freeing the
 * streams cancels what is left; not from one of their callbacks. thread: loop */
struct deis_httpc_streams;
struct deis_httpc_streams *deis_httpc_streams_new(struct deis_loop *loop);
void deis_httpc_streams_free(struct deis_httpc_streams *s);
struct deis_httpc_stream;
struct deis_httpc_stream *deis_httpc_stream_start(
    struct deis_httpc_streams *s, const struct deis_httpc_request *req,
    void (*on_done)(int status, const struct deis_err *err, void *arg));
void deis_httpc_stream_cancel(struct deis_httpc_stream *st);

#endif
