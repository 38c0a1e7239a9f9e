/* SPDX-License-Identifier: MIT */
#include "scheduler/core/unit_fsm.h"

#include <stdio.h>

#define RETRY_MS 1000

static void set_state(struct unit_fsm *f, enum deis_state state, bool ready, struct unit_time now)
{
    if (f->state != state || f->ready != ready) {
        f->state = state;
        f->ready = ready;
        f->since_ms = now.wall_ms;
    }
}

static void set_text(char *to, size_t size, const char *text)
{
    snprintf(to, size, "%s", text ? text : "");
}

static void enter(struct unit_fsm *f, enum unit_phase phase, uint64_t wake_ms)
{
    f->phase = phase;
    f->wake_ms = wake_ms;
}

static bool is_leaving(const struct unit_fsm *f)
{
    return f->phase == UNIT_TERM || f->phase == UNIT_KILL || f->phase == UNIT_REMOVE ||
           f->phase == UNIT_GONE;
}

static uint64_t backoff_ms(unsigned attempt)
{
    return attempt >= 6 ? UNIT_BACKOFF_MAX_MS : (uint64_t)RETRY_MS << attempt;
}

void unit_fsm_init(struct unit_fsm *f, const struct deis_unit *unit,
                   const struct deis_unit_state *known, struct unit_time now)
{
    *f = (struct unit_fsm){
        .routable = unit->routable,
        .grace_ms = unit->grace_ms,
        .delay_ms = unit->health.path ? unit->health.delay_ms : 0,
        .desired = unit->desired,
        .phase = UNIT_LOOK,
        .state = DEIS_STATE_CREATED,
        .since_ms = now.wall_ms,
    };
    if (known) {
        f->state = known->state;
        f->ready = known->ready;
        f->exits = known->exits;
        f->exit_code = known->exit_code;
        f->exit_oom = known->exit_oom;
        f->exit_at_ms = known->exit_at_ms;
        f->since_ms = known->since_ms;
        set_text(f->container, sizeof(f->container), known->container);
        set_text(f->address, sizeof(f->address), known->address);
        set_text(f->exit_error, sizeof(f->exit_error), known->exit_error);
        set_text(f->reason, sizeof(f->reason), known->reason);
    }
}

/* Begin to end it, from wherever it is. No job is under way. */
static void leave(struct unit_fsm *f, struct unit_time now)
{
    bool may_run = f->phase == UNIT_RUN || f->phase == UNIT_START;

    set_state(f, DEIS_STATE_STOPPING, false, now);
    f->look_again = false;
    f->failures = 0;
    f->kill_at_ms = 0;
    enter(f, may_run ? UNIT_TERM : UNIT_REMOVE, 0);
}

void unit_fsm_recall(struct unit_fsm *f, const struct deis_unit_state *reported)
{
    bool unsure = (f->phase == UNIT_LOOK || f->phase == UNIT_RUN) && !f->ready;

    bool same = !*f->container || strcmp(reported->container, f->container) == 0;
    if (unsure && same && reported->ready && reported->exits == f->exits) {
        set_text(f->container, sizeof(f->container), reported->container);
        set_text(f->address, sizeof(f->address), reported->address);
        f->state = reported->state;
        f->ready = true;
        f->since_ms = reported->since_ms;
        set_text(f->reason, sizeof(f->reason), reported->reason);
    }
}

static uint64_t since(uint64_t then_ms, struct unit_time now)
{
    return now.wall_ms > then_ms ? now.wall_ms - then_ms : 0;
}

void unit_fsm_recall_crashes(struct unit_fsm *f, uint32_t crashes, struct unit_time now)
{
    bool stable = f->state == DEIS_STATE_UP && since(f->since_ms, now) >= UNIT_STABLE_MS;

    f->crashes = stable ? 0 : crashes;
}

void unit_fsm_want(struct unit_fsm *f, enum deis_desired desired)
{
    f->desired = desired;
}

void unit_fsm_hint(struct unit_fsm *f)
{
    f->look_again = true;
    if (f->phase == UNIT_RUN || (f->phase == UNIT_TERM && f->kill_at_ms > 0)) {
        f->wake_ms = 0;
    }
}

