/* SPDX-License-Identifier: MIT */
/* One-off processes: created, attached to, started, followed to their end, removed. */
#include "scheduler/run_priv.h"

#include "lib/base/clock.h"
#include "lib/net/log.h"
#include "lib/wire/run_frame.h"

#include <stdio.h>

#define LOOKS_GONE 10 /* then it has ended, whatever its attachment says */

enum run_job { JOB_CREATE, JOB_START, JOB_KILL, JOB_LOOK, JOB_REMOVE };

struct job {
    struct run *run;
    enum run_job job;
    const char *signal;
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
    deis_timer_free(r->ender);
    deis_timer_free(r->lease);
    deis_timer_free(r->input_timer);
    deis_buf_clear(&r->output);
    deis_strv_free(r->entrypoint);
    deis_strv_free(r->command);
    free(r->id);
    free(r->app);
    free(r->process);
    free(r->image);
    free(r->sealed_env);
    free(r->term);
    free(r->container);
    free(r);
}

/* --- on a worker --- */

static int create(struct job *j)
{
    struct run *r = j->run;
    deis_autofree char *until = deis_asprintf(
        "%llu", r->timeout_ms > 0 ? (unsigned long long)(deis_wall_ms() + r->timeout_ms) : 0ULL);
    deis_autofree char *mode = deis_asprintf("%d", (int)r->mode);
    deis_autojson json_t *labels =
        json_pack("{s:s, s:s, s:s, s:s}", "deis.run", r->id, "deis.process", r->process,
                  RUN_LABEL_MODE, mode, RUN_LABEL_UNTIL, until);
    struct runtime_create c = {
        .name = r->id,
        .app = r->app,
        .image = r->image,
        .sealed_env = r->sealed_env,
        .entrypoint = r->entrypoint,
        .command = r->command,
        .memory_bytes = r->memory_bytes,
        .cpu_shares = r->cpu_shares,
        .attached = r->mode == DEIS__RUN_MODE__RUN_ATTACHED,
        .tty = r->tty,
        .term = r->tty ? r->term : NULL,
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
    case JOB_KILL: rc = runtime_signal(rt, j->run->container, j->signal, &j->err); break;
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
    j->signal = r->ending;
    j->running = true; /* until a look says otherwise: there may be no room for one now */
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
        deis_timer_after(r->timer, RUN_LOOK_MS); /* until it is removed */
    } else if (!r->busy && !r->waiters) {
        forget(r);
    } else {
        deis_timer_after(r->timer, RUN_LOOK_MS);
    }
}

static void end(struct run *r, int32_t exit_code)
{
    bool detached = r->mode == DEIS__RUN_MODE__RUN_DETACHED;

    r->state = RUN_ENDED;
    r->exit_code = exit_code;
    r->input_over = true;
    deis_timer_cancel(r->look);
    deis_timer_cancel(r->ender);
    deis_timer_free(DEIS_TAKE(r->lease));
    deis_timer_free(r->timer);
    r->timer = deis_timer_new(r->server->ctx->loop, on_kept, r);
    deis_timer_after(r->timer, detached ? RUN_KEEP_ENDED_MS : RUN_KEEP_MS);
    if (r->container) {
        logship_ended(r->server->logs, r->container);
    }
    deis_info("run ended", KV_S("run", r->id), KV_I("code", exit_code), KV_ERR(&r->err));
    run_answer_start(r);
    run_answer_waiters(r);
    run_answer_input(r);
    if (r->reported || (r->deaf && !detached)) { /* nobody asks any more */
        run_reported(r);
    }
}

void run_fail(struct run *r, const struct deis_err *err)
{
    r->err = *err;
    r->reported = true;
    deis_docker_attach_stop(DEIS_TAKE(r->attachment));
    end(r, 125);
}

static void on_time_limit(void *arg)
{
    struct run *r = arg;

    deis_warn("run is killed at its time limit", KV_S("run", r->id));
    run_stop(r, "SIGKILL");
}

/* Was its end asked for before it had begun? Then it is over. */
static bool give_up(struct run *r)
{
    struct deis_err err = DEIS_ERR_INIT;

    if (r->ending) {
        deis_err_set(&err, DEIS_CANCELLED, "'%.200s' was stopped before it had started", r->id);
        run_fail(r, &err);
    }
    return r->ending != NULL;
}

static void on_look(void *arg)
{
    struct run *r = arg;

    if (r->busy) {
        deis_timer_after(r->look, RUN_LOOK_MS);
    } else if (r->state == RUN_RUNNING) {
        start_job(r, JOB_LOOK);
    } else if (r->state == RUN_ATTACHING) {
        (void)give_up(r);
    }
}

static void on_attached(void *arg)
{
    struct run *r = arg;

    if (r->state == RUN_ATTACHING && !r->ending) {
        r->state = RUN_STARTING;
        start_job(r, JOB_START);
    } else if (r->state == RUN_ATTACHING) {
        deis_timer_after(r->look, 0); /* not from within the attachment: giving up ends it */
    }
}

void run_hold_up(struct run *r)
{
    bool full = r->mode == DEIS__RUN_MODE__RUN_ATTACHED && !r->deaf && r->output.len >= RUN_WINDOW;

    if (full != r->held_up && r->attachment && (full || r->output.len < RUN_WINDOW / 2)) {
        r->held_up = full;
        deis_docker_attach_pause(r->attachment, full);
    }
}

