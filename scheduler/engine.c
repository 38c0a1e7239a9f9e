/* SPDX-License-Identifier: MIT */
#include "scheduler/engine.h"

#include "scheduler/core/plan.h"
#include "scheduler/reseal.h"

#include "lib/base/clock.h"
#include "lib/net/log.h"

#define LEASE_S         6
#define LEADER_KEY      "/deis/leader/engine"
#define COALESCE_MS     20
#define PERIOD_MS       5000
#define RETRY_MS        200
#define CATCH_UP_MAX_MS 2000 /* for the watch to show what was written */
#define ACTIONS_PER_TXN 40   /* each takes a guard and an operation; etcd allows 128 of both */
#define BYTES_PER_TXN   ((size_t)768 * 1024) /* etcd takes 1.5 MB in all */

static const char *const prefixes[] = {
    "formations/", "units/",    "states/",  "machines/",
    "verdicts/",   "rollouts/", "drained/", "services/router/",
};

struct engine {
    const struct context *ctx;
    struct deis_workers *worker;
    struct deis_etcd_lease *lease;
    int64_t lease_id; /* 0 = none */
    struct deis_etcd_watch *leader_watch;
    bool leader_known; /* the leader key was looked at */
    bool leader_there;
    struct deis_timer *campaign_timer;
    bool campaigning;
    char token[33]; /* tells our leader key from that of an earlier process of this name */
    /* while leading */
    int64_t epoch; /* 0 = not leading */
    struct world *world;
    struct deis_etcd_watch *watch; /* fills the world */
    int64_t revision;              /* of etcd, that the world is at; 0 = not listed yet */
    uint64_t cluster;
    int64_t written; /* our own last write: to be seen before the next plan */
    struct deis_timer *plan_timer;
    uint64_t plan_at_ms;
    bool executing;
    uint64_t written_at_ms;
    bool stopping;
};

static void step_down(struct engine *e, const char *why);
static void campaign(struct engine *e);

/* --- planning --- */

static void plan_within(struct engine *e, uint64_t ms)
{
    uint64_t at = deis_now_ms() + ms;

    if (e->epoch != 0 && (e->plan_at_ms == 0 || at < e->plan_at_ms)) {
        e->plan_at_ms = at;
        deis_timer_after(e->plan_timer, ms);
    }
}

struct execution {
    struct engine *engine;
    struct plan *plan;
    int64_t epoch;
    int64_t written; /* the last revision, 0 = nothing */
    bool deposed;
    struct deis_err err;
};

static bool is_leader_still(struct execution *x)
{
    deis_autorange struct deis_etcd_range r = { 0 };
    struct deis_err err = DEIS_ERR_INIT;
    int rc = deis_etcd_get(x->engine->ctx->etcd, LEADER_KEY, &r, &err);

    return rc == DEIS_OK ? r.kvs[0].create_revision == x->epoch : rc != DEIS_NOT_FOUND;
}

static int commit(struct execution *x, size_t from, size_t to)
{
    deis_autotxn struct deis_etcd_txn *t = deis_etcd_txn_new();

    deis_etcd_if_create(t, LEADER_KEY, x->epoch);
    for (size_t i = from; i < to; i++) {
        const struct plan_action *a = &x->plan->actions[i];
        if (a->guard == 0) {
            deis_etcd_if_absent(t, a->key);
        } else {
            deis_etcd_if_mod(t, a->key, a->guard);
        }
        if (a->value) {
            deis_etcd_then_put(t, a->key, deis_str(a->value), 0);
        } else {
            deis_etcd_then_delete(t, a->key);
        }
    }
    int64_t revision = 0;
    int rc = deis_etcd_commit(x->engine->ctx->etcd, t, NULL, &revision, &x->err);
    if (rc == 0) {
        x->written = revision;
    }
    return rc;
}

static bool may_pass(int rc)
{
    return rc == DEIS_UNAVAILABLE || rc == DEIS_TIMEOUT;
}

/* false: the rest has to wait for the next plan. */
static bool write_actions(struct execution *x, size_t from, size_t to)
{
    int rc = commit(x, from, to);

    if (rc == 0) {
        for (size_t i = from; i < to; i++) {
            deis_info("engine acts", KV_S("action", x->plan->actions[i].note));
        }
        return true;
    }
    x->deposed = rc == DEIS_CONFLICT && !is_leader_still(x);
    if (x->deposed || may_pass(rc)) {
        return false;
    }
    /* One app's trouble is no other's. */
    for (size_t at = from, end; at < to; at = end) {
        end = plan_app(x->plan, at, to);
        bool all = at == from && end == to;
        if (!all && !write_actions(x, at, end)) {
            return false;
        }
        if (all && rc != DEIS_CONFLICT) {
            deis_warn("engine can't act", KV_S("action", x->plan->actions[at].note),
                      KV_ERR(&x->err));
        }
    }
    return true;
}