static enum unit_job job_of(const struct unit_fsm *f)
{
    switch (f->phase) {
    case UNIT_LOOK: return UNIT_JOB_LOOK;
    case UNIT_FETCH: return UNIT_JOB_FETCH;
    case UNIT_CREATE: return UNIT_JOB_CREATE;
    case UNIT_START: return UNIT_JOB_START;
    case UNIT_RUN: return f->look_again ? UNIT_JOB_LOOK : UNIT_JOB_NONE;
    case UNIT_WAIT: return UNIT_JOB_START;
    case UNIT_TERM: return f->kill_at_ms == 0 ? UNIT_JOB_TERM : UNIT_JOB_LOOK;
    case UNIT_KILL: return UNIT_JOB_KILL;
    case UNIT_REMOVE: return UNIT_JOB_REMOVE;
    case UNIT_GONE: return UNIT_JOB_NONE;
    }
    return UNIT_JOB_NONE;
}

/* Starting anything new makes no sense while the unit is drained. */
static bool is_held(const struct unit_fsm *f)
{
    return f->desired == DEIS_DESIRED_DRAIN && (f->phase == UNIT_FETCH || f->phase == UNIT_CREATE ||
                                                f->phase == UNIT_START || f->phase == UNIT_WAIT);
}

enum unit_job unit_fsm_next(struct unit_fsm *f, struct unit_time now)
{
    if (f->busy || is_held(f)) {
        return UNIT_JOB_NONE;
    }
    if (f->desired == DEIS_DESIRED_STOP && !is_leaving(f) && f->phase != UNIT_LOOK) {
        leave(f, now);
    }
    if (f->phase == UNIT_TERM && f->kill_at_ms > 0 && now.mono_ms >= f->kill_at_ms) {
        enter(f, UNIT_KILL, 0);
    }
    if (f->phase == UNIT_RUN && !f->routable && f->state == DEIS_STATE_STARTING &&
        now.mono_ms >= f->started_ms + UNIT_SETTLE_MS) {
        set_text(f->reason, sizeof(f->reason), "");
        set_state(f, DEIS_STATE_UP, true, now);
    }
    if (now.mono_ms < f->wake_ms) {
        return UNIT_JOB_NONE;
    }
    enum unit_job job = job_of(f);
    if (job == UNIT_JOB_LOOK) {
        f->look_again = false;
    }
    f->busy = job != UNIT_JOB_NONE;
    return job;
}

static void run(struct unit_fsm *f, const struct unit_result *r, bool ready, struct unit_time now)
{
    set_text(f->container, sizeof(f->container), r->container);
    set_text(f->address, sizeof(f->address), r->address);
    if (!ready) {
        set_text(f->reason, sizeof(f->reason), "");
    }
    set_state(f, ready ? DEIS_STATE_UP : DEIS_STATE_STARTING, ready, now);
    f->failures = 0;
    f->probe_fails = 0;
    f->started_ms = now.mono_ms;
    f->probe_at_ms = now.mono_ms + (ready ? 0 : f->delay_ms);
    enter(f, UNIT_RUN, 0);
}

static void end(struct unit_fsm *f, const struct unit_result *r, struct unit_time now)
{
    if (f->phase == UNIT_RUN && now.mono_ms - f->started_ms >= UNIT_STABLE_MS) {
        f->crashes = 0;
    }
    f->probe_void = f->probing;
    f->exits++;
    f->exit_code = r->exists ? r->exit_code : 137;
    f->exit_oom = r->exists && r->oom;
    f->exit_at_ms = now.wall_ms;
    set_text(f->exit_error, sizeof(f->exit_error),
             r->exists ? r->exit_error : "its container was removed");
    if (f->exit_oom) {
        set_text(f->reason, sizeof(f->reason), "ran out of memory");
    } else {
        snprintf(f->reason, sizeof(f->reason), "exited with code %d", f->exit_code);
    }
    set_state(f, DEIS_STATE_CRASHED, false, now);
    enter(f, r->exists ? UNIT_WAIT : UNIT_FETCH, now.mono_ms + backoff_ms(f->crashes));
    if (f->crashes < UINT32_MAX) {
        f->crashes++;
    }
}

/* It ended before this process started, and that was reported: what is left of its pause. */
static void wait_on(struct unit_fsm *f, struct unit_time now)
{
    uint64_t pause = backoff_ms(f->crashes > 0 ? f->crashes - 1 : 0);
    uint64_t passed = since(f->exit_at_ms, now);

    if (f->crashes == 0) {
        f->crashes = 1;
    }
    enter(f, UNIT_WAIT, now.mono_ms + (pause > passed ? pause - passed : 0));
}

