/* SPDX-License-Identifier: MIT */
/*
 * One app's units against its formation. A unit is *settled* when it belongs to the last rollout
 * that was done: those are never touched until the next one is done. The others are new: all of
 * them must become ready; one that crashes, can't be started or is late ends the rollout, and the
 * new ones go.
 */
#include "scheduler/core/planner.h"

struct wanted {
    char id[UNIT_ID_MAX];
    const struct deis_process *process;
    uint32_t num;
    const struct world_unit *unit; /* NULL = not there yet */
};

struct rollout {
    struct planner *p;
    const struct world_formation *f;
    const struct world_rollout *old; /* what etcd says, maybe of an earlier generation */
    struct wanted *wanted;
    size_t wanted_count;
    struct deis_map *wanted_ids;
    struct deis_rollout next; /* what shall be written; its texts are borrowed */
    struct deis_buf reason;
};

static int wanted_add(struct rollout *o, const struct deis_process *process, struct deis_err *err)
{
    const struct deis_formation *f = &o->f->doc;

    if (process->count > PLAN_WANTED_MAX - o->wanted_count) {
        return deis_err_set(err, DEIS_LIMIT, "more than %d units", PLAN_WANTED_MAX);
    }
    o->wanted =
        deis_realloc_array(o->wanted, o->wanted_count + process->count + 1, sizeof(*o->wanted));
    for (uint32_t num = 1; num <= process->count; num++) {
        struct wanted *w = &o->wanted[o->wanted_count];
        *w = (struct wanted){ .process = process, .num = num };
        int r = unit_id(f, process, num, o->p->digest, w->id, err);
        if (r < 0) {
            return r;
        }
        w->unit = world_unit(o->p->world, w->id);
        deis_map_set(o->wanted_ids, deis_str(w->id), o);
        o->wanted_count++;
    }
    return 0;
}

static bool is_settled(const struct rollout *o, const struct world_unit *u)
{
    return u->create_revision <= o->next.settled;
}

static bool is_wanted(const struct rollout *o, const struct world_unit *u)
{
    return deis_map_get(o->wanted_ids, deis_str(u->doc.unit)) != NULL;
}

static bool is_ready(const struct rollout *o, const struct world_unit *u)
{
    const struct world_state *s = world_state_of(o->p->world, u);

    return u->doc.desired == DEIS_DESIRED_RUN && s && s->doc.ready;
}

static void fail(struct rollout *o, const struct world_unit *u, const char *format, ...)
    deis_printf(3, 4);

static void fail(struct rollout *o, const struct world_unit *u, const char *format, ...)
{
    va_list args;

    if (o->next.state == DEIS_ROLLOUT_FAILED) {
        return;
    }
    if (u) {
        deis_buf_addf(&o->reason, "%s.%u ", u->doc.type, u->doc.num);
        o->next.unit = u->doc.unit;
        o->next.machine = u->doc.machine;
    }
    va_start(args, format);
    deis_buf_vaddf(&o->reason, format, args);
    va_end(args);
    o->next.state = DEIS_ROLLOUT_FAILED;
    o->next.reason = o->reason.data;
}

static void fail_late(struct rollout *o, const struct world_unit *u, uint64_t limit_ms,
                      const char *why)
{
    fail(o, u, "was not ready within %llu s%s%s", (unsigned long long)(limit_ms / 1000),
         *why ? ": " : "", why);
}

static void fail_exited(struct rollout *o, const struct world_unit *u,
                        const struct deis_unit_state *s)
{
    if (s->exit_oom) {
        fail(o, u, "ran out of memory (limit %llu MB) before it was ready",
             (unsigned long long)(u->doc.memory_bytes >> 20));
    } else if (s->exit_error && *s->exit_error) {
        fail(o, u, "exited with code %d before it was ready: %s", s->exit_code, s->exit_error);
    } else {
        fail(o, u, "exited with code %d before it was ready", s->exit_code);
    }
}

