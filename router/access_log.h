/* SPDX-License-Identifier: MIT */
/*
 * The access log of one worker. To a file: lines gather in a buffer that is written when it is
 * nearly full or at a tick. To the logger: lines go into a ring that the main thread empties; when
 * it is full they are dropped and counted, a worker never waits.
 */
#ifndef DEIS_ROUTER_ACCESS_LOG_H
#define DEIS_ROUTER_ACCESS_LOG_H

#include "router/core/log_line.h"

#include <stdatomic.h>

struct access_log {
    int fd; /* >= 0: to this file */
    bool to_ring;
    char *data;            /* buffer or ring, made at the first line */
    size_t len;            /* of the buffer */
    _Atomic uint64_t head; /* ring: bytes ever written, by the worker */
    _Atomic uint64_t tail; /* ring: bytes ever read, by the main thread */
    _Atomic uint64_t dropped;
    void (*on_first)(void *arg); /* the ring was empty; thread: worker */
    void *arg;
};

/* One entry of the ring, as it was logged. */
struct access_entry {
    uint64_t time_ms;
    struct deis_str app;
    struct deis_str text;
};

/* thread: worker. user_app: lines of the platform's own hosts stay out of the ring. */
void access_log_add(struct access_log *log, const struct log_line *line, bool user_app);
void access_log_flush(struct access_log *log); /* file */

static inline bool access_log_pending(const struct access_log *log)
{
    return log->fd >= 0 && log->len > 0;
}

void access_log_clear(struct access_log *log);

/* Read one entry; its views point into scratch, of ACCESS_ENTRY_MAX bytes. False: empty. thread:
 * main */
#define ACCESS_ENTRY_MAX (LOG_LINE_MAX + 512)
bool access_log_next(struct access_log *log, char *scratch, struct access_entry *ret);

#endif
