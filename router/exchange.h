/* SPDX-License-Identifier: MIT */
/*
 * One request and its answer: choice of a unit, retries, both bodies, the access log.
 *
 * Buffers: the head and the body bytes that came with it stay in `in` until the end, so that the
 * request can be sent again; later body bytes pass through the worker's scratch. What a socket does
 * not take is held in to_unit or to_client, and the other side is not read until it is gone: one
 * read at most is held per direction. A body that the firewall looks into gathers in body, from
 * where it goes on as if it were read then. thread: worker
 */
#ifndef DEIS_ROUTER_EXCHANGE_H
#define DEIS_ROUTER_EXCHANGE_H

#include "router/client.h"
#include "router/core/body_kind.h"
#include "router/core/forwarded.h"
#include "router/core/pages.h"
#include "router/upstream.h"

#include <sys/uio.h>

struct exchange_check;
struct firewall_check;
struct gzip;

enum { EXCHANGE_ATTEMPTS = 4 };

enum out_framing {
    OUT_NONE,
    OUT_LENGTH,
    OUT_CHUNKED,
    OUT_CLOSE,
    OUT_STREAM, /* HTTP/2 says where it ends */
};

struct exchange {
    struct exchange *next_free;
    struct worker *worker;
    struct client *client;
    struct event client_writable;
    bool writable_set;
    struct bytes in; /* head, body bytes, pipelined requests */
    char *text;      /* of the views below, when the head is gone; else NULL */
    size_t scanned;  /* by the parser */

    /* the request; views point into in, or text */
    struct deis_str method;
    struct deis_str target;
    struct deis_str host;
    struct deis_str request_id;
    struct forwarded from;
    char own_id[33];
    uint32_t head_len;
    uint32_t taken;               /* bytes of in that belong to this request */
    enum deis_h1_framing framing; /* UNTIL_CLOSE: to the end of the stream */
    uint64_t length;              /* of framing LENGTH */
    uint64_t left;
    struct deis_h1_chunked chunked;
    uint64_t body_bytes;
    uint64_t body_since_us; /* the first read of bytes that came behind the head; 0: none yet */
    int minor;
    bool keep_alive;
    bool head_only;
    bool idempotent;
    bool upgrade;
    bool json;
    bool gzip_on;                  /* the app's answers are compressed, */
    bool gzip_taken;               /* the one to this request, too */
    uint64_t retry_after_s;        /* for a page of ours; 0: none */
    bool request_done;             /* all of it was read */
    struct bytes request_trailers; /* as lines */
    bool held;                     /* all that was read of it is still in in, or body */
    bool slow_unit;                /* it did not take all at once: the pace is not the client's */

    /* the firewall */
    struct firewall_check *check; /* of a request that is examined, or was blocked; else NULL */
    struct exchange_check
        *check_run; /* a check is at work elsewhere, with check and body; or NULL */
    enum body_kind body_kind;
    bool examined;     /* it took a while, perhaps */
    bool examining;    /* body is gathered, or checked: no unit is asked yet */
    bool has_body;     /* its body, or the start of it, stands in body, not in in */
    bool whole;        /* all of it does */
    struct bytes body; /* decoded; handed to the unit up to off */

    /* the unit */
    struct route_app *app;  /* one ref */
    bool turned_away;       /* by its settings: no longer counted at the app */
    _Atomic uint64_t *seat; /* counts it for its address at the app; or NULL */
    struct route_endpoint *endpoint;
    struct route_wish wish;
    bool counted; /* in flight at the endpoint; else one ref */
    struct upstream *up;
    struct route_endpoint *tried[EXCHANGE_ATTEMPTS]; /* only compared */
    unsigned tried_count;
    unsigned attempts;
    bool reused; /* up was kept alive */
    bool fresh;  /* use no kept-alive connection */
    bool sent;   /* bytes went to up */
    bool broken; /* up takes no more bytes */
    struct bytes to_unit;
    struct send_op unit_send; /* of to_unit */
    struct splicer body_pipe; /* a large body goes through it */

