/* SPDX-License-Identifier: MIT */
/* Taking over operations that nobody carries, and deleting what is old. */
#include "controller/carry.h"
#include "controller/deploy.h"
#include "controller/leaving.h"
#include "controller/reseal.h"
#include "controller/retention.h"

#include "lib/base/clock.h"
#include "lib/net/log.h"

#include <pthread.h>

#define ORPHAN_MS     5000 /* a controller registers itself before that */
#define TIDY_EVERY_MS 1800000

struct job {
    struct ctl *ctl;
    struct operation op;
    struct live *live;
};

static void work(void *arg)
{
    struct job *job = arg;
    struct outcome outcome = { 0 };
    struct deis_err err = DEIS_ERR_INIT;

    if (carry(job->ctl, &job->op, job->live, &outcome, &err) == DEIS_OK) {
        deis_info("operation carried on", KV_S("app", job->op.app), KV_S("id", job->op.id),
                  KV_S("result", outcome.done ? "done" : "failed"));
    }
    outcome_clear(&outcome);
    live_unref(job->live);
    operation_clear(&job->op);
    free(job);
}

void deploy_hand_on(struct ctl *ctl, struct operation *op, struct live *live)
{
    struct job *job = deis_alloc(sizeof(*job));
    struct deis_err err = DEIS_ERR_INIT;
    bool destroys = op->step == OPERATION_DESTROY;

    *job = (struct job){ .ctl = ctl, .op = *op, .live = live };
    *op = (struct operation){ 0 };
    if (deis_workers_run(destroys ? ctl->destroys : ctl->operations, work, NULL, job, &err) < 0) {
        deis_warn("operation left for later", KV_S("app", job->op.app), KV_S("id", job->op.id),
                  KV_ERR(&err));
        live_drop(live);
        live_unref(live);
        operation_clear(&job->op);
        free(job);
    }
}

/* Does the instance's registration stand? An error counts as yes. */
static bool instance_alive(struct ctl *ctl, const char *instance)
{
    deis_autorange struct deis_etcd_range range = { 0 };
    struct deis_err err = DEIS_ERR_INIT;
    char key[DEIS_KEY_MAX];

    if (strlen(instance) > 128) {
        return false;
    }
    return deis_etcd_get(ctl->etcd, deis_key(key, "services/controller/%s", instance), &range,
                         &err) != DEIS_NOT_FOUND;
}

/* Should this process take the operation over? */
static bool is_orphan(struct ctl *ctl, const struct operation *op)
{
    if (strcmp(op->boot, ctl->boot) == 0 || strcmp(op->instance, ctl->instance) == 0) {
        return true; /* ours and not carried here: left for later, or of our former self */
    }
    uint64_t now = deis_wall_ms();
    return now > op->started_ms + ORPHAN_MS && !instance_alive(ctl, op->instance);
}

static void take_over(struct ctl *ctl, struct operation *op, int64_t revision)
{
    struct deis_err err = DEIS_ERR_INIT;
    char key[DEIS_KEY_MAX];
    bool fresh = false;
    struct live *live = live_get(ctl->lives, op->id, &fresh);

    if (!live || !fresh) {
        live_unref(live); /* carried here already */
        return;
    }
    free(op->instance);
    free(op->boot);
    op->instance = deis_strdup(ctl->instance);
    op->boot = deis_strdup(ctl->boot);
    deis_autofree char *text = operation_format(op);
    deis_autotxn struct deis_etcd_txn *txn = deis_etcd_txn_new();
    deis_etcd_if_mod(txn, deis_key(key, "operations/%s", op->app), revision);
    deis_etcd_then_put(txn, key, deis_str(text), 0);
    int r = deis_etcd_commit(ctl->etcd, txn, NULL, NULL, &err);
    if (r == DEIS_OK) {
        deis_info("operation taken over", KV_S("app", op->app), KV_S("id", op->id));
        deploy_hand_on(ctl, op, live);
        return;
    }
    if (r != DEIS_CONFLICT) {
        deis_warn("operation not taken over", KV_S("key", key), KV_ERR(&err));
    }
    live_drop(live);
    live_unref(live);
}

static void take_over_one(struct ctl *ctl, const struct deis_etcd_kv *kv)
{
    struct deis_err err = DEIS_ERR_INIT;
    struct operation op;

    if (operation_parse(kv->value, &op, &err) < 0) {
        deis_error("operation not readable", KV_S("key", kv->key), KV_ERR(&err));
        return;
    }
    if (is_orphan(ctl, &op)) {
        take_over(ctl, &op, kv->mod_revision);
    }
    operation_clear(&op);
}

static void take_over_all(struct ctl *ctl)
{
    deis_autorange struct deis_etcd_range range = { 0 };
    struct deis_err err = DEIS_ERR_INIT;

    if (deis_etcd_list(ctl->etcd, "/deis/operations/", 0, &range, &err) < 0) {
        deis_debug("operations not listed", KV_ERR(&err));
        return;
    }
    for (size_t i = 0; i < range.count; i++) {
        take_over_one(ctl, &range.kvs[i]);
    }
}

void deploy_resume(struct ctl *ctl)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static uint64_t tidied_ms;

    if (pthread_mutex_trylock(&lock) != 0) {
        return; /* the last pass still runs */
    }
    take_over_all(ctl);
    leaving_look_after(ctl);
    reseal_tick(ctl);
    uint64_t now = deis_now_ms();
    if (settings_synced(ctl->settings) && (tidied_ms == 0 || now - tidied_ms > TIDY_EVERY_MS)) {
        tidied_ms = now;
        retention_all(ctl);
    }
    pthread_mutex_unlock(&lock);
}
