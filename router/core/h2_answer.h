/* SPDX-License-Identifier: MIT */
/*
 * The head of an answer of HTTP/2 (RFC 9113 section 8.3.2) as the head of an HTTP/1.1 answer, and
 * trailers as lines of fields. Pure. thread: any, one owner per head
 */
#ifndef DEIS_ROUTER_H2_ANSWER_H
#define DEIS_ROUTER_H2_ANSWER_H

#include "lib/wire/h1.h"

enum {
    H2_ANSWER_EXTRA = 192,  /* bytes that the text may be longer than names and values together */
    H2_ANSWER_MAX = 32768,  /* of a head */
    H2_TRAILERS_MAX = 8192, /* of all trailers */
    H2_TRAILERS_FIELDS = 64,
};

/* Zero it to start; and again after each head, for a final one may follow a 1xx. */
struct h2_answer {
    const char *accept; /* set it if a WebSocket was asked for (RFC 8441): what a 2xx, which grants
                           it, is to say as Sec-WebSocket-Accept in a 101; else NULL */
    size_t len;         /* of the text */
    int status;
    bool has_length;
    bool granted; /* it is a WebSocket from now on */
    bool bad;     /* the rest is ignored */
};

/* A field of the head: text has room for h->len + name + value + H2_ANSWER_EXTRA bytes. */
void h2_answer_add(struct h2_answer *h, char *text, struct deis_str name, struct deis_str value);
/* The head is complete. no_body: nothing follows. False: it is bad. */
bool h2_answer_finish(struct h2_answer *h, char *text, bool no_body);

/* A trailer as a line at text[len], of which there is room for name + value + H2_ANSWER_EXTRA.
 * Returns the new length; the old one when it may not be passed on (RFC 9110 section 6.5.1). */
size_t h2_trailer_add(char *text, size_t len, struct deis_str name, struct deis_str value);
/* Take the first line off *lines. False: there is none. */
bool h2_trailer_next(struct deis_str *lines, struct deis_str *ret_name, struct deis_str *ret_value);

#endif
