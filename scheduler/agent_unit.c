/* SPDX-License-Identifier: MIT */
#include "scheduler/agent_priv.h"
#include "scheduler/logsource.h"

#include "lib/base/clock.h"
#include "lib/net/log.h"

struct job {
    struct agent_unit *unit;
    enum unit_job job;
    struct runtime *rt;
    struct deis_unit doc; /* a copy for the worker */
    struct runtime_answer answer;
    char *container; /* that is removed: its last lines are kept */
    struct deis_buf tail;
};

struct unit_time agent_time(void)
{
    return (struct unit_time){ .mono_ms = deis_now_ms(), .wall_ms = deis_wall_ms() };
}

void agent_unit_free(void *p)
{
    struct agent_unit *u = p;

    probe_cancel(u->probe);
    deis_timer_free(u->timer);
    deis_unit_clear(&u->doc);
    free(u->text);
    free(u);
}

static void on_timer(void *arg)
{
    agent_unit_pump(arg);
}

/* --- jobs --- */

static void job_free(struct job *j)
{
    deis_unit_clear(&j->doc);
    deis_buf_clear(&j->tail);
    free(j->container);
    free(j);
}

static void work(void *arg)
{
    struct job *j = arg;

    if (j->job == UNIT_JOB_REMOVE && *j->container) {
        const struct settings *s = j->unit->agent->ctx->settings;
        logsource_tail(s->docker_root, j->container, AGENT_TAIL_LINES, &j->tail);
    }
    runtime_do(j->rt, j->job, &j->doc, &j->answer);
}

static void follow_log(struct agent_unit *u)
{
    deis_autofree char *process = deis_asprintf("%s.%u", u->doc.type, u->doc.num);

    logship_add(u->agent->logs, u->fsm.container, u->doc.app, process);
}

static void finished(void *arg)
{
    struct job *j = arg;
    struct agent_unit *u = j->unit;
    const struct unit_result *r = &j->answer.result;
    uint32_t exits = u->fsm.exits;

    unit_fsm_done(&u->fsm, j->job, r, agent_time());
    if (r->exists && !r->foreign) {
        follow_log(u);
    }
    if (u->fsm.exits > exits) {
        logship_ended(u->agent->logs, u->fsm.container);
    }
    if (r->code != DEIS_OK) {
        deis_warn("unit's job failed", KV_S("unit", u->doc.unit), KV_S("err", r->error));
    }
    if (j->tail.len > 0) {
        agent_tails_keep(u->agent, u->doc.unit, deis_buf_str(&j->tail));
    }
    job_free(j);
    agent_unit_pump(u);
}

static void run_job(struct agent_unit *u, enum unit_job job)
{
    struct deis_workers *pool = job == UNIT_JOB_FETCH ? u->agent->pulls : u->agent->jobs;
    struct job *j = deis_alloc(sizeof(*j));
    struct deis_err err = DEIS_ERR_INIT;

    j->unit = u;
    j->job = job;
    j->rt = u->agent->rt;
    j->container = deis_strdup(u->fsm.container);
    deis_buf_init(&j->tail, AGENT_TAIL_BYTES);
    if (deis_unit_parse(deis_str(u->text), &j->doc, &err) < 0 ||
        deis_workers_run(pool, work, finished, j, &err) < 0) {
        struct unit_result none = { .code = DEIS_UNAVAILABLE, .error = err.msg };
        unit_fsm_done(&u->fsm, job, &none, agent_time());
        job_free(j);
    }
}

static void on_log_saved(void *arg)
{
    struct agent_unit *u = arg;

    run_job(u, UNIT_JOB_REMOVE);
    if (!u->fsm.busy) {
        agent_unit_pump(u);
    }
}

/* --- probes --- */

static void on_probed(const char *error, void *arg)
{
    struct agent_unit *u = arg;

    u->probe = NULL;
    unit_fsm_probed(&u->fsm, error, agent_time());
    agent_unit_pump(u);
}

/* --- what is told --- */

