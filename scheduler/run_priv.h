/* SPDX-License-Identifier: MIT */
/*
 * Shared by the parts of one-off processes only: run.c (the process), run_stop.c (its end on
 * request), run_leftover.c (those of an earlier agent), run_server.c and run_attached.c (requests).
 */
#ifndef SCHEDULER_RUN_PRIV_H
#define SCHEDULER_RUN_PRIV_H

#include "run.pb-c.h"
#include "scheduler/run.h"

#define RUN_OUTPUT_MAX    (1024 * 1024) /* of a collected one */
#define RUN_WINDOW        (256 * 1024)  /* of an attached one, each way */
#define RUN_WINDOW_SLACK  (64 * 1024)   /* what comes while its output is being held up */
#define RUN_KEEP_MS       60000         /* after its end, until that was reported */
#define RUN_KEEP_ENDED_MS 300000        /* the same of a detached one */
#define RUN_MAX           64            /* at a time */
#define RUN_KNOWN_MAX     512           /* with those that have ended */
#define RUN_LOOK_MS       1000
#define RUN_LOOK_CALM_MS  10000 /* while its attachment would tell */
#define RUN_EARLY_MAX     128
#define RUN_LABEL_MODE    "deis.run_mode"
#define RUN_LABEL_UNTIL   "deis.run_until" /* its time limit, Unix time in ms */

/* A request that came before the Engine's containers were listed. */
struct run_early {
    struct run_early *next;
    struct deis_bus_call *call;
    const ProtobufCMessage *msg;
    void (*handle)(struct deis_bus_call *call, const ProtobufCMessage *msg, void *arg);
};

struct run_server {
    const struct context *ctx;
    struct runtime *rt;
    struct logship *logs;
    struct agent *agent;
    struct deis_bus_server *bus;
    struct deis_workers *jobs;
    struct deis_map *runs; /* by id: struct run */
    bool listed;           /* what an earlier agent left is known */
    struct run_early *early;
    size_t early_count;
    bool stopping;
};

enum run_state { RUN_CREATING, RUN_ATTACHING, RUN_STARTING, RUN_RUNNING, RUN_ENDED };

struct run {
    struct run_server *server;
    enum run_state state;
    Deis__RunMode mode;
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
    bool tty;
    uint32_t rows;
    uint32_t columns;
    char *term;
    char *container; /* id, or NULL */
    struct deis_docker_attachment *attachment;
    struct deis_buf output;
    uint64_t output_base; /* bytes that an attached caller has taken, before `output` */
    bool held_up;         /* its output waits for the caller */
    bool deaf;            /* nobody wants its output any more */
    bool truncated;
    int32_t exit_code;
    struct deis_err err; /* why it could not be started or followed; code OK = it could */
    bool busy;           /* a job of it is under way */
    bool attach_over;
    unsigned gone_looks; /* it had ended, the attachment had not */
    bool removing;       /* or removed */
    bool reported;
    const char *ending;            /* signal that ends it, NULL = it may go on */
    struct deis_timer *ender;      /* when the next signal is due */
    struct deis_timer *timer;      /* its time limit, then how long it is kept */
    struct deis_timer *look;       /* has it ended? */
    struct deis_bus_call *starter; /* waits for the start, or NULL */
    struct run_waiter *waiters;
    /* attached */
    struct deis_timer *lease; /* is its caller still there? */
    uint64_t heard_ms;
    uint64_t input_offset; /* so far all input was taken */
    bool input_over;
    struct deis_bus_call *input; /* waits for room, or NULL */
    const Deis__RunInput *input_msg;
    struct deis_timer *input_timer;
};

/* Somebody waits for output. */
struct run_waiter {
    struct run *run;
    struct deis_bus_call *call;
    uint64_t offset;
    struct deis_timer *timer;
    struct run_waiter *next;
};

/* --- run.c --- */
/* Makes it known to the server. */
void run_add(struct run *r);
/* Takes a run that was added and starts it. */
void run_begin(struct run *r);
void run_free(void *r);
/* Its end was told to the caller. */
void run_reported(struct run *r);
/* The state RUN_RUNNING, of one that was started now or by an earlier agent: until_ms from now on.
 * 0 = without a limit. */
void run_goes_on(struct run *r, uint64_t until_ms);
/* It can't be started, or not be followed any more. */
void run_fail(struct run *r, const struct deis_err *err);
/* Sends r->ending when no other job is under way; false: not now. */
bool run_send_signal(struct run *r);
/* Tell the caller no more than that it could not be done; take its output no more. */
void run_turn_deaf(struct run *r);
/* May its output come? After bytes were taken. */
void run_hold_up(struct run *r);
extern const struct deis_docker_attach_ops run_attach_ops;

/* --- run_stop.c --- */
/* End it by this signal (a constant), after a grace time by SIGKILL, which is sent until it works.
 * A later call only makes it harder. */
void run_stop(struct run *r, const char *signal);
/* r->ender fires. */
void run_end_is_due(void *run);
/* What came of run_send_signal(). */
void run_signalled(struct run *r, const struct deis_err *err);
/* Watch over the caller of an attached one. */
void run_lease_start(struct run *r);

/* --- run_leftover.c --- */
/* A container of a run, as the Engine lists it: adopt it when this process does not know of it. */
void run_leftover(struct run_server *s, const json_t *container);

/* --- run_server.c: tell those who wait --- */
void run_answer_start(struct run *r);
void run_answer_waiters(struct run *r);
void run_refuse(struct deis_bus_call *call, enum deis_code code, const char *format, ...)
    deis_printf(3, 4);
/* The run of a request; NULL: the request is answered, or waits until the containers were listed.
 */
struct run *run_of(struct run_server *s, const char *id, struct deis_bus_call *call,
                   const ProtobufCMessage *msg,
                   void (*handle)(struct deis_bus_call *call, const ProtobufCMessage *msg,
                                  void *arg));

/* --- run_attached.c --- */
void run_on_input(struct deis_bus_call *call, const ProtobufCMessage *msg, void *arg);
void run_on_control(struct deis_bus_call *call, const ProtobufCMessage *msg, void *arg);
void run_on_status(struct deis_bus_call *call, const ProtobufCMessage *msg, void *arg);
/* There may be room, or none will ever be. */
void run_answer_input(struct run *r);
/* Give the terminal its first size. */
void run_first_size(struct run *r);

#endif
