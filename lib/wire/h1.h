/* SPDX-License-Identifier: MIT */
/*
 * The one HTTP/1.1 parser of the suite (RFC 9110, RFC 9112), strict: what two parsers could read
 * differently is refused. Pure: bytes in, values out; any split of the input gives the same result.
 * thread: any, one owner per parser
 */
#ifndef DEIS_WIRE_H1_H
#define DEIS_WIRE_H1_H

#include "lib/base/str.h"

#define DEIS_H1_MAX_HEADERS 100

struct deis_h1_limits {
    size_t head_max;   /* bytes of start line and fields together; 431 beyond */
    size_t target_max; /* bytes of the request target; 414 beyond */
};

#define DEIS_H1_LIMITS_DEFAULT                                                                     \
    {                                                                                              \
        32768, 8192                                                                                \
    }

struct deis_h1_header {
    struct deis_str name;  /* as sent; compare with deis_str_ieq */
    struct deis_str value; /* without the blanks around it */
};

/* How the body of a message is delimited (RFC 9112 section 6.3). */
enum deis_h1_framing {
    DEIS_H1_NO_BODY,
    DEIS_H1_LENGTH, /* content_length bytes */
    DEIS_H1_CHUNKED,
    DEIS_H1_UNTIL_CLOSE, /* answers only */
};

struct deis_h1_head {
    bool is_request;
    int minor;              /* HTTP/1.<minor>: 0 or 1 */
    struct deis_str method; /* requests */
    struct deis_str target; /* requests: origin form, or "*" for OPTIONS; absolute form is split:
                               target is its path and query, host its authority */
    struct deis_str host;   /* requests: the Host field, with its port, valid; an absolute target
                               must name the same */
    int status;             /* answers: 100..599 */
    struct deis_str reason; /* answers */
    struct deis_h1_header headers[DEIS_H1_MAX_HEADERS];
    size_t header_count;
    enum deis_h1_framing framing;
    uint64_t content_length;      /* of framing LENGTH */
    bool keep_alive;              /* the sender wants the connection kept (RFC 9112 section 9.3) */
    bool expect_continue;         /* requests: Expect: 100-continue */
    bool upgrade;                 /* Connection names "upgrade" and an Upgrade field is there */
    bool connection_names_fields; /* Connection has more than close, keep-alive and upgrade */
};

enum deis_h1_result {
    DEIS_H1_MORE, /* not complete yet; call again with more bytes appended to the same buffer */
    DEIS_H1_DONE,
    DEIS_H1_BAD, /* err says why; *ret_status is what to answer (400, 414, 431, 501, 505) */
};

/*
 * Parse a message head at the start of input, which holds all bytes received so far. The views in
 * head point into input (target may be a constant). To keep repeated calls linear pass *scanned (0
 * at first) back unchanged.
 *
 * DONE: *ret_used bytes were the head with its final empty line; the body follows.
 * Leading empty lines before a request line are skipped (RFC 9112 section 2.2), two at most.
 * Refused: bare CR or LF, obs-fold, NUL and control bytes, blanks before a colon, bad names, a
 * missing, repeated or invalid Host, Content-Length together with Transfer-Encoding, repeated or
 * odd lengths, codings other than a final "chunked", HTTP/1.0 with Transfer-Encoding, CONNECT,
 * other versions.
 */
enum deis_h1_result deis_h1_parse_request(struct deis_str input,
                                          const struct deis_h1_limits *limits, size_t *scanned,
                                          struct deis_h1_head *head, size_t *ret_used,
                                          int *ret_status, struct deis_err *err);

/* The same for an answer; request_method decides the framing (HEAD has no body). 1xx are answers
 * too. */
enum deis_h1_result deis_h1_parse_response(struct deis_str input, struct deis_str request_method,
                                           const struct deis_h1_limits *limits, size_t *scanned,
                                           struct deis_h1_head *head, size_t *ret_used,
                                           struct deis_err *err);

/* First header of that name (case ignored), or NULL. */
const struct deis_h1_header *deis_h1_find(const struct deis_h1_head *head, const char *name);
/* Does the comma-separated list field `name` hold this token (case ignored), in any of its lines?
 */
bool deis_h1_has_token(const struct deis_h1_head *head, const char *name, const char *token);
/* Is it one of Connection, Keep-Alive, Proxy-Connection, TE, Trailer, Transfer-Encoding, Upgrade,
 * or named by a Connection field of head (RFC 9110 section 7.6.1)? Host and Content-Length never
 * are: naming them there is an attack. */
bool deis_h1_is_hop_by_hop(const struct deis_h1_head *head, struct deis_str name);

/* Chunked bodies (RFC 9112 section 7.1), incremental. Zero it to start. */
struct deis_h1_chunked {
    int state;
    uint64_t left;
    size_t line_bytes;
    size_t trailer_bytes;
};

/*
 * Take bytes off *input; *ret_data gets body bytes (a view, may be empty). Call until input is
 * empty or DONE. DONE: the last chunk and the trailers (read and dropped, 8 KiB at most) are over,
 * *input holds what follows. MORE: all of *input was used up or *ret_data is to be taken and the
 * call repeated. Refused: bare LF, bad sizes, sizes of 2^60 and more, extensions over 256 bytes.
 */
enum deis_h1_result deis_h1_chunked_feed(struct deis_h1_chunked *c, struct deis_str *input,
                                         struct deis_str *ret_data, struct deis_err *err);

/* Reason phrase in title case ("Not Found"); "Unknown" for others. */
const char *deis_h1_reason(int status);

#endif
