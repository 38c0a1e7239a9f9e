/* SPDX-License-Identifier: MIT */
/* Shared by run.c (the process) and run_server.c (its requests) only. */
#ifndef SCHEDULER_RUN_PRIV_H
#define SCHEDULER_RUN_PRIV_H

#include "run.pb-c.h"
#include "scheduler/run.h"

#define RUN_OUTPUT_MAX (1024 * 1024)
#define RUN_KEEP_MS    60000 /* after its end */
#define RUN_MAX        64    /* at a time */

struct run_server {
    const struct context *ctx;
    struct runtime *rt;
    struct logship *logs;
    struct agent *agent;
    struct deis_bus_server *bus;
    struct deis_workers *jobs;
    struct deis_map *runs; /* by id: struct run */
    bool stopping;
};

enum run_state { RUN_CREATING, RUN_ATTACHING, RUN_STARTING, RUN_RUNNING, RUN_ENDED };

struct run {
    struct run_server *server;
    enum run_state state;
    char *id;
    char *app;
    char *process;
    char *image;
    char *sealed_env;
    char **entrypoint; /* NULL = the image's */
    char **command;    /* NULL = the image's */
    uint64_t memory_bytes;
    uint32_t cpu_shares;
    uint64_t timeout_ms;
    char *container; /* id, or NULL */
    struct deis_docker_attachment *attachment;
    struct deis_buf output;
    bool truncated;
    int32_t exit_code;
    struct deis_err err; /* why it could not be started; code OK = it could */
    bool busy;           /* a job of it is under way */
    bool attach_over;
    bool removing; /* or removed */
    bool reported;
    struct deis_timer *timer;      /* its time limit, then how long it is kept */
    struct deis_timer *look;       /* has it ended? */
    struct deis_bus_call *starter; /* waits for the start, or NULL */
    struct run_waiter *waiters;
};

/* Somebody waits for output. */
struct run_waiter {
    struct run *run;
    struct deis_bus_call *call;
    uint64_t offset;
    struct deis_timer *timer;
    struct run_waiter *next;
};

/* run.c: takes the run over and starts it. */
void run_begin(struct run *r);
void run_free(void *r);
/* run.c: its end was told to the caller. */
void run_reported(struct run *r);
/* run.c: a container of a run that this process knows nothing of. */
void run_leftover(struct run_server *s, const char *id, const char *container, bool running,
                  const char *app, const char *process);

/* run_server.c: tell those who wait. */
void run_answer_start(struct run *r);
void run_answer_waiters(struct run *r);

#endif