/* Does this new unit end the rollout? */
static void judge_new(struct rollout *o, const struct world_unit *u)
{
    const struct world_state *s = world_state_of(o->p->world, u);
    uint64_t limit_ms = u->doc.start_timeout_ms + u->doc.health.delay_ms;

    if (!s) {
        if (planner_elapsed(o->p, u->since_ms, limit_ms + PLAN_ANSWER_MAX_MS)) {
            fail(o, u, "was not started: machine '%s' does not answer", u->doc.machine);
        }
        return;
    }
    if (s->doc.exits > 0) {
        fail_exited(o, u, &s->doc);
        return;
    }
    switch (s->doc.state) {
    case DEIS_STATE_ERROR: fail(o, u, "could not be started: %s", s->doc.reason); break;
    case DEIS_STATE_CREATED:
        if (planner_elapsed(o->p, s->since_ms, limit_ms + PLAN_FETCH_MAX_MS)) {
            fail_late(o, u, limit_ms + PLAN_FETCH_MAX_MS, s->doc.reason);
        }
        break;
    case DEIS_STATE_STARTING:
    case DEIS_STATE_UP:
        if (!s->doc.ready && planner_elapsed(o->p, s->since_ms, limit_ms)) {
            fail_late(o, u, limit_ms, s->doc.reason);
        }
        break;
    case DEIS_STATE_CRASHED:
    case DEIS_STATE_STOPPING: break;
    }
}

static void create(struct rollout *o, const struct wanted *w)
{
    const struct deis_formation *f = &o->f->doc;
    struct deis_err err = DEIS_ERR_INIT;
    struct deis_unit doc;
    const char *machine;
    char key[DEIS_KEY_MAX];

    int r = planner_place(o->p, f->app, w->process->type, w->process->tags, &machine, &err);
    if (r < 0) {
        bool running = o->next.state == DEIS_ROLLOUT_RUNNING;
        if (running &&
            (r != DEIS_UNAVAILABLE || planner_elapsed(o->p, o->f->since_ms, f->start_timeout_ms))) {
            fail(o, NULL, "%s.%u has no place: %s", w->process->type, w->num, err.msg);
        }
        return;
    }
    unit_document(f, w->process, w->num, w->id, &doc);
    doc.machine = deis_strdup(machine);
    doc.epoch = o->p->epoch;
    planner_act(o->p, deis_key(key, "units/%s", w->id), deis_unit_format(&doc), 0,
                "create %s on %s", w->id, machine);
    deis_unit_clear(&doc);
}

static void retire(struct rollout *o, const struct world_unit *u, bool drain)
{
    drain = drain && u->doc.routable;
    planner_put_unit(o->p, u, drain ? DEIS_DESIRED_DRAIN : DEIS_DESIRED_STOP, u->doc.machine,
                     drain ? "drain" : "stop");
}

/* Every running unit of the app that is for `go`. */
static void retire_if(struct rollout *o,
                      bool (*go)(const struct rollout *, const struct world_unit *), bool drain_all)
{
    WORLD_EACH(o->p->world->units, struct world_unit, u)
    {
        if (u->doc.desired == DEIS_DESIRED_RUN && strcmp(u->doc.app, o->f->doc.app) == 0 &&
            go(o, u)) {
            retire(o, u, drain_all || is_ready(o, u));
        }
    }
}

static bool is_surplus(const struct rollout *o, const struct world_unit *u)
{
    return !is_wanted(o, u);
}

static bool is_new(const struct rollout *o, const struct world_unit *u)
{
    return !is_settled(o, u);
}

/* New in an earlier generation that nobody waits for any more, and not serving. */
static bool is_superseded(const struct rollout *o, const struct world_unit *u)
{
    return !is_settled(o, u) && !is_wanted(o, u) && !is_ready(o, u);
}

/* Look at the wanted units: count them, create those that lack; true when the rollout is complete.
 */
