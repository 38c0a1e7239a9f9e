/* SPDX-License-Identifier: MIT */
/* One-off processes: created, attached to, started, followed to their end, removed. */
#include "scheduler/run_priv.h"

#include "lib/net/log.h"

#include <stdio.h>

#define LOOK_MS 1000

enum run_job { JOB_CREATE, JOB_START, JOB_KILL, JOB_LOOK, JOB_REMOVE };

struct job {
    struct run *run;
    enum run_job job;
    struct deis_err err;
    char *container;
    bool running;
    int32_t exit_code;
};

void run_free(void *p)
{
    struct run *r = p;

    deis_docker_attach_stop(r->attachment);
    deis_timer_free(r->timer);
    deis_timer_free(r->look);
    deis_buf_clear(&r->output);
    deis_strv_free(r->entrypoint);
    deis_strv_free(r->command);
    free(r->id);
    free(r->app);
    free(r->process);
    free(r->image);
    free(r->sealed_env);
    free(r->container);
    free(r);
}

/* --- on a worker --- */

static int create(struct job *j)
{
    struct run *r = j->run;
    deis_autojson json_t *labels =
        json_pack("{s:s, s:s}", "deis.run", r->id, "deis.process", r->process);
    struct runtime_create c = {
        .name = r->id,
        .app = r->app,
        .image = r->image,
        .sealed_env = r->sealed_env,
        .entrypoint = r->entrypoint,
        .command = r->command,
        .memory_bytes = r->memory_bytes,
        .cpu_shares = r->cpu_shares,
        .labels = labels,
    };
    int rc = runtime_fetch(r->server->rt, r->image, &j->err);

    return rc < 0 ? rc : runtime_create(r->server->rt, &c, &j->container, &j->err);
}

static int look(struct job *j)
{
    deis_autojson json_t *info = NULL;
    int rc = deis_docker_inspect(j->run->server->ctx->docker, j->run->container, &info, &j->err);
    json_t *state = json_object_get(info, "State");

    j->running = rc < 0 || json_is_true(json_object_get(state, "Running"));
    j->exit_code = (int32_t)json_integer_value(json_object_get(state, "ExitCode"));
    if (rc == DEIS_NOT_FOUND) { /* removed behind our back */
        j->running = false;
        j->exit_code = 137;
    }
    return rc;
}

static void work(void *arg)
{
    struct job *j = arg;
    struct runtime *rt = j->run->server->rt;
    int rc = 0;

    switch (j->job) {
    case JOB_CREATE: rc = create(j); break;
    case JOB_START: rc = runtime_start(rt, j->run->container, &j->err); break;
    case JOB_KILL: rc = runtime_signal(rt, j->run->container, "SIGKILL", &j->err); break;
    case JOB_LOOK: rc = look(j); break;
    case JOB_REMOVE:
        rc = deis_docker_remove(j->run->server->ctx->docker, j->run->container, &j->err);
        break;
    }
    if (rc >= 0) {
        j->err = (struct deis_err)DEIS_ERR_INIT; /* what was got over on the way */
    }
}

/* --- on the loop --- */

static void done(void *arg);

static void start_job(struct run *r, enum run_job job)
{
    struct job *j = deis_alloc(sizeof(*j));

    j->run = r;
    j->job = job;
    r->busy = true;
    if (deis_workers_run(r->server->jobs, work, done, j, &j->err) < 0) {
        done(j);
    }
}

static void on_log_saved(void *arg)
{
    start_job(arg, JOB_REMOVE);
}

/* Remove the container when its end is known to whom it concerns, or nobody asks any more. */
static void clean_up(struct run *r)
{
    if (r->state == RUN_ENDED && r->container && !r->removing && !r->busy) {
        r->removing = true;
        logship_finish(r->server->logs, r->container, on_log_saved, r);
    }
}

static void forget(struct run *r)
{
    deis_map_remove(r->server->runs, deis_str(r->id));
}

static void on_kept(void *arg)
{
    struct run *r = arg;

    if (r->container) {
        r->reported = true;
        clean_up(r);
        deis_timer_after(r->timer, LOOK_MS); /* until it is removed */
    } else if (!r->busy && !r->waiters) {
        forget(r);
    } else {
        deis_timer_after(r->timer, LOOK_MS);
    }
}

static void end(struct run *r, int32_t exit_code)
{
    r->state = RUN_ENDED;
    r->exit_code = exit_code;
    deis_timer_cancel(r->look);
    deis_timer_free(r->timer);
    r->timer = deis_timer_new(r->server->ctx->loop, on_kept, r);
    deis_timer_after(r->timer, RUN_KEEP_MS);
    if (r->container) {
        logship_ended(r->server->logs, r->container);
    }
    deis_info("run ended", KV_S("run", r->id), KV_I("code", exit_code), KV_ERR(&r->err));
    run_answer_start(r);
    run_answer_waiters(r);
}

static void fail(struct run *r, const struct deis_err *err)
{
    r->err = *err;
    r->reported = true;
    deis_docker_attach_stop(DEIS_TAKE(r->attachment));
    end(r, 125);
    clean_up(r);
}

