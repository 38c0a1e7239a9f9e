/* SPDX-License-Identifier: MIT */
/* Shared by the files of HTTP/2 only. thread: worker */
#ifndef DEIS_ROUTER_H2_CONN_H
#define DEIS_ROUTER_H2_CONN_H

#include "router/core/h2_budget.h"
#include "router/core/h2_head.h"
#include "router/exchange.h"
#include "router/h2.h"

#include <nghttp2/nghttp2.h>

enum h2_drain_step { H2_SERVING, H2_NOTICE_SENT, H2_LAST_STREAM_SENT };

struct h2_conn {
    struct client *client; /* the connection */
    struct worker *worker;
    nghttp2_session *session;
    struct event run; /* there are frames to send, or streams to look at */
    struct event writable;
    struct h2_conn *next; /* of the worker's */
    struct h2_conn *prev;
    struct h2_stream *streams;
    unsigned stream_count;
    struct h2_stream *due_first; /* streams that have something to read, or nothing left to send */
    struct h2_stream *due_last;
    struct h2_stream *current; /* that is looked after; NULL when that ended it */
    struct h2_stream *heading; /* whose header block is coming in */
    nghttp2_rcbuf *pseudo[5];  /* values of its pseudo-fields */
    unsigned pseudo_count;
    struct bytes out; /* what the socket did not take */
    size_t filled;    /* of worker->out */
    size_t held;      /* answer bytes of all streams */
    size_t heads;     /* bytes of heads that nghttp2 has still to send */
    struct h2_budget budget;
    enum wait waiting; /* of the connection; WAIT_COUNT: for nothing */
    enum h2_drain_step drain;
    bool busy;     /* no need for `run` */
    bool full;     /* worker->out is, in the midst of sending */
    bool broken;   /* the socket is */
    bool too_much; /* it has cost more than it may */
    bool closing;  /* its end has begun */
};

struct h2_stream {
    struct client side; /* what the exchange knows */
    struct h2_conn *conn;
    struct h2_stream *next; /* of the connection's */
    struct h2_stream *prev;
    struct h2_stream *due_next;
    struct h2_head head;
    struct bytes body; /* what the exchange has not read */
    int32_t id;
    bool due;     /* stands in the list */
    bool drained; /* what was held of the answer is gone */
    bool head_complete;
    bool started;  /* the exchange is at work */
    bool ended;    /* the client has sent all */
    bool closed;   /* nghttp2 knows it no more */
    bool provided; /* its answer has a body */
    bool deferred; /* which nghttp2 waits for */
    bool end_sent; /* of the answer */
};

/* Look after the connection soon. */
void h2_conn_due(struct h2_conn *conn);
/* What the connection itself waits for; its streams have deadlines of their own. */
void h2_conn_wait(struct h2_conn *conn, enum wait wait);
/* The head that was coming in is used, or none. */
void h2_conn_drop_pseudo(struct h2_conn *conn);
/* Bytes that nghttp2 keeps for a head; 0: these are trailers. */
size_t h2_head_size(const nghttp2_nv *fields, size_t count);
/* Makes the session and says what this side takes. False: out of memory. */
bool h2_session_open(struct h2_conn *conn);

struct h2_stream *h2_stream_new(struct h2_conn *conn, int32_t id);
/* No exchange is at work. */
void h2_stream_free(struct h2_stream *s);
struct h2_stream *h2_stream_next_due(struct h2_conn *conn); /* NULL: none */
void h2_stream_on_due(struct h2_stream *s);
/* The head is complete, or body bytes came, or the end of them. */
void h2_stream_on_input(struct h2_stream *s);
/* The last frame of the answer was sent, and it held trailers. */
void h2_stream_on_end(struct h2_stream *s);
bool h2_stream_add_body(struct h2_stream *s, const uint8_t *data, size_t len);
/* For the session's callbacks. */
int h2_stream_send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *frame_head,
                        size_t len, nghttp2_data_source *source, void *user_data);

enum {
    H2_OUT_ENOUGH = 64 * 1024, /* worker->out is sent when it holds this much */
    H2_FRAME_HEAD = 9,
};

#endif