static void execute(void *arg)
{
    struct execution *x = arg;
    size_t to;

    for (size_t from = 0; from < x->plan->count; from = to) {
        to = plan_batch(x->plan, from, ACTIONS_PER_TXN, BYTES_PER_TXN);
        if (!write_actions(x, from, to)) {
            return;
        }
    }
}

static void executed(void *arg)
{
    struct execution *x = arg;
    struct engine *e = x->engine;

    e->executing = false;
    if (x->written > 0) {
        e->written = x->written;
        e->written_at_ms = deis_now_ms();
    }
    if (x->err.code != DEIS_OK && x->err.code != DEIS_CONFLICT) {
        deis_warn("engine can't write", KV_ERR(&x->err));
    }
    if (x->deposed && e->epoch == x->epoch) {
        deis_warn("engine's write was fenced off", KV_I("epoch", x->epoch));
        step_down(e, "another engine leads");
    }
    plan_within(e, x->err.code != DEIS_OK ? RETRY_MS : COALESCE_MS);
    plan_free(x->plan);
    free(x);
}

/* All listed, and not behind our own last write. */
static bool is_current(const struct engine *e)
{
    bool patient = deis_now_ms() - e->written_at_ms < CATCH_UP_MAX_MS;

    return e->revision > 0 && !(patient && e->revision < e->written);
}

static void on_plan(void *arg)
{
    struct engine *e = arg;
    uint64_t now = deis_now_ms();

    e->plan_at_ms = 0;
    if (e->epoch == 0 || e->executing) {
        return;
    }
    if (!is_current(e)) {
        plan_within(e, RETRY_MS);
        return;
    }
    struct plan *plan = plan_make(e->world, deis_sha256_hex, e->epoch, now, deis_wall_ms());
    if (plan->count == 0) {
        reseal_units(plan, e->world, e->ctx);
    }
    if (plan->count == 0) {
        uint64_t wait = plan->wake_ms > now ? plan->wake_ms - now : COALESCE_MS;
        plan_free(plan);
        plan_within(e, wait < PERIOD_MS ? wait : PERIOD_MS);
        return;
    }
    struct execution *x = deis_alloc(sizeof(*x));
    *x = (struct execution){ .engine = e, .plan = plan, .epoch = e->epoch };
    e->executing = true;
    if (deis_workers_run(e->worker, execute, executed, x, &x->err) < 0) {
        executed(x);
    }
}

/* --- the world as etcd has it --- */

static void on_change(const struct deis_etcd_kv *kv, bool deleted, void *arg)
{
    struct engine *e = arg;
    struct deis_err err = DEIS_ERR_INIT;

    if (e->world && world_apply(e->world, kv->key, kv->value, deleted, kv->create_revision,
                                kv->mod_revision, deis_now_ms(), &err) < 0) {
        deis_error("engine skips a document", KV_S("key", kv->key), KV_ERR(&err));
    }
}

static void begin_world(struct engine *e);
static void end_world(struct engine *e);

/* An etcd that was put back to an older state, or is another one: ages in the world, and what was
 * written last, are of a history that it does not know. */
static bool went_back(const struct engine *e, int64_t revision)
{
    return revision < e->revision ||
           (e->revision > 0 && deis_etcd_watch_cluster(e->watch) != e->cluster);
}

static void on_synced(int64_t revision, void *arg)
{
    struct engine *e = arg;

    if (went_back(e, revision)) {
        deis_warn("etcd is older than it was, or another one: the engine reads all of it anew");
        end_world(e);
        begin_world(e);
        return;
    }
    e->revision = revision;
    e->cluster = deis_etcd_watch_cluster(e->watch);
    plan_within(e, COALESCE_MS);
}

static void begin_world(struct engine *e)
{
    static const struct deis_etcd_watch_ops ops = { .on_change = on_change,
                                                    .on_synced = on_synced };
    char root[DEIS_KEY_MAX];

    e->world = world_new();
    e->revision = 0;
    e->written = 0;
    e->watch = deis_etcd_watch_start_several(e->ctx->etcd, e->ctx->loop, deis_key(root, "%s", ""),
                                             prefixes, DEIS_COUNT(prefixes), &ops, e);
}

static void end_world(struct engine *e)
{
    deis_etcd_watch_stop(DEIS_TAKE(e->watch));
    world_free(e->world);
    e->world = NULL;
}

static void lead(struct engine *e, int64_t epoch)
{
    deis_info("engine leads", KV_I("epoch", epoch));
    e->epoch = epoch;
    begin_world(e);
}

static void step_down(struct engine *e, const char *why)
{
    if (e->epoch == 0) {
        return;
    }
    deis_warn("engine steps down", KV_S("reason", why), KV_I("epoch", e->epoch));
    e->epoch = 0;
    e->plan_at_ms = 0;
    deis_timer_cancel(e->plan_timer);
    end_world(e);
}

