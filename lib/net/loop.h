/* SPDX-License-Identifier: MIT */
/*
 * The event loop: libevent underneath, plus signals, timers, deferred calls, and a small pool of
 * worker threads for what blocks. Rule of the suite: **streams live on the loop, calls that wait
 * for an answer (etcd, Docker, scrypt, libgit2) run as blocking code on a worker thread.**
 */
#ifndef DEIS_NET_LOOP_H
#define DEIS_NET_LOOP_H

#include "lib/base/err.h"

#include <event2/event.h>

struct deis_loop;

/* Once per process, before anything else of lib/net, lib/etcd: libevent threads, curl, OpenSSL,
 * SIGPIPE (ignored: programs that are started must get it back), malloc arenas. thread: main */
void deis_runtime_init(const char *service);

struct deis_loop *deis_loop_new(void);
/* Workers that are left are freed first, then posted calls that still wait are made. NULL is fine.
 */
void deis_loop_free(struct deis_loop *loop);
struct event_base *deis_loop_base(struct deis_loop *loop);
/* Run until deis_loop_stop(). SIGTERM and SIGINT call on_stop (which should drain and then call
 * deis_loop_stop); without one, or when they come again, they stop the loop at once. Only a loop
 * that runs on the process's main thread gets signals. */
void deis_loop_on_stop(struct deis_loop *loop, void (*on_stop)(void *arg), void *arg);
void deis_loop_run(struct deis_loop *loop);
void deis_loop_stop(struct deis_loop *loop); /* thread: any */

/* Call fn(arg) from the loop, after the current callback. thread: any */
void deis_loop_post(struct deis_loop *loop, void (*fn)(void *arg), void *arg);

/* One-shot and periodic timers. thread: loop */
struct deis_timer;
struct deis_timer *deis_timer_new(struct deis_loop *loop, void (*fn)(void *arg), void *arg);
void deis_timer_after(struct deis_timer *t, uint64_t ms); /* (re)arm, once */
void deis_timer_every(struct deis_timer *t, uint64_t ms); /* (re)arm, repeating */
void deis_timer_cancel(struct deis_timer *t);
void deis_timer_free(struct deis_timer *t); /* NULL is fine */

/* Worker threads. work(arg) runs on one of them, then done(arg) (may be NULL) on the loop. Jobs
 * queue beyond `threads`; DEIS_LIMIT when `queue_max` wait already. Threads start on demand (256
 * KiB stacks) and end after 10 s without work. new: loop thread; run: any */
struct deis_workers;
struct deis_workers *deis_workers_new(struct deis_loop *loop, unsigned threads, unsigned queue_max);
int deis_workers_run(struct deis_workers *w, void (*work)(void *arg), void (*done)(void *arg),
                     void *arg, struct deis_err *err) deis_must_check;
/* Waits until all accepted jobs, queued ones too, have run, and calls their done. Accept no more
 * meanwhile. thread: loop */
void deis_workers_free(struct deis_workers *w);

/* A random delay in [base/2, base] doubled per attempt up to max: for retries. thread: any */
uint64_t deis_backoff_ms(unsigned attempt, uint64_t base_ms, uint64_t max_ms);

#endif
