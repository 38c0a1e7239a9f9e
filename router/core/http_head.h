/* SPDX-License-Identifier: MIT */
/*
 * Message heads as the router sends them on: written anew from the parsed form, without hop-by-hop
 * fields, with the router's own. thread: any
 */
#ifndef DEIS_ROUTER_HTTP_HEAD_H
#define DEIS_ROUTER_HTTP_HEAD_H

#include "lib/wire/h1.h"

#define HTTP_REQUEST_ID_MAX 128
/* Bytes that a rewritten head may be longer than the received one. */
#define HTTP_HEAD_EXTRA 1024

/* Writes times, 13 digits each, and the seconds of them anew only when they have changed: most
 * requests share theirs with the one before. Zeroed to begin with. */
struct http_clock {
    uint64_t second;
    char text[13];
};

/* Milliseconds since 1970, valid until the next call. */
struct deis_str http_clock_text(struct http_clock *c, uint64_t ms);

/* What the router tells an app about a request. All are short: client 45, port 5 bytes at most. */
struct http_forward {
    struct deis_str client; /* address without port */
    struct deis_str proto;  /* "http" or "https" */
    struct deis_str port;   /* that the client connected to */
    struct deis_str request_id;
    bool upgrade;          /* keep Upgrade and Connection: upgrade */
    struct deis_str start; /* when the request came: milliseconds since 1970 */
};

/*
 * Write the request head for an app. Forwarded, X-Forwarded-*, X-Real-IP, X-Request-Id,
 * X-Request-Start and Proxy of the client are replaced or dropped, also when written with
 * underscores (to CGI they are the same); traceparent and tracestate too when the former is not
 * valid (W3C Trace Context). Content-Length stays as it was sent; a chunked body gets
 * Transfer-Encoding: chunked. cap must be at least the received head plus HTTP_HEAD_EXTRA; the
 * length is returned.
 */
size_t http_head_write_request(char *out, size_t cap, const struct deis_h1_head *head,
                               const struct http_forward *forward);

struct http_answer {
    bool chunked; /* the body goes out chunked */
    bool upgrade; /* 101 */
    bool keep_alive;
    int client_minor;      /* HTTP/1.<minor> of the client */
    struct deis_str hsts;  /* the line of Strict-Transport-Security, unless the app has its own */
    struct deis_str extra; /* one more whole line, or NONE */
};

/* Is this field of an answer passed on? no_length: Content-Length is not. */
bool http_answer_field_passes(const struct deis_h1_head *head, const struct deis_h1_header *h,
                              bool no_length);

size_t http_head_write_answer(char *out, size_t cap, const struct deis_h1_head *head,
                              const struct http_answer *answer);

/* May this request be sent again when its fate is unknown (RFC 9110 section 9.2.2)? */
bool http_method_is_idempotent(struct deis_str method);
/* Is it an upgrade that is passed on? h2c is not: it would tunnel requests past the router. */
bool http_upgrade_is_passed(const struct deis_h1_head *head);
/* Is this the value of a traceparent field (W3C Trace Context section 3.2)? */
bool http_is_traceparent(struct deis_str value);
/* The request id sent by the client if it is usable, or NONE. */
struct deis_str http_request_id(const struct deis_h1_head *head);
/* Seconds of a Keep-Alive: timeout=<n> field, or def. */
unsigned http_keep_alive_timeout(const struct deis_h1_head *head, unsigned def);
/* Would the client rather have JSON than HTML? */
bool http_wants_json(const struct deis_h1_head *head);

#endif