    /* the answer */
    struct bytes head; /* of the unit, until it is complete */
    size_t head_scanned;
    bool received; /* any byte of up */
    bool head_out; /* its head went to the client */
    bool answer_done;
    bool reusable; /* up may be kept */
    bool brimful;  /* the last read of it took all that it asked for: there may be more */
    bool tunnel; /* a WebSocket, of HTTP/2 on one side at least: both bodies are bytes as they come
                  */
    unsigned keep_s;
    int status;
    enum deis_h1_framing answer_framing;
    uint64_t answer_left;
    struct deis_h1_chunked answer_chunked;
    enum out_framing out;
    unsigned interim;       /* 1xx answers that came */
    uint32_t interim_bytes; /* of their heads */
    struct gzip *gzip;      /* compresses its body; NULL: it is not */
    struct bytes to_client;
    uint64_t stalled_us;        /* time in which they waited for a client of HTTP/2 */
    uint64_t stalled_bytes;     /* that it took of them then */
    struct send_op client_send; /* of to_client */
    struct splicer answer_pipe;
    struct bytes trailers; /* of the answer, as lines */
    uint64_t bytes_out;    /* of the body */
    enum page page;        /* what went wrong */

    uint64_t start_us;
    uint64_t wait_us;    /* moment since which it waits for what it waits for */
    uint64_t start_ms;   /* the same on the wall's clock */
    uint64_t connect_us; /* moment when the unit's connection stood; 0 = not yet */
    uint64_t first_us;   /* moment of the answer's head */
};

/* A call to a unit that speaks HTTP/2, as gRPC's: both sides may be silent for long, in any order.
 */
static inline bool exchange_is_call(const struct exchange *x)
{
    return x->up && x->up->h2;
}

/* Does the unit not take what it is sent of the request? */
static inline bool exchange_holds_request(const struct exchange *x)
{
    return x->to_unit.len > 0 || x->body_pipe.held > 0;
}

/* Is it the unit's turn to take the request, not to answer? */
static inline bool exchange_is_sending(const struct exchange *x)
{
    return exchange_holds_request(x) && !x->head_out && !exchange_is_call(x);
}

/* Is more of the held body to be handed on? */
static inline bool exchange_has_piece(const struct exchange *x)
{
    return x->body.off < x->body.len && !x->examining;
}

struct exchange *exchange_new(struct client *c);
void exchange_free(struct exchange *x);
/* Forget the request that is over but keep what follows it in the buffer. */
void exchange_next(struct exchange *x);
bool exchange_has_input(const struct exchange *x);
/* Bytes that may still be read into in. */
size_t exchange_room(const struct exchange *x);
void exchange_pool_clear(struct worker *w);

/* worker->request holds a complete head of head_len bytes at the start of in. */
void exchange_start(struct exchange *x, size_t head_len);
/* The head is bad, or did not come in time: answer and close. */
void exchange_refuse(struct exchange *x, enum page page);
void exchange_on_client_readable(struct exchange *x);
/* All that was held for the client is on its way to it. */
void exchange_on_client_drained(struct exchange *x);
void exchange_on_unit_readable(struct exchange *x);
void exchange_on_unit_writable(struct exchange *x);
void exchange_on_deadline(struct exchange *x);
/* What it waits for has not come in time, or it has to make room for others. */
void exchange_time_out(struct exchange *x);

/* --- between the files of the exchange. Those that return bool: false = the exchange is over, or
 * all that is left of it is the end of its answer: it has no unit any more. --- */

/* Let the firewall look at it, then dispatch or answer it. worker->request is the head. */
void exchange_examine(struct exchange *x);
/* The client has sent more of a body that is examined. */
void exchange_hold_body(struct exchange *x);
/* The next bytes of the held body; there until it is released. */
struct deis_str exchange_take_piece(struct exchange *x);
/* Bytes of buffers with a body that waits for a check, or for the unit to take it. */
size_t exchange_waiting_body(const struct exchange *x);
/* Let go of what the firewall examines. */
void exchange_drop_body(struct exchange *x);
/* Let go of a held body that was sent and can't be sent again. */
void exchange_settle_body(struct exchange *x);
/* The client has sent more of its body. False: too slowly, and that is answered. */
bool exchange_body_comes(struct exchange *x);
/* Choose a unit and send it what there is of the request. */
bool exchange_dispatch(struct exchange *x);
/* To the same unit, which takes the request only now. */
void exchange_send_again(struct exchange *x);
/* The unit failed: try another one if that is safe, or answer with this page. */
bool exchange_unit_failed(struct exchange *x, enum page page);
/* Is it a load balancer that checks the router, by a host name which is no app's? Then it is
 * answered. */
