/* SPDX-License-Identifier: MIT */
/*
 * The head of an HTTP/2 request (RFC 9113 section 8) as the head of an HTTP/1.1 request, so that
 * one strict parser judges all that goes to an app. Feed it the decoded fields in their order, then
 * finish. Pure; nothing is allocated. thread: any, one owner per head
 */
#ifndef DEIS_ROUTER_H2_HEAD_H
#define DEIS_ROUTER_H2_HEAD_H

#include "lib/wire/h1.h"

/* Bytes that the text may be longer than names and values together: line, Host, and at the end the
 * length or what makes it the opening handshake of a WebSocket. */
#define H2_HEAD_EXTRA 128
/* The longest text; more is answered with 431. */
#define H2_HEAD_MAX 32768

/* Zero it to start. */
struct h2_head {
    /* pseudo-fields, until the request line is written: the views must live as long */
    struct deis_str method;
    struct deis_str scheme;
    struct deis_str authority;
    struct deis_str path;
    struct deis_str protocol;
    size_t host_at; /* where Host's value stands in the text; 0: nowhere yet */
    size_t host_len;
    size_t len;        /* of the text */
    size_t cookie_end; /* behind the value of Cookie; 0: there is none */
    size_t fields;
    bool line_written;
    bool has_length;
    bool head_only; /* the method is HEAD */
    bool websocket; /* an extended CONNECT (RFC 8441); known once the line is written */
    int status;     /* what to answer; 0: nothing is wrong so far */
};

/* Room that the text needs for one field more, or (name of no length) for the end. */
static inline size_t h2_head_room(const struct h2_head *h, struct deis_str name,
                                  struct deis_str value)
{
    size_t line = h->line_written ? 0 : h->method.len + h->path.len + h->authority.len;

    return h->len + line + name.len + value.len + H2_HEAD_EXTRA;
}

/* Is it a pseudo-field? Its value must live until the first field that is none, or the end. */
bool h2_head_is_pseudo(struct deis_str name);

/*
 * One field. text: where the text stands, with h2_head_room() bytes. Once something is wrong
 * h->status says so and the rest is ignored.
 *
 * Refused: unknown, repeated or late pseudo-fields (section 8.3), names that are not in lower case,
 * bytes that would end a line, fields that speak of the connection (section 8.2.2), a Host that
 * differs from :authority (section 8.3.1), CONNECT for anything but WebSocket. Crumbs of Cookie are
 * joined (section 8.2.3). A WebSocket (RFC 8441 section 4) has no length and no key of the
 * client's.
 */
void h2_head_add(struct h2_head *h, char *text, struct deis_str name, struct deis_str value);

/* There are no more pseudo-fields: their values are used up. h2_head_add() and h2_head_finish() see
 * to it by themselves. */
void h2_head_write_line(struct h2_head *h, char *text);

/*
 * The head is complete: end the text. body: bytes of the whole body when that has come already, -1
 * when more is to come. key: the Sec-WebSocket-Key of a WebSocket, which becomes a GET that asks
 * for the upgrade (RFC 8441 section 5). False: h->status says what to answer.
 */
bool h2_head_finish(struct h2_head *h, char *text, int64_t body, struct deis_str key);

#endif