/* A job failed for a reason that may pass, or not: try again, and say so when it lasts. */
static void again(struct unit_fsm *f, const struct unit_result *r, struct unit_time now)
{
    bool may_pass = r->code == DEIS_UNAVAILABLE || r->code == DEIS_TIMEOUT ||
                    r->code == DEIS_PROTOCOL || f->phase == UNIT_FETCH;

    if (f->failures++ == 0) {
        f->failing_since_ms = now.mono_ms;
    }
    f->wake_ms = now.mono_ms + backoff_ms(f->failures - 1);
    set_text(f->reason, sizeof(f->reason), r->error);
    if (!may_pass || now.mono_ms - f->failing_since_ms >= UNIT_FETCH_PATIENCE_MS) {
        set_state(f, DEIS_STATE_ERROR, false, now);
    }
}

/* The first look at a unit that shall not run. */
static void looked_to_stop(struct unit_fsm *f, const struct unit_result *r, struct unit_time now)
{
    set_state(f, DEIS_STATE_STOPPING, false, now);
    if (!r->exists || r->foreign) {
        enter(f, UNIT_GONE, UINT64_MAX);
        return;
    }
    set_text(f->container, sizeof(f->container), r->container);
    f->failures = 0;
    f->kill_at_ms = 0;
    enter(f, r->running ? UNIT_TERM : UNIT_REMOVE, 0);
}

static void looked(struct unit_fsm *f, const struct unit_result *r, struct unit_time now)
{
    bool known = r->exists && strcmp(f->container, r->container) == 0;

    if (r->code != DEIS_OK) {
        f->wake_ms = now.mono_ms + RETRY_MS;
        f->look_again = true;
    } else if (f->phase == UNIT_LOOK && f->desired == DEIS_DESIRED_STOP) {
        looked_to_stop(f, r, now);
    } else if (r->foreign) {
        enter(f, UNIT_LOOK, now.mono_ms + UNIT_BACKOFF_MAX_MS);
        set_text(f->reason, sizeof(f->reason), "its container's name is taken by another one");
        set_state(f, DEIS_STATE_ERROR, false, now);
    } else if (f->phase == UNIT_TERM) {
        if (!r->running) {
            enter(f, UNIT_REMOVE, 0);
        } else {
            f->wake_ms = f->look_again ? 0 : now.mono_ms + RETRY_MS;
        }
    } else if (r->running) {
        bool moved = *r->address && strcmp(f->address, r->address) != 0;
        if (f->phase != UNIT_RUN) {
            run(f, r, known && !moved && f->ready, now);
        } else if (!known || moved) { /* started again behind our back */
            f->probe_void = f->probing;
            run(f, r, false, now);
        }
    } else if (r->exists && r->never_started) {
        set_text(f->container, sizeof(f->container), r->container);
        enter(f, UNIT_START, 0);
    } else if (known && f->state == DEIS_STATE_CRASHED) {
        wait_on(f, now);
    } else if (r->exists || f->phase == UNIT_RUN) {
        end(f, r, now);
    } else {
        enter(f, UNIT_FETCH, 0);
    }
}

static void started(struct unit_fsm *f, const struct unit_result *r, struct unit_time now)
{
    if (r->code == DEIS_NOT_FOUND) { /* the container, or its network */
        enter(f, UNIT_LOOK, now.mono_ms + RETRY_MS);
    } else if (r->code != DEIS_OK) {
        f->phase = UNIT_START;
        again(f, r, now);
    } else {
        run(f, r, false, now);
        if (!r->running) {
            end(f, r, now);
        }
    }
}

static void succeeded_or(struct unit_fsm *f, const struct unit_result *r, enum unit_phase next,
                         struct unit_time now)
{
    if (r->code == DEIS_OK) {
        f->failures = 0;
        enter(f, next, 0);
    } else {
        again(f, r, now);
    }
}

