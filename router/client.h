/* SPDX-License-Identifier: MIT */
/*
 * A client's connection: reads heads, hands each complete one to an exchange, one at a time.
 * Between requests it holds no buffer. A stream of HTTP/2 is a client to its exchange, too: the
 * exchange reads the body from it and waits with its deadline as if it were a connection. thread:
 * worker
 */
#ifndef DEIS_ROUTER_CLIENT_H
#define DEIS_ROUTER_CLIENT_H

#include "router/worker.h"

#include <netinet/in.h>

struct h2_conn;
struct h2_stream;

enum client_state {
    CLIENT_PROXY,     /* a load balancer's: its PROXY header has not come completely */
    CLIENT_HANDSHAKE, /* of TLS */
    CLIENT_IDLE,      /* nothing of a request has come */
    CLIENT_HEAD,      /* part of a head has */
    CLIENT_ACTIVE,    /* an exchange is at work */
    CLIENT_H2,        /* it speaks HTTP/2: its streams are the clients of exchanges */
    CLIENT_LINGER,    /* answered and shut; what still comes is dropped */
};

struct client {
    struct event readable;
    struct deadline deadline;
    struct worker *worker;
    struct exchange *exchange;    /* set while bytes are held */
    struct tls_conn *tls;         /* NULL: plain, or a stream */
    struct h2_conn *h2;           /* of state H2 */
    struct h2_stream *stream;     /* what this is the client side of; NULL: a connection */
    struct deis_proxy_held *held; /* of a PROXY header */
    int fd;                       /* of a connection */
    enum client_state state;
    bool direct; /* bytes go to and from fd as they are: neither TLS nor a stream */
    bool https;
    bool reading;
    bool writing; /* the handshake waits until the socket takes more */
    bool used;    /* it has got an answer */
    bool busy;    /* a callback is at work on it: closing only marks it */
    bool again;   /* there may be another request in the buffer */
    bool behind;  /* this request has come along with one that was answered just now */
    bool last;    /* the end follows what is written now */
    bool dead;
    uint8_t peer_len;
    char peer[DEIS_IP_TEXT]; /* the client's address, which a PROXY header may have told */
    struct deis_ip ip;       /* the same */
    _Atomic uint64_t *seat;  /* counts it for its address; or NULL */
};

enum client_end {
    CLIENT_KEEP,
    CLIENT_CLOSE,
    CLIENT_CLOSE_LINGERING, /* the client may still be sending */
    CLIENT_RESET,           /* the answer is cut short and nothing else says so */
};

void client_accept(struct worker *w, int fd, const struct sockaddr_storage *peer, bool https);
/* As recv(), send(). */
ssize_t client_recv(struct client *c, void *data, size_t len);
ssize_t client_send(struct client *c, const void *data, size_t len);
/* The connection is closed once all of what is sent next is out: the two go in one segment. */
void client_last_write(struct client *c);
/* Read (or stop reading) the client's bytes. */
void client_read_enable(struct client *c, bool enable);
/* The exchange is over; it has let go of the client but for c->exchange. The client may be freed.
 */
void client_exchange_done(struct client *c, enum client_end end);
/* No more is sent; wait a moment for the client to close, so that it gets all that was. */
void client_linger(struct client *c);
/* Close at once. The client may be freed; no exchange may be active. */
void client_close(struct client *c);
/* The connection becomes part of a tunnel: give up the descriptor, and TLS if there is any, and
 * free the client. */
int client_detach(struct client *c, struct tls_conn **ret_tls);
void client_on_deadline(struct deadline *d);
/* Close whatever is under way. */
void client_abort(struct client *c);
/* The worker is to end: idle clients go, those that were busy a moment ago get a moment. */
void client_drain_idle(struct worker *w);
void client_pool_clear(struct worker *w);

#endif
