/* SPDX-License-Identifier: MIT */
/*
 * How a unit is run: containers of the local Docker Engine. Blocking calls for worker threads, each
 * idempotent: after a crash of the agent, or an answer that never came, they may simply be
 * repeated. thread: any
 */
#ifndef SCHEDULER_RUNTIME_H
#define SCHEDULER_RUNTIME_H

#include "scheduler/context.h"
#include "scheduler/core/unit_fsm.h"

#define RUNTIME_NAME_MAX 300

struct runtime;

struct runtime *runtime_new(const struct context *ctx);
void runtime_free(struct runtime *rt); /* NULL is fine */

/* Name of a unit's container. */
void runtime_name(const char *unit, char out[RUNTIME_NAME_MAX]);

/* What the calls for one container give back; the texts of `result` lie in the struct. */
struct runtime_answer {
    struct unit_result result;
    char container[80];
    char address[80];
    char exit_error[200];
    struct deis_err err;
};

/* Carry out one job of a unit. Never fails itself: answer->result says how it ended. */
void runtime_do(struct runtime *rt, enum unit_job job, const struct deis_unit *unit,
                struct runtime_answer *answer);

/* The parts of it that one-off processes need too. */
/* Where images that it fetches are noted (lib/net/docker_fetched.h): yours. */
char *runtime_image_folder(const struct runtime *rt);
int runtime_fetch(struct runtime *rt, const char *image, struct deis_err *err) deis_must_check;

/* A container from the template. port is decided and stored in its label when `routable`; *ret_id
 * is yours. */
struct runtime_create {
    const char *name;
    const char *app;
    const char *image;
    const char *sealed_env;
    char *const *entrypoint;
    char *const *command;
    uint64_t memory_bytes;
    uint32_t cpu_shares;
    bool routable;
    bool attached; /* as in a container_spec */
    bool tty;
    const char *term;
    json_t *labels; /* added to; deis.agent and deis.app are set here */
};

int runtime_create(struct runtime *rt, const struct runtime_create *c, char **ret_id,
                   struct deis_err *err) deis_must_check;
int runtime_start(struct runtime *rt, const char *container, struct deis_err *err) deis_must_check;
/* Size of the terminal of a container that runs. */
int runtime_resize(struct runtime *rt, const char *container, uint32_t rows, uint32_t columns,
                   struct deis_err *err) deis_must_check;
/* signal NULL = the image's stop signal, or SIGTERM. Not running or not there is success. */
int runtime_signal(struct runtime *rt, const char *container, const char *signal,
                   struct deis_err *err) deis_must_check;

#endif