static void stopped_or(struct unit_fsm *f, const struct unit_result *r, struct unit_time now)
{
    if (r->code != DEIS_OK) {
        f->wake_ms = now.mono_ms + backoff_ms(f->failures++);
        return;
    }
    f->failures = 0;
    switch (f->phase) {
    case UNIT_TERM:
        f->kill_at_ms = now.mono_ms + f->grace_ms + 1;
        f->look_again = true;
        break;
    case UNIT_KILL:
        enter(f, UNIT_TERM, 0); /* look until it has ended, kill again if it does not */
        f->kill_at_ms = now.mono_ms + RETRY_MS;
        f->look_again = true;
        break;
    default: enter(f, UNIT_GONE, UINT64_MAX); break;
    }
}

void unit_fsm_done(struct unit_fsm *f, enum unit_job job, const struct unit_result *r,
                   struct unit_time now)
{
    f->busy = false;
    switch (job) {
    case UNIT_JOB_NONE: return;
    case UNIT_JOB_LOOK: looked(f, r, now); break;
    case UNIT_JOB_FETCH: succeeded_or(f, r, UNIT_CREATE, now); break;
    case UNIT_JOB_CREATE:
        if (r->code == DEIS_NOT_FOUND) {
            enter(f, UNIT_FETCH, now.mono_ms + RETRY_MS);
        } else if (r->code == DEIS_CONFLICT) {
            enter(f, UNIT_LOOK, 0);
        } else {
            succeeded_or(f, r, UNIT_START, now);
        }
        break;
    case UNIT_JOB_START: started(f, r, now); break;
    case UNIT_JOB_TERM:
    case UNIT_JOB_KILL:
    case UNIT_JOB_REMOVE: stopped_or(f, r, now); break;
    }
}

bool unit_fsm_probe_due(struct unit_fsm *f, struct unit_time now)
{
    if (f->phase != UNIT_RUN || !f->routable || f->probing || now.mono_ms < f->probe_at_ms) {
        return false;
    }
    f->probing = true;
    return true;
}

void unit_fsm_probed(struct unit_fsm *f, const char *error, struct unit_time now)
{
    bool stale = f->probe_void;

    f->probing = false;
    f->probe_void = false;
    if (f->phase != UNIT_RUN || stale) {
        return;
    }
    if (!error) {
        f->probe_fails = 0;
        set_text(f->reason, sizeof(f->reason), "");
        set_state(f, DEIS_STATE_UP, true, now);
    } else {
        f->probe_fails++;
        if (!f->ready || f->probe_fails >= UNIT_PROBE_FAILS) {
            set_text(f->reason, sizeof(f->reason), error);
            set_state(f, f->state, false, now);
        }
    }
    bool up = f->state == DEIS_STATE_UP;
    f->probe_at_ms = now.mono_ms + (up ? UNIT_PROBE_UP_MS : UNIT_PROBE_START_MS);
}

uint64_t unit_fsm_wake(const struct unit_fsm *f)
{
    uint64_t wake = UINT64_MAX;

    if (f->phase == UNIT_RUN && f->routable && !f->probing) {
        wake = f->probe_at_ms;
    } else if (f->phase == UNIT_RUN && f->state == DEIS_STATE_STARTING) {
        wake = f->started_ms + UNIT_SETTLE_MS;
    }
    if (f->busy || f->phase == UNIT_GONE || is_held(f)) {
        return wake;
    }
    if ((f->phase != UNIT_RUN || f->look_again || f->desired == DEIS_DESIRED_STOP) &&
        f->wake_ms < wake) {
        wake = f->wake_ms;
    }
    if (f->phase == UNIT_TERM && f->kill_at_ms > 0 && f->kill_at_ms < wake) {
        wake = f->kill_at_ms;
    }
    return wake;
}

void unit_fsm_report(const struct unit_fsm *f, const struct deis_unit *unit,
                     struct deis_unit_state *ret)
{
    *ret = (struct deis_unit_state){
        .unit = unit->unit,
        .app = unit->app,
        .type = unit->type,
        .num = unit->num,
        .release = unit->release,
        .machine = unit->machine,
        .state = f->state,
        .ready = f->ready,
        .exits = f->exits,
        .exit_code = f->exit_code,
        .exit_oom = f->exit_oom,
        .exit_at_ms = f->exit_at_ms,
        .since_ms = f->since_ms,
        .address = (char *)(uintptr_t)f->address,
        .container = (char *)(uintptr_t)f->container,
        .exit_error = (char *)(uintptr_t)f->exit_error,
        .reason = (char *)(uintptr_t)f->reason,
    };
}