static void on_time_limit(void *arg)
{
    struct run *r = arg;

    deis_warn("run is killed at its time limit", KV_S("run", r->id));
    if (r->busy) {
        deis_timer_after(r->timer, LOOK_MS);
    } else {
        start_job(r, JOB_KILL);
    }
}

static void on_look(void *arg)
{
    struct run *r = arg;

    if (r->busy) {
        deis_timer_after(r->look, LOOK_MS);
    } else if (r->state == RUN_RUNNING) {
        start_job(r, JOB_LOOK);
    }
}

static void on_attached(void *arg)
{
    struct run *r = arg;

    if (r->state == RUN_ATTACHING) {
        r->state = RUN_STARTING;
        start_job(r, JOB_START);
    }
}

static void on_output(int stream, struct deis_str data, void *arg)
{
    struct run *r = arg;
    size_t room = RUN_OUTPUT_MAX - r->output.len;

    r->truncated = r->truncated || data.len > room;
    deis_buf_add_str(&r->output, deis_str_first(data, room));
    run_answer_waiters(r);
}

static void on_attach_end(const struct deis_err *err, void *arg)
{
    struct run *r = arg;

    r->attach_over = true;
    if (r->state == RUN_ATTACHING) {
        struct deis_err early = DEIS_ERR_INIT;
        deis_err_set(&early, DEIS_UNAVAILABLE, "can't attach: %s", err ? err->msg : "it ended");
        fail(r, &early);
    } else if (r->state == RUN_RUNNING) {
        deis_timer_after(r->look, 0);
    }
}

static void created(struct run *r, struct job *j)
{
    static const struct deis_docker_attach_ops ops = { .on_attached = on_attached,
                                                       .on_output = on_output,
                                                       .on_end = on_attach_end };

    if (j->err.code != DEIS_OK) {
        if (j->err.code == DEIS_CONFLICT) {
            deis_err_wrap(&j->err, "'%.200s' was started before", r->id);
        }
        fail(r, &j->err);
        return;
    }
    r->container = DEIS_TAKE(j->container);
    r->state = RUN_ATTACHING;
    logship_add(r->server->logs, r->container, r->app, r->process);
    r->attachment = deis_docker_attach_start(r->server->ctx->docker, r->server->ctx->loop,
                                             r->container, &ops, r);
}

static void started(struct run *r, struct job *j)
{
    if (j->err.code != DEIS_OK) {
        fail(r, &j->err);
        return;
    }
    r->state = RUN_RUNNING;
    if (r->timeout_ms > 0) {
        deis_timer_after(r->timer, r->timeout_ms);
    }
    deis_info("run started", KV_S("run", r->id));
    run_answer_start(r);
    deis_timer_after(r->look, r->attach_over ? 0 : LOOK_MS);
}

static void looked(struct run *r, const struct job *j)
{
    if (j->running || !r->attach_over) {
        deis_timer_after(r->look, LOOK_MS); /* its last output comes by the attachment */
    } else {
        end(r, j->exit_code);
    }
}

static void done(void *arg)
{
    struct job *j = arg;
    struct run *r = j->run;

    r->busy = false;
    if (!r->server->stopping) {
        switch (j->job) {
        case JOB_CREATE: created(r, j); break;
        case JOB_START: started(r, j); break;
        case JOB_KILL: break;
        case JOB_LOOK: looked(r, j); break;
        case JOB_REMOVE:
            if (j->err.code == DEIS_OK) {
                free(DEIS_TAKE(r->container));
            } else {
                deis_warn("can't remove a run's container", KV_S("run", r->id), KV_ERR(&j->err));
                r->removing = false; /* the timer tries again */
            }
            break;
        }
    }
    free(j->container);
    free(j);
}

void run_begin(struct run *r)
{
    r->timer = deis_timer_new(r->server->ctx->loop, on_time_limit, r);
    r->look = deis_timer_new(r->server->ctx->loop, on_look, r);
    deis_buf_init(&r->output, RUN_OUTPUT_MAX);
    deis_map_set(r->server->runs, deis_str(r->id), r);
    start_job(r, JOB_CREATE);
}

void run_reported(struct run *r)
{
    r->reported = true;
    clean_up(r);
}

void run_leftover(struct run_server *s, const char *id, const char *container, bool running,
                  const char *app, const char *process)
{
    if (deis_map_get(s->runs, deis_str(id))) {
        return;
    }
    logship_add(s->logs, container, app, process);
    if (running) {
        return; /* it may end in peace; the next list finds it again */
    }
    struct run *r = deis_alloc(sizeof(*r));
    r->server = s;
    r->id = deis_strdup(id);
    r->container = deis_strdup(container);
    r->state = RUN_RUNNING;
    r->attach_over = true;
    r->timer = deis_timer_new(s->ctx->loop, on_time_limit, r);
    r->look = deis_timer_new(s->ctx->loop, on_look, r);
    deis_buf_init(&r->output, RUN_OUTPUT_MAX);
    deis_map_set(s->runs, deis_str(r->id), r);
    end(r, 0);
    run_reported(r);
}
