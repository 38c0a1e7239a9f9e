/* SPDX-License-Identifier: MIT */
/*
 * Small messages that become due in one turn of a worker's loop leave together: one system call
 * (io_uring) instead of one for each. Nothing else is asynchronous about it: all are sent, or have
 * failed, when that call returns. Where the kernel or the container's seccomp profile refuses
 * io_uring, each is sent at once. thread: worker
 */
#ifndef DEIS_ROUTER_SEND_BATCH_H
#define DEIS_ROUTER_SEND_BATCH_H

#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct io_uring;
struct worker;

enum { SEND_BATCH_MESSAGE_MAX = 8192 }; /* larger ones gain nothing by it */

/* A message of somebody who embeds this; zeroed: none waits. */
struct send_op {
    struct send_op *next; /* NULL: in no list */
    struct send_op *prev;
    void (*on_sent)(struct send_op *op, ssize_t n); /* n as of send(), errno, too */
    const void *data;
    size_t len;
    ssize_t result; /* bytes, or -errno; of those that were sent */
    int fd;
    bool unsent; /* it stands among the queued */
};

struct send_batch {
    struct worker *worker;
    struct io_uring *ring; /* NULL: there is none */
    struct send_op queued; /* head of a list, the oldest first */
    struct send_op sent;   /* the same, of those whose owners do not know it yet */
    unsigned count;        /* queued */
    uint64_t since_us;     /* when the oldest was queued */
    struct event end_of_turn;
};

/* By the thread that will use it. ring: try to get one. */
void send_batch_init(struct send_batch *b, struct worker *w, bool ring);
void send_batch_clear(struct send_batch *b);
/* Is it worth waiting for others: are more events of this turn to be handled? */
bool send_batch_is_open(const struct send_batch *b);
/* data must stay until on_sent is called, which happens in this turn of the loop, or until
 * send_drop(). op is not queued. */
void send_batch_add(struct send_batch *b, struct send_op *op, int fd, const void *data, size_t len);
/* Send what waits; the owners are told later, in this turn. */
void send_batch_submit(struct send_batch *b);
/* Send what waits and tell all owners; not from within one's work on a client. */
void send_batch_deliver(struct send_batch *b);

/* What waits for longer than others may take in this turn goes now. */
static inline void send_batch_look(struct send_batch *b, uint64_t now_us)
{
    enum { PATIENCE_US = 500 };

    if (b->count > 0 && now_us - b->since_us > PATIENCE_US) {
        send_batch_submit(b);
    }
}

static inline bool send_is_queued(const struct send_op *op)
{
    return op->next != NULL;
}

/* Was it, or part of it, sent already, though its owner was not told yet? */
static inline bool send_has_left(const struct send_op *op)
{
    return send_is_queued(op) && !op->unsent && op->result > 0;
}

/* Its owner does not want to know any more; before its descriptor is closed. It may have been sent.
 */
void send_drop(struct send_batch *b, struct send_op *op);

#endif
