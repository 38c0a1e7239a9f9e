/* SPDX-License-Identifier: MIT */
#include "scheduler/agent_priv.h"

#include "lib/base/clock.h"
#include "lib/net/log.h"

#define JOB_THREADS  4
#define PULL_THREADS 2
#define JOBS_MAX     8192

/* --- units/ --- */

static void take_unit(struct agent *a, const char *name, const struct deis_etcd_kv *kv)
{
    struct agent_unit *u = deis_map_get(a->units, deis_str(name));
    struct deis_unit_state known;
    struct deis_err err = DEIS_ERR_INIT;
    const char *reported = u ? NULL : report_get(a->report, name);
    bool have_known = reported && deis_unit_state_parse(deis_str(reported), &known, NULL) == 0;
    int r = u ? agent_unit_update(u, kv->value, kv->mod_revision, &err)
              : agent_unit_add(a, kv->value, have_known ? &known : NULL, &u, &err);

    if (have_known) {
        deis_unit_state_clear(&known);
    }
    if (r < 0) {
        deis_error("agent skips a unit", KV_S("unit", name), KV_ERR(&err));
        return;
    }
    u->listed = true;
    u->leaving = false;
    u->mod_revision = kv->mod_revision;
    agent_unit_pump(u);
}

static void on_change(const struct deis_etcd_kv *kv, bool deleted, void *arg)
{
    struct agent *a = arg;
    struct deis_str name = deis_key_below(kv->key, "units/");
    struct deis_err err = DEIS_ERR_INIT;
    struct deis_unit doc = { 0 };
    bool ours = false;

    if (!deleted) {
        if (deis_unit_parse(kv->value, &doc, &err) < 0) {
            deis_error("agent skips a unit", KV_S("key", kv->key), KV_ERR(&err));
            struct agent_unit *kept = deis_map_get(a->units, name);
            if (kept) {
                kept->leaving = false;
            }
            return;
        }
        ours = strcmp(doc.machine, a->ctx->machine) == 0;
        deis_unit_clear(&doc);
    }
    struct agent_unit *u = deis_map_get(a->units, name);
    if (ours) {
        take_unit(a, name.ptr, kv);
    } else if (u) {
        u->leaving = true;
    }
}

/* The store may have been put back to an older state, or be another one: then what it does not name
 * is not stopped, an operator has to look. */
static bool went_back(struct agent *a, int64_t revision)
{
    if (revision >= a->revision) {
        a->revision = revision;
        return false;
    }
    if (!a->held) {
        deis_error("etcd is older than what this agent has seen: units that it does not know keep "
                   "running; to stop them, stop the agent, remove the saved file, start the agent",
                   KV_S("file", a->saved_path), KV_I("seen", a->revision), KV_I("found", revision));
    }
    a->held = true;
    return true;
}

static void on_synced(int64_t revision, void *arg)
{
    struct agent *a = arg;
    bool hold = went_back(a, revision) || a->held;
    bool first = !a->synced;
    bool older = revision < a->latest;
    size_t cursor = 0;
    struct deis_str id;
    void *value;

    a->synced = true;
    a->latest = revision;
    if (older) {
        report_again(a->report); /* with the rest of its history it lost what was told */
    }
    while (deis_map_next(a->units, &cursor, &id, &value)) {
        struct agent_unit *u = value;
        if (u->leaving && !hold) {
            u->leaving = false;
            agent_unit_drop(u); /* may remove the current entry */
        }
    }
    agent_saved_touch(a);
    if (first) {
        agent_sweep(a);
    }
}

static bool is_known(struct deis_str unit, void *arg)
{
    const struct agent *a = arg;

    return deis_map_get(a->units, unit) != NULL;
}

static void on_first_synced(int64_t revision, void *arg)
{
    struct agent *a = arg;

    if (!a->synced) {
        on_synced(revision, a);
        report_prune(a->report, is_known, a);
    } else {
        on_synced(revision, a);
    }
}

static void on_seed(struct deis_str unit, struct deis_str text, void *arg)
{
    struct agent *a = arg;
    struct agent_unit *u = deis_map_get(a->units, unit);
    struct deis_unit_state state;

    if (u && deis_unit_state_parse(text, &state, NULL) == 0) {
        unit_fsm_recall(&u->fsm, &state);
        deis_unit_state_clear(&state);
        agent_unit_pump(u);
    }
}

static void on_seeded(void *arg)
{
    static const struct deis_etcd_watch_ops ops = { .on_change = on_change,
                                                    .on_synced = on_first_synced };
    struct agent *a = arg;
    char prefix[DEIS_KEY_MAX];
    size_t cursor = 0;
    struct deis_str id;
    void *value;

    while (deis_map_next(a->units, &cursor, &id, &value)) {
        struct agent_unit *u = value;
        u->leaving = true; /* until the list names it */
    }
    a->watch =
        deis_etcd_watch_start(a->ctx->etcd, a->ctx->loop, deis_key(prefix, "units/"), &ops, a);
}

/* --- life --- */

struct agent *agent_start(const struct context *ctx, struct runtime *rt, struct logship *logs)
{
    struct agent *a = deis_alloc(sizeof(*a));
    size_t cursor = 0;
    struct deis_str id;
    void *value;

    a->ctx = ctx;
    a->rt = rt;
    a->logs = logs;
    a->units = deis_map_new(agent_unit_free);
    a->jobs = deis_workers_new(ctx->loop, JOB_THREADS, JOBS_MAX);
    a->pulls = deis_workers_new(ctx->loop, PULL_THREADS, JOBS_MAX);
    a->disk = deis_workers_new(ctx->loop, 1, 4);
    a->report = report_start(ctx, on_seed, on_seeded, a);
    agent_saved_start(a);
    while (deis_map_next(a->units, &cursor, &id, &value)) {
        agent_unit_pump(value); /* may remove the current entry */
    }
    agent_sweep_start(a);
    agent_images_start(a);
    return a;
}

void agent_stop(struct agent *a)
{
    if (!a) {
        return;
    }
    a->stopping = true;
    deis_etcd_watch_stop(a->watch);
    deis_workers_free(a->jobs);
    deis_workers_free(a->pulls);
    deis_workers_free(a->disk);
    agent_images_stop(a);
    agent_sweep_stop(a);
    agent_saved_stop(a);
    report_stop(a->report);
    deis_map_free(a->units);
    agent_tails_free(a);
    free(a);
}

void agent_on_container(struct agent *a, void (*fn)(const json_t *container, void *arg), void *arg)
{
    a->on_container = fn;
    a->on_container_arg = arg;
}

const char *agent_container(const struct agent *a, const char *unit)
{
    const struct agent_unit *u = deis_map_get(a->units, deis_str(unit));

    return u && u->fsm.phase != UNIT_GONE && *u->fsm.container ? u->fsm.container : NULL;
}