/* --- election --- */

struct candidacy {
    struct engine *engine;
    int64_t lease;
    int64_t epoch; /* of our key, 0 = not elected */
    struct deis_err err;
};

/* Is the key that stands there ours? After a write whose outcome is unknown. */
static int64_t own_epoch(struct candidacy *c)
{
    deis_autorange struct deis_etcd_range r = { 0 };
    struct deis_err err = DEIS_ERR_INIT;

    if (deis_etcd_get(c->engine->ctx->etcd, LEADER_KEY, &r, &err) == DEIS_OK &&
        r.kvs[0].lease == c->lease && strstr(r.kvs[0].value.ptr, c->engine->token)) {
        return r.kvs[0].create_revision;
    }
    return 0;
}

static void stand(void *arg)
{
    struct candidacy *c = arg;
    struct engine *e = c->engine;
    deis_autotxn struct deis_etcd_txn *t = deis_etcd_txn_new();
    deis_autojson json_t *value =
        json_pack("{s:s, s:s}", "instance", e->ctx->settings->instance, "token", e->token);
    deis_autofree char *text = deis_json_dump(value);

    deis_etcd_if_absent(t, LEADER_KEY);
    deis_etcd_then_put(t, LEADER_KEY, deis_str(text), c->lease);
    int rc = deis_etcd_commit(e->ctx->etcd, t, NULL, &c->epoch, &c->err);
    if (rc < 0) {
        c->epoch = rc == DEIS_TIMEOUT || rc == DEIS_CONFLICT ? own_epoch(c) : 0;
    }
}

static void stood(void *arg)
{
    struct candidacy *c = arg;
    struct engine *e = c->engine;

    e->campaigning = false;
    if (c->epoch != 0 && c->lease == e->lease_id && !e->stopping) {
        lead(e, c->epoch);
    } else if (!e->stopping) {
        deis_timer_after(e->campaign_timer, deis_backoff_ms(2, RETRY_MS, PERIOD_MS));
    }
    free(c);
}

static void campaign(struct engine *e)
{
    if (e->campaigning || e->epoch != 0 || e->lease_id == 0 || !e->leader_known ||
        e->leader_there) {
        return;
    }
    struct candidacy *c = deis_alloc(sizeof(*c));
    *c = (struct candidacy){ .engine = e, .lease = e->lease_id };
    e->campaigning = true;
    if (deis_workers_run(e->worker, stand, stood, c, &c->err) < 0) {
        stood(c);
    }
}

static void on_campaign(void *arg)
{
    campaign(arg);
}

static void on_leader_change(const struct deis_etcd_kv *kv, bool deleted, void *arg)
{
    struct engine *e = arg;

    if (strcmp(kv->key, LEADER_KEY) != 0) {
        return;
    }
    e->leader_there = !deleted;
    if (e->epoch != 0 && (deleted ? kv->mod_revision > e->epoch : kv->create_revision > e->epoch)) {
        step_down(e, "the leader key is gone");
    }
}

static void on_leader_synced(int64_t revision, void *arg)
{
    struct engine *e = arg;

    e->leader_known = true;
    campaign(e);
}

static void on_lease_lost(void *arg);

static void on_lease(int64_t lease, void *arg)
{
    struct engine *e = arg;

    e->lease_id = lease;
    campaign(e);
}

static void lease_start(struct engine *e)
{
    deis_etcd_lease_start(e->ctx->etcd, e->ctx->loop, LEASE_S, on_lease, on_lease_lost, e,
                          &e->lease);
}

static void on_lease_lost(void *arg)
{
    struct engine *e = arg;

    e->lease_id = 0;
    step_down(e, "its lease could not be renewed");
    deis_etcd_lease_stop(e->lease, false);
    lease_start(e);
}

struct engine *engine_start(const struct context *ctx)
{
    static const struct deis_etcd_watch_ops ops = { .on_change = on_leader_change,
                                                    .on_synced = on_leader_synced };
    struct engine *e = deis_alloc(sizeof(*e));

    e->ctx = ctx;
    deis_random_hex(e->token, 16);
    e->worker = deis_workers_new(ctx->loop, 1, 8);
    e->plan_timer = deis_timer_new(ctx->loop, on_plan, e);
    e->campaign_timer = deis_timer_new(ctx->loop, on_campaign, e);
    e->leader_watch = deis_etcd_watch_start(ctx->etcd, ctx->loop, LEADER_KEY, &ops, e);
    lease_start(e);
    return e;
}

void engine_stop(struct engine *e)
{
    if (!e) {
        return;
    }
    e->stopping = true;
    deis_workers_free(e->worker);
    step_down(e, "shutdown");
    deis_etcd_watch_stop(e->leader_watch);
    deis_etcd_lease_stop(e->lease, true);
    deis_timer_free(e->plan_timer);
    deis_timer_free(e->campaign_timer);
    free(e);
}
