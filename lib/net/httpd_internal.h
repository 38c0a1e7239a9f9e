/* SPDX-License-Identifier: MIT */
/*
 * Inside lib/net only: what the files of the HTTP server share. A connection serves one exchange at
 * a time; pipelined requests wait in its input. Callbacks of the service run from conn_run() only,
 * never from within a call of the service; connections are freed by the server's own event, never
 * in a callback.
 */
#ifndef DEIS_NET_HTTPD_INTERNAL_H
#define DEIS_NET_HTTPD_INTERNAL_H

#include "lib/net/httpd.h"

#include <event2/buffer.h>
#include <event2/event_struct.h>
#include <netinet/in.h>
#include <sys/queue.h>
#include <sys/uio.h>

enum conn_state {
    CONN_IDLE,   /* nothing of the next request has come */
    CONN_HEAD,   /* a part of a head has */
    CONN_BODY,   /* reading a body, or discarding it when the answer is whole */
    CONN_WAIT,   /* the request is complete, the answer is not out */
    CONN_LINGER, /* the answer is out, our side is shut, the peer's bytes are dropped until its end
                  */
    CONN_CLOSED, /* waits to be freed */
};

enum answer_state { ANSWER_NONE, ANSWER_STARTED, ANSWER_WHOLE /* handed over; req is gone */ };

struct deis_http_req {
    struct conn *conn;
    struct deis_h1_head head; /* views into head_bytes */
    char *head_bytes;
    struct deis_str path;
    struct deis_str query;
    struct deis_buf body;
    struct deis_buf fields; /* of the answer, set by the service */
    bool seen;              /* the service knows of it */
    bool streamed;          /* its body goes to on_body */
    void *user;
    void (*on_writable)(struct deis_http_req *req, void *arg);
    void *writable_arg;
    bool owed; /* a call of on_writable: something was given since the last */
};

struct conn {
    struct deis_httpd *server;
    TAILQ_ENTRY(conn) link;
    int fd;
    enum conn_state state;
    struct event read_ev;
    struct event write_ev; /* also made active by hand, for a turn */
    struct event timer;
    char peer[INET6_ADDRSTRLEN];

    struct deis_buf in; /* received, not yet used */
    size_t scanned;     /* of in, by the head parser */
    bool reading;       /* read_ev is added */
    bool ended;         /* the peer sends no more */
    bool broken;        /* to be closed at the next turn */
    bool running;       /* conn_run() is under way and will look at everything again */

    struct deis_http_req *req;
    enum answer_state answer;
    bool keep_alive;
    bool is_head;
    int minor;
    bool chunked_answer;
    uint64_t answer_left; /* bytes promised by Content-Length, UINT64_MAX = unknown */

    enum deis_h1_framing framing; /* of the request's body */
    uint64_t body_left;
    struct deis_h1_chunked chunked;
    bool paused;
    bool owes_continue;
    size_t discarded; /* after the answer, or while lingering */

    struct evbuffer *out; /* NULL when nothing waits */
    size_t unsent;        /* its length, as the server has counted it */
    uint64_t unsent_ms;   /* since when something waits */
    int file_fd;          /* after out, or -1 */
    off_t file_offset;
    uint64_t file_left;

    uint64_t head_since_ms;
    uint64_t read_ms;     /* last byte in */
    uint64_t write_ms;    /* last byte out */
    uint64_t timer_at_ms; /* 0 = not armed */
};

struct deis_httpd {
    struct deis_loop *loop;
    struct deis_httpd_opts opts;
    struct deis_httpd_ops ops;
    void *arg;
    int fd; /* listening, -1 when draining */
    uint16_t port;
    char *unix_path;
    struct event *accept_ev;
    struct event *retry_ev; /* accept again after running out of descriptors */
    struct event *turn_ev;  /* frees the dead, drives the drain */
    TAILQ_HEAD(conn_list, conn) live;
    struct conn_list dead;
    unsigned live_count;
    size_t body_bytes; /* of collected bodies */
    size_t unsent;     /* of all connections */
    bool draining;
    bool drained;
    void (*on_drained)(void *arg);
    void *drained_arg;
    time_t date_of;
    char date[40];
};

/* httpd.c */
void httpd_conn_died(struct conn *c); /* moves it to the dead */

/* httpd_conn.c */
struct conn *conn_new(struct deis_httpd *s, int fd, const char *peer);
void conn_free(struct conn *c);
void conn_close(struct conn *c);               /* tells the service when its answer was not whole */
int conn_detach(struct conn *c);               /* its socket, yours; it is closed without it */
void conn_leave_if_idle(struct conn *c);       /* for the drain */
void conn_kick(struct conn *c);                /* a turn, soon */
bool conn_discards_rest(const struct conn *c); /* is what is left of the body small enough? */

/* httpd_reply.c */
void req_free(struct deis_http_req *req);
/* Drop what waits: the peer does not get it any more. */
void conn_drop_unsent(struct conn *c);
/* Write what waits. True when nothing is left; c->broken is set when the peer is gone. */
bool conn_flush(struct conn *c);
void conn_send_continue(struct conn *c);
/* Answer for the service, when the request can't be given to it; the connection closes after it. */
void conn_refuse(struct conn *c, int status, const char *text);

#endif