static bool advance(struct rollout *o)
{
    bool complete = true;

    for (size_t i = 0; i < o->wanted_count; i++) {
        const struct wanted *w = &o->wanted[i];
        if (!w->unit) {
            complete = false;
        } else if (w->unit->doc.desired != DEIS_DESIRED_RUN) {
            complete = false; /* on its way out: it is created anew when it is gone */
        } else {
            bool ready = is_ready(o, w->unit);
            o->next.ready += ready;
            complete = complete && (ready || is_settled(o, w->unit));
            if (o->next.state == DEIS_ROLLOUT_RUNNING && !is_settled(o, w->unit)) {
                judge_new(o, w->unit);
            }
        }
    }
    for (size_t i = 0; i < o->wanted_count && o->next.state != DEIS_ROLLOUT_FAILED; i++) {
        if (!o->wanted[i].unit) {
            create(o, &o->wanted[i]);
        }
    }
    return complete;
}

static void write_rollout(struct rollout *o)
{
    const struct deis_rollout *old = o->old ? &o->old->doc : NULL;
    char key[DEIS_KEY_MAX];
    static const char *const names[] = {
        [DEIS_ROLLOUT_RUNNING] = "running",
        [DEIS_ROLLOUT_DONE] = "done",
        [DEIS_ROLLOUT_FAILED] = "failed",
    };

    if (old && old->generation == o->next.generation && old->state == o->next.state &&
        old->settled == o->next.settled &&
        (old->state != DEIS_ROLLOUT_RUNNING ||
         (old->ready == o->next.ready && old->wanted == o->next.wanted))) {
        return;
    }
    planner_act(o->p, deis_key(key, "rollouts/%s", o->next.app), deis_rollout_format(&o->next),
                o->old ? o->old->mod_revision : 0, "rollout of %s generation %llu is %s%s%s",
                o->next.app, (unsigned long long)o->next.generation, names[o->next.state],
                *o->next.reason ? ": " : "", o->next.reason);
}

static void settle(struct rollout *o)
{
    for (size_t i = 0; i < o->wanted_count; i++) {
        int64_t revision = o->wanted[i].unit->create_revision;
        if (revision > o->next.settled) {
            o->next.settled = revision;
        }
    }
    o->next.state = DEIS_ROLLOUT_DONE;
}

static void step(struct rollout *o)
{
    bool complete = advance(o);

    if (o->next.state != DEIS_ROLLOUT_FAILED && complete) {
        settle(o);
    }
    write_rollout(o);
    switch (o->next.state) {
    case DEIS_ROLLOUT_RUNNING: retire_if(o, is_superseded, false); break;
    case DEIS_ROLLOUT_DONE: retire_if(o, is_surplus, true); break;
    case DEIS_ROLLOUT_FAILED: retire_if(o, is_new, false); break;
    }
}

static char no_text[] = "";

void rollout_plan(struct planner *p, const struct world_formation *f)
{
    struct rollout o = {
        .p = p,
        .f = f,
        .old = deis_map_get(p->world->rollouts, deis_str(f->doc.app)),
        .wanted_ids = deis_map_new(NULL),
        .reason = DEIS_BUF_INIT(1024),
    };
    struct deis_err err = DEIS_ERR_INIT;
    bool current = o.old && o.old->doc.generation == f->doc.generation;

    o.next = (struct deis_rollout){
        .app = f->doc.app,
        .generation = f->doc.generation,
        .operation = f->doc.operation,
        .state = current ? o.old->doc.state : DEIS_ROLLOUT_RUNNING,
        .reason = no_text,
        .unit = no_text,
        .machine = no_text,
        .settled = o.old ? o.old->doc.settled : 0,
    };
    for (size_t i = 0; i < f->doc.process_count && err.code == DEIS_OK; i++) {
        if (wanted_add(&o, &f->doc.processes[i], &err) < 0) {
            fail(&o, NULL, "%s", err.msg);
        }
    }
    o.next.wanted = (uint32_t)o.wanted_count;
    step(&o);
    free(o.wanted);
    deis_map_free(o.wanted_ids);
    deis_buf_clear(&o.reason);
}

void rollout_plan_gone(struct planner *p, const struct world_rollout *r)
{
    char key[DEIS_KEY_MAX];

    planner_act(p, deis_key(key, "rollouts/%s", r->doc.app), NULL, r->mod_revision,
                "forget rollout of %s", r->doc.app);
}
