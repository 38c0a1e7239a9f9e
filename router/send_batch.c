/* SPDX-License-Identifier: MIT */
#include "router/send_batch.h"

#include "router/sock.h"
#include "router/worker.h"

#include "lib/net/log.h"

#include <errno.h>
#include <liburing.h>

enum { ENTRIES = 64 };

static void list_init(struct send_op *head)
{
    head->next = head;
    head->prev = head;
}

static bool list_is_empty(const struct send_op *head)
{
    return head->next == head;
}

static void list_add(struct send_op *head, struct send_op *op)
{
    op->next = head;
    op->prev = head->prev;
    op->prev->next = op;
    head->prev = op;
}

static void list_remove(struct send_op *op)
{
    op->prev->next = op->next;
    op->next->prev = op->prev;
    op->next = NULL;
    op->prev = NULL;
}

static struct io_uring *ring_new(void)
{
    static const unsigned flags[] = {
        /* Since Linux 6.1: only this thread uses it, and looks for results only when it asks. */
        IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
        IORING_SETUP_SUBMIT_ALL, /* since 5.18 */
    };
    struct io_uring *ring = deis_alloc(sizeof(*ring));

    for (size_t i = 0; i < DEIS_COUNT(flags); i++) {
        if (io_uring_queue_init(ENTRIES, ring, flags[i]) == 0) {
            (void)io_uring_register_ring_fd(ring); /* a little faster, where it works */
            return ring;
        }
    }
    free(ring);
    return NULL;
}

static void ring_free(struct send_batch *b)
{
    if (b->ring) {
        io_uring_queue_exit(b->ring);
        free(b->ring);
        b->ring = NULL;
    }
}

static void send_alone(struct send_op *op)
{
    ssize_t n = sock_send(op->fd, op->data, op->len);

    op->result = n < 0 ? -errno : n;
}

static unsigned take_results(struct io_uring *ring)
{
    struct io_uring_cqe *cqe;
    unsigned head;
    unsigned n = 0;

    io_uring_for_each_cqe(ring, head, cqe)
    {
        struct send_op *op = io_uring_cqe_get_data(cqe);
        op->result = cqe->res;
        n++;
    }
    io_uring_cq_advance(ring, n);
    return n;
}

/* Sockets are non-blocking: the kernel has the result of each when the call returns. False: the
 * ring is of no use. */
static bool send_by_ring(struct send_batch *b)
{
    unsigned known = 0;

    for (struct send_op *op = b->queued.next; op != &b->queued; op = op->next) {
        struct io_uring_sqe *sqe = io_uring_get_sqe(b->ring);
        io_uring_prep_send(sqe, op->fd, op->data, op->len, MSG_NOSIGNAL | MSG_DONTWAIT);
        io_uring_sqe_set_data(sqe, op);
        op->result = -EAGAIN;
    }
    while (known < b->count) {
        int r = io_uring_submit_and_wait(b->ring, b->count - known);
        known += take_results(b->ring);
        if (r < 0 && r != -EINTR && known < b->count) {
            return false;
        }
    }
    return true;
}

void send_batch_submit(struct send_batch *b)
{
    if (b->count == 1) {
        send_alone(b->queued.next);
    } else if (b->count > 1 && !send_by_ring(b)) {
        ring_free(b); /* what it did not take was not sent, and waits as if the socket were full */
    }
    atomic_fetch_add_explicit(&b->worker->counters.together, b->count > 1 ? b->count : 0,
                              memory_order_relaxed);
    while (!list_is_empty(&b->queued)) {
        struct send_op *op = b->queued.next;
        list_remove(op);
        list_add(&b->sent, op);
        op->unsent = false;
    }
    b->count = 0;
}

void send_batch_deliver(struct send_batch *b)
{
    send_batch_submit(b);
    while (!list_is_empty(&b->sent)) {
        struct send_op *op = b->sent.next;
        ssize_t n = op->result;
        list_remove(op);
        if (n < 0) {
            errno = (int)-n;
            n = -1;
        }
        op->on_sent(op, n);
    }
}

static void on_end_of_turn(evutil_socket_t fd, short what, void *arg)
{
    struct send_batch *b = arg;

    worker_look_at_clock(b->worker);
    send_batch_deliver(b);
}

void send_batch_init(struct send_batch *b, struct worker *w, bool ring)
{
    b->worker = w;
    list_init(&b->queued);
    list_init(&b->sent);
    event_assign(&b->end_of_turn, w->base, -1, 0, on_end_of_turn, b);
    b->ring = ring ? ring_new() : NULL;
    if (ring && !b->ring && w->opts.index == 0) {
        deis_info("io_uring is not to be had: messages are sent one by one");
    }
}

void send_batch_clear(struct send_batch *b)
{
    ring_free(b);
}

bool send_batch_is_open(const struct send_batch *b)
{
    return b->ring && event_base_get_num_events(b->worker->base, EVENT_BASE_COUNT_ACTIVE) > 0;
}

void send_batch_add(struct send_batch *b, struct send_op *op, int fd, const void *data, size_t len)
{
    if (b->count == ENTRIES) {
        send_batch_submit(b);
    }
    if (b->count == 0) {
        b->since_us = b->worker->now_us;
        event_active(&b->end_of_turn, EV_TIMEOUT, 0); /* behind all that is active already */
    }
    op->fd = fd;
    op->data = data;
    op->len = len;
    op->unsent = true;
    list_add(&b->queued, op);
    b->count++;
}

void send_drop(struct send_batch *b, struct send_op *op)
{
    if (send_is_queued(op)) {
        b->count -= op->unsent;
        list_remove(op);
    }
}