void run_turn_deaf(struct run *r)
{
    r->deaf = true;
    deis_buf_clear(&r->output);
    run_hold_up(r);
}

static void on_output(int stream, struct deis_str data, void *arg)
{
    struct run *r = arg;
    size_t room = r->output.max_bytes - r->output.len;

    if (r->deaf) {
        return;
    }
    if (r->mode == DEIS__RUN_MODE__RUN_ATTACHED) {
        deis_run_frame_add(&r->output, stream == 2 ? DEIS_RUN_ERROR : DEIS_RUN_OUTPUT, data);
        run_hold_up(r);
        run_answer_waiters(r);
        return;
    }
    r->truncated = r->truncated || data.len > room;
    deis_buf_add_str(&r->output, deis_str_first(data, room));
    run_answer_waiters(r);
}

static void on_attach_end(const struct deis_err *err, void *arg)
{
    struct run *r = arg;

    r->attach_over = true;
    r->input_over = true;
    if (r->state == RUN_ATTACHING) {
        struct deis_err early = DEIS_ERR_INIT;
        deis_err_set(&early, DEIS_UNAVAILABLE, "can't attach: %s", err ? err->msg : "it ended");
        run_fail(r, &early);
    } else if (r->state == RUN_RUNNING) {
        run_answer_input(r);
        deis_timer_after(r->look, 0);
    }
}

static void on_drained(void *arg)
{
    run_answer_input(arg);
}

const struct deis_docker_attach_ops run_attach_ops = { .on_attached = on_attached,
                                                       .on_output = on_output,
                                                       .on_end = on_attach_end,
                                                       .on_drained = on_drained };

static void attach(struct run *r)
{
    const struct context *ctx = r->server->ctx;

    if (r->mode == DEIS__RUN_MODE__RUN_ATTACHED) {
        r->attachment = deis_docker_attach_input(ctx->docker, ctx->loop, r->container, r->tty,
                                                 &run_attach_ops, r);
    } else {
        logship_add(r->server->logs, r->container, r->app, r->process);
        r->attachment =
            deis_docker_attach_start(ctx->docker, ctx->loop, r->container, &run_attach_ops, r);
    }
}

static void created(struct run *r, struct job *j)
{
    if (j->err.code != DEIS_OK) {
        if (j->err.code == DEIS_CONFLICT) {
            deis_err_wrap(&j->err, "'%.200s' was started before", r->id);
        }
        run_fail(r, &j->err);
        return;
    }
    r->container = DEIS_TAKE(j->container);
    if (!give_up(r)) {
        r->state = RUN_ATTACHING;
        attach(r);
    }
}

static void look_soon(struct run *r)
{
    deis_timer_after(r->look, r->attach_over ? 0 : RUN_LOOK_CALM_MS);
}

void run_goes_on(struct run *r, uint64_t until_ms)
{
    r->state = RUN_RUNNING;
    if (until_ms > 0) {
        deis_timer_after(r->timer, until_ms);
    }
    if (r->ending) {
        deis_timer_after(r->ender, 0);
    }
    look_soon(r);
}

static void started(struct run *r, struct job *j)
{
    if (j->err.code != DEIS_OK) {
        run_fail(r, &j->err);
        return;
    }
    deis_info("run started", KV_S("run", r->id));
    run_goes_on(r, r->timeout_ms);
    run_first_size(r);
    run_answer_start(r);
}

static void looked(struct run *r, const struct job *j)
{
    r->gone_looks = j->running || r->held_up ? 0 : r->gone_looks + 1;
    if (!j->running && (r->attach_over || r->gone_looks > LOOKS_GONE)) {
        end(r, j->exit_code);
        return;
    }
    /* its last output comes by the attachment */
    deis_timer_after(r->look, j->running && !r->attach_over ? RUN_LOOK_CALM_MS : RUN_LOOK_MS);
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
        case JOB_KILL: run_signalled(r, &j->err); break;
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

bool run_send_signal(struct run *r)
{
    bool idle = !r->busy;

    if (idle) {
        start_job(r, JOB_KILL);
    }
    return idle;
}

void run_add(struct run *r)
{
    struct deis_loop *loop = r->server->ctx->loop;
    bool attached = r->mode == DEIS__RUN_MODE__RUN_ATTACHED;

    r->timer = deis_timer_new(loop, on_time_limit, r);
    r->look = deis_timer_new(loop, on_look, r);
    r->ender = deis_timer_new(loop, run_end_is_due, r);
    deis_buf_init(&r->output, attached ? RUN_WINDOW + RUN_WINDOW_SLACK : RUN_OUTPUT_MAX);
    r->deaf = r->mode == DEIS__RUN_MODE__RUN_DETACHED;
    deis_map_set(r->server->runs, deis_str(r->id), r);
}

void run_begin(struct run *r)
{
    if (r->mode == DEIS__RUN_MODE__RUN_ATTACHED) {
        run_lease_start(r);
    }
    start_job(r, JOB_CREATE);
}

void run_reported(struct run *r)
{
    r->reported = true;
    clean_up(r);
}