bool exchange_check_health(struct exchange *x);
/* Does a certificate authority ask? Then it is answered, for whatever host, before policy is looked
 * at. */
bool exchange_meet_challenge(struct exchange *x);
/* To HTTPS: a plain request, where that is wanted. */
void exchange_redirect(struct exchange *x, struct deis_str host);
/* Answer with a page of ours, or break the answer off that has begun. Returns false. */
bool exchange_fail(struct exchange *x, enum page page);
/* Write parts to a socket; only the first may lie in worker->out, at its start. As writev(). more:
 * they wait in the kernel for what follows. */
ssize_t exchange_write(struct worker *w, int fd, const struct iovec *iov, int count, bool more);
/* Bytes that may be read of the answer at once. */
size_t exchange_answer_room(const struct exchange *x);
/* Send to the client, or hold what it does not take. */
bool exchange_to_client(struct exchange *x, const struct iovec *iov, int count);
/* The same with the last bytes of an answer: they may leave together with what others send. */
bool exchange_end_to_client(struct exchange *x, const struct iovec *iov, int count);
/* Is it worth queuing for what else this turn sends? */
bool exchange_may_queue(const struct exchange *x, const struct iovec *iov, int count);
/* Send to the unit, or hold what it does not take. */
bool exchange_to_unit(struct exchange *x, const struct iovec *iov, int count);
/* The answer is complete: let go of the unit, and of the client when it has got all. */
bool exchange_answer_done(struct exchange *x);
void exchange_end(struct exchange *x, enum client_end end);
void exchange_client_gone(struct exchange *x);
/* Let go of the connection to the unit; keep: it can be used again. */
void exchange_drop_up(struct exchange *x, bool keep);
void exchange_drop_endpoint(struct exchange *x);
/* It counts no longer for the app's limits. Once. */
void exchange_uncount(struct exchange *x);
/* Read the head in `in` again, into worker->request. */
void exchange_parse_again(struct exchange *x);
/* Append to in, which may move: the views into it move along. False: too much. */
bool exchange_add_input(struct exchange *x, const char *data, size_t len);
/* Is something held for the client? */
bool exchange_holds_answer(const struct exchange *x);
/* Move the rest of a large body; the pipe is open. */
void exchange_splice_answer(struct exchange *x);
void exchange_splice_body(struct exchange *x);
/* Wait until the client takes more. */
void exchange_await_client(struct exchange *x);
/* Bytes that the body may have. */
uint64_t exchange_body_max(const struct exchange *x);
/* Where a side speaks HTTP/2: a 101, or (to a stream) another answer that would grant the upgrade
 * which it asked for. rest: what the unit sent behind it. */
bool exchange_answer_upgrade(struct exchange *x, char *rest, size_t rest_len);
/* Copy what the log line needs of the head to a place of its own, yours, where the views point from
 * now on. */
char *exchange_move_texts(struct exchange *x);
/* Bytes of the client's; len 0: there are no more. */
bool exchange_forward_tunnel(struct exchange *x, char *data, size_t len);
/* Set the deadline that fits what is awaited. */
void exchange_wait(struct exchange *x);

/*
 * Decode chunks in place: *len becomes the number of body bytes at data, *ret_rest what follows the
 * last chunk (NONE unless done).
 */
enum deis_h1_result exchange_unchunk(struct deis_h1_chunked *state, char *data, size_t *len,
                                     struct deis_str *ret_rest);

enum { CHUNK_IOV = 3, CHUNK_LINE = 20 };

/* A body piece as a chunk: fills up to CHUNK_IOV parts; line: CHUNK_LINE bytes that must live as
 * long. */
int exchange_chunk(struct iovec *iov, char *line, char *data, size_t len, bool last);

#endif