static void tell(struct agent_unit *u)
{
    struct agent *a = u->agent;
    struct deis_unit_state state;

    if (u->fsm.phase == UNIT_GONE) {
        report_set(a->report, u->doc.unit, NULL);
        agent_saved_touch(a);
        return;
    }
    unit_fsm_report(&u->fsm, &u->doc, &state);
    deis_autofree char *text = deis_unit_state_format(&state);
    const char *old = report_get(a->report, u->doc.unit);
    if (old && strcmp(old, text) == 0) {
        return;
    }
    deis_info("unit", KV_S("unit", u->doc.unit), KV_S("state", deis_state_name(state.state)),
              KV_S("ready", state.ready ? "yes" : "no"), KV_I("exits", state.exits),
              KV_S("reason", state.reason));
    report_set(a->report, u->doc.unit, DEIS_TAKE(text));
    agent_saved_touch(a);
}

static void arm(struct agent_unit *u)
{
    uint64_t wake = unit_fsm_wake(&u->fsm), at = deis_now_ms();

    if (wake == UINT64_MAX) {
        deis_timer_cancel(u->timer);
    } else {
        deis_timer_after(u->timer, wake > at ? wake - at : 0);
    }
}

static void forget(struct agent_unit *u)
{
    struct agent *a = u->agent;

    agent_saved_touch(a);
    deis_map_remove(a->units, deis_str(u->doc.unit));
}

void agent_unit_pump(struct agent_unit *u)
{
    if (u->agent->stopping) {
        return;
    }
    if (u->fsm.phase == UNIT_GONE && u->doc.desired != DEIS_DESIRED_STOP && u->listed) {
        unit_fsm_init(&u->fsm, &u->doc, NULL, agent_time()); /* wanted anew while it was going */
    }
    enum unit_job job = unit_fsm_next(&u->fsm, agent_time());
    if (job == UNIT_JOB_REMOVE && *u->fsm.container) {
        logship_finish(u->agent->logs, u->fsm.container, on_log_saved, u);
    } else if (job != UNIT_JOB_NONE) {
        run_job(u, job);
    }
    if (unit_fsm_probe_due(&u->fsm, agent_time())) {
        u->probe = probe_start(u->agent->ctx->loop, u->fsm.address, &u->doc.health, u->doc.app,
                               u->fsm.state != DEIS_STATE_UP, on_probed, u);
    }
    tell(u);
    if (u->fsm.phase == UNIT_GONE && !u->listed) {
        forget(u);
        return;
    }
    arm(u);
}

/* --- life --- */

int agent_unit_add(struct agent *a, struct deis_str text, const struct deis_unit_state *known,
                   struct agent_unit **ret, struct deis_err *err)
{
    struct deis_unit doc;
    int r = deis_unit_parse(text, &doc, err);

    if (r < 0) {
        return r;
    }
    struct agent_unit *u = deis_alloc(sizeof(*u));
    u->agent = a;
    u->doc = doc;
    u->text = deis_str_dup(text);
    u->mod_revision = a->revision;
    u->timer = deis_timer_new(a->ctx->loop, on_timer, u);
    unit_fsm_init(&u->fsm, &u->doc, known, agent_time());
    deis_map_set(a->units, deis_str(u->doc.unit), u);
    agent_saved_touch(a);
    *ret = u;
    return 0;
}

int agent_unit_update(struct agent_unit *u, struct deis_str text, int64_t mod_revision,
                      struct deis_err *err)
{
    struct deis_unit doc;
    int r = deis_unit_parse(text, &doc, err);

    if (r < 0) {
        return r;
    }
    /* In an etcd that was put back to an older state later engines have lower numbers. */
    if (doc.epoch < u->doc.epoch && mod_revision > u->mod_revision && !u->agent->held) {
        deis_warn("agent ignores an order of an earlier engine", KV_S("unit", u->doc.unit),
                  KV_I("epoch", doc.epoch));
        deis_unit_clear(&doc);
        return 0;
    }
    deis_unit_clear(&u->doc);
    u->doc = doc;
    free(u->text);
    u->text = deis_str_dup(text);
    unit_fsm_want(&u->fsm, u->doc.desired);
    agent_saved_touch(u->agent);
    return 0;
}

void agent_unit_drop(struct agent_unit *u)
{
    u->listed = false;
    u->doc.desired = DEIS_DESIRED_STOP;
    unit_fsm_want(&u->fsm, DEIS_DESIRED_STOP);
    agent_unit_pump(u);
}
