/* SPDX-License-Identifier: MIT */
#include "controller/carry.h"

#include "controller/applog.h"
#include "controller/logline.h"
#include "controller/logs.h"
#include "controller/rollouts.h"
#include "run.pb-c.h"

#include "lib/base/clock.h"
#include "lib/net/log.h"

#include <unistd.h>

#define FINISH_MAX_MS   300000 /* how long the end is tried while the store is away */
#define ROLLOUT_TICK_MS 2000
#define DESTROY_MAX_MS  60000
#define LOG_LINES       20
#define WATCH_MAX_MS    1500000
#define NAMES_MAX       40 /* domains or grants deleted in one transaction */

static bool nap(struct ctl *ctl, uint64_t ms)
{
    usleep((useconds_t)ms * 1000);
    return !rollouts_cancelled(ctl->rollouts);
}

int carry_outcome(struct ctl *ctl, const char *id, struct outcome *ret, struct deis_err *err)
{
    deis_autorange struct deis_etcd_range range = { 0 };
    char key[DEIS_KEY_MAX];
    int r = deis_etcd_get(ctl->etcd, deis_key(key, "outcomes/%s", id), &range, err);

    return r < 0 ? r : outcome_parse(range.kvs[0].value, ret, err);
}

int carry_watch(struct ctl *ctl, const char *id, const char *app, struct outcome *ret,
                struct deis_err *err)
{
    uint64_t until = deis_now_ms() + WATCH_MAX_MS;

    while (deis_now_ms() < until) {
        int r = carry_outcome(ctl, id, ret, err);
        if (r == DEIS_OK) {
            return r;
        }
        if (r != DEIS_NOT_FOUND && r != DEIS_UNAVAILABLE && r != DEIS_TIMEOUT) {
            return r;
        }
        if (!nap(ctl, 400)) {
            return deis_err_set(err, DEIS_CANCELLED, "the controller stops");
        }
    }
    return deis_err_set(err, DEIS_UNAVAILABLE, "the change of '%s' did not end in time", app);
}

/* The last lines of the unit that made the rollout fail; NULL when they can't be had. */
static char **failed_unit_log(struct ctl *ctl, const struct deis_rollout *rollout)
{
    Deis__UnitLog request = DEIS__UNIT_LOG__INIT;
    struct deis_err err = DEIS_ERR_INIT;
    deis_autojson json_t *machine = NULL;
    ProtobufCMessage *msg = NULL;
    char key[DEIS_KEY_MAX];

    if (!rollout->unit || !*rollout->unit || !rollout->machine || !*rollout->machine ||
        store_get(ctl, deis_key(key, "machines/%s", rollout->machine), &machine, NULL, &err) < 0) {
        return NULL;
    }
    const char *bus = json_string_value(json_object_get(machine, "bus"));
    request.unit = rollout->unit;
    request.lines = LOG_LINES;
    if (!bus || deis_bus_call_sync(ctl->bus, bus, "agent.unit_log", NULL, &request.base,
                                   &deis__unit_log_lines__descriptor, 5000, &msg, &err) < 0) {
        deis_info("log of a failed unit not read", KV_S("unit", rollout->unit), KV_ERR(&err));
        return NULL;
    }
    const Deis__UnitLogLines *lines = (const Deis__UnitLogLines *)(const void *)msg;
    size_t count = lines->n_lines < LOG_LINES ? lines->n_lines : LOG_LINES;
    char **out = deis_alloc((count + 1) * sizeof(*out));
    for (size_t i = 0; i < count; i++) {
        deis_autobuf struct deis_buf text = DEIS_BUF_INIT(4096);
        logline_add_text(&text,
                         deis_str_n((const char *)lines->lines[i].data, lines->lines[i].len));
        out[i] = deis_strdup(text.data);
    }
    protobuf_c_message_free_unpacked(msg, NULL);
    return out;
}

/* How a rollout ended, in words. */
static void rollout_outcome(struct ctl *ctl, const struct operation *op,
                            enum operation_verdict verdict, const struct deis_rollout *rollout,
                            struct outcome *ret)
{
    ret->done = verdict == OPERATION_DONE;
    if (verdict == OPERATION_FAILED) {
        bool told = rollout->reason && *rollout->reason;
        ret->reason = deis_strdup(told ? rollout->reason : "the new processes did not start");
        ret->log = failed_unit_log(ctl, rollout);
    } else if (verdict == OPERATION_ORPHANED) {
        ret->reason = deis_strdup("no scheduler is there to start the new processes");
    } else if (verdict == OPERATION_OVERDUE) {
        ret->reason = deis_asprintf("the scheduler did not finish within %llu s",
                                    (unsigned long long)operation_patience_ms(op) / 1000);
    }
    if (ret->reason) {
        ret->cause = outcome_cause_of(ret->reason, op->health);
    }
}

static void tell_progress(struct live *live, const struct operation *op,
                          const struct deis_rollout *rollout)
{
    if (rollout->generation == op->generation && rollout->state == DEIS_ROLLOUT_RUNNING) {
        live_progress(live, "%u of %u processes ready", rollout->ready, rollout->wanted);
    }
}

/* Is it known that no engine leads? */
static bool engine_is_gone(struct ctl *ctl)
{
    deis_autorange struct deis_etcd_range range = { 0 };
    struct deis_err err = DEIS_ERR_INIT;

    return deis_etcd_get(ctl->etcd, "/deis/leader/engine", &range, &err) == DEIS_NOT_FOUND;
}

/* Wait for the engine. 0: *ret holds how it went. */
static int await_rollout(struct ctl *ctl, const struct operation *op, struct live *live,
                         struct outcome *ret, struct deis_err *err)
{
    struct deis_rollout rollout = { 0 }, next;
    enum operation_verdict verdict = OPERATION_WAIT;
    uint64_t begun = deis_now_ms(), changed = begun, led = begun, seen = 0;

    while (verdict == OPERATION_WAIT && !rollouts_cancelled(ctl->rollouts)) {
        if (rollouts_wait(ctl->rollouts, op->app, &seen, ROLLOUT_TICK_MS, &next)) {
            deis_rollout_clear(&rollout);
            rollout = next;
            changed = led = deis_now_ms();
            tell_progress(live, op, &rollout);
        } else if (!engine_is_gone(ctl)) {
            led = deis_now_ms();
        }
        uint64_t now = deis_now_ms();
        const struct operation_wait wait = { .total_ms = now - begun,
                                             .silent_ms = now - changed,
                                             .engine_gone_ms = now - led };
        verdict = operation_judge(op, seen > 0 ? &rollout : NULL, &wait);
    }
    rollout_outcome(ctl, op, verdict, &rollout, ret);
    deis_rollout_clear(&rollout);
    return verdict == OPERATION_WAIT ? deis_err_set(err, DEIS_CANCELLED, "the controller stops")
                                     : DEIS_OK;
}

/* The app's document as it is after the operation. */
static json_t *app_after(const struct operation *op, const json_t *app, bool done,
                         uint64_t generation)
{
    json_t *doc = json_deep_copy(app);
    char now[32];

    json_object_set_new(doc, "generation", json_integer((json_int_t)generation));
    if (!done) {
        return doc;
    }
    store_now(now);
    json_object_set_new(doc, "updated", json_string(now));
    if (op->release) {
        json_object_set(doc, "latest", json_object_get(op->release, "version"));
        json_object_set(doc, "config", json_object_get(op->release, "config"));
        json_object_set(doc, "build", json_object_get(op->release, "build"));
    }
    if (op->structure) {
        json_object_set(doc, "structure", op->structure);
    }
    return doc;
}

static void put_documents(struct change *c, const struct operation *op)
{
    char key[DEIS_KEY_MAX];

    const struct {
        const char *folder;
        const json_t *doc;
    } docs[] = { { "configs", op->config }, { "builds", op->build } };

    for (size_t i = 0; i < DEIS_COUNT(docs); i++) {
        const char *uuid = json_string_value(json_object_get(docs[i].doc, "uuid"));
        if (uuid) {
            change_put(c, deis_key(key, "apps/%s/%s/%s", op->app, docs[i].folder, uuid),
                       docs[i].doc);
        }
    }
    if (op->release) {
        unsigned version = (unsigned)json_integer_value(json_object_get(op->release, "version"));
        change_put(c, deis_key(key, "apps/%s/releases/%010u", op->app, version), op->release);
    }
}

/* Back to what ran before, as a new generation. Returns the generation now in use. */
static uint64_t put_previous(struct change *c, const struct operation *op)
{
    char key[DEIS_KEY_MAX];

    deis_key(key, "formations/%s", op->app);
    if (!op->previous) {
        deis_etcd_then_delete(c->txn, key);
        return op->generation;
    }
    deis_autojson json_t *previous = json_deep_copy(op->previous);
    json_object_set_new(previous, "generation", json_integer((json_int_t)op->generation + 1));
    json_object_set_new(previous, "operation", json_string(op->id));
    change_put(c, key, previous);
    return op->generation + 1;
}

/* What an operation ends on, read together. */
struct carried {
    json_t *app;
    int64_t app_revision;
    /* As it is kept: what is sealed in it may have been sealed anew since it began. */
    struct operation operation;
    int64_t operation_revision;
    struct routing_kept routing;
};

#define carried_auto __attribute__((cleanup(carried_clear)))

static void carried_clear(struct carried *s)
{
    json_decref(s->app);
    json_decref(s->routing.doc);
    operation_clear(&s->operation);
}

/* Is the operation still ours? DEIS_CONFLICT: no. Clear *ret in any case. */
static int read_own(struct ctl *ctl, const struct operation *op, struct carried *ret,
                    struct deis_err *err)
{
    enum { APP, OPERATION, ROUTING, KEYS };

    char keys[KEYS][DEIS_KEY_MAX];
    const char *list[] = { keys[APP], keys[OPERATION], keys[ROUTING] };
    json_t *docs[KEYS];
    int64_t revisions[KEYS];

    deis_key(keys[APP], "apps/%s", op->app);
    deis_key(keys[OPERATION], "operations/%s", op->app);
    deis_key(keys[ROUTING], "routing/%s", op->app);
    int r = store_get_all(ctl, list, KEYS, docs, revisions, err);
    if (r < 0) {
        return r;
    }
    deis_autojson json_t *operation = docs[OPERATION];
    ret->app = docs[APP];
    ret->app_revision = revisions[APP];
    ret->operation_revision = revisions[OPERATION];
    ret->routing = (struct routing_kept){ docs[ROUTING], revisions[ROUTING] };
    const char *id = json_string_value(json_object_get(operation, "id"));
    const char *boot = json_string_value(json_object_get(operation, "boot"));
    if (!ret->app || !id || strcmp(id, op->id) != 0 || !boot || strcmp(boot, ctl->boot) != 0) {
        return deis_err_set(err, DEIS_CONFLICT, "another controller carries the operation");
    }
    deis_autofree char *text = deis_json_dump(operation);
    return operation_parse(deis_str(text), &ret->operation, err);
}

/* Write what came of it. */
static int write_end(struct ctl *ctl, const struct carried *s, struct outcome *o,
                     struct deis_err *err)
{
    char key[DEIS_KEY_MAX];
    change_auto struct change c = { 0 };
    const struct operation *op = &s->operation;
    uint64_t generation = op->generation;
    int r;

    o->at_ms = deis_wall_ms();
    o->version =
        o->done ? (uint32_t)json_integer_value(json_object_get(op->release, "version")) : 0;
    deis_autofree char *action = deis_asprintf("app.%s", op->kind);
    deis_autofree char *object = deis_asprintf("app/%s", op->app);
    change_begin(&c, op->owner, action, object, o->done ? "done" : "failed", op->request, NULL);
    if (o->done && op->release) {
        r = routings_follow_release(ctl, &c, s->app, &s->routing, op->release, op->config, err);
        if (r < 0) {
            return r;
        }
    }
    if (o->done) {
        put_documents(&c, op);
    } else {
        generation = put_previous(&c, op);
    }
    deis_autojson json_t *after = app_after(op, s->app, o->done, generation);
    deis_autofree char *outcome = outcome_format(o);
    deis_etcd_if_mod(c.txn, deis_key(key, "apps/%s", op->app), s->app_revision);
    change_put(&c, key, after);
    deis_etcd_if_mod(c.txn, deis_key(key, "operations/%s", op->app), s->operation_revision);
    deis_etcd_then_delete(c.txn, key);
    change_put_text(&c, deis_key(key, "outcomes/%s", op->id), outcome);
    r = change_commit(ctl, &c, err);
    /* The app may change beside an operation (transfer): look again. */
    return r == DEIS_CONFLICT ? deis_err_set(err, DEIS_TIMEOUT, "the app changed") : r;
}

static int finish_once(struct ctl *ctl, const struct operation *op, struct outcome *o,
                       struct deis_err *err)
{
    carried_auto struct carried s = { 0 };
    int r = read_own(ctl, op, &s, err);

    return r < 0 ? r : write_end(ctl, &s, o, err);
}

/* Try until it is written, somebody else has it, or the store stays away for too long. */
static int finish(struct ctl *ctl, const struct operation *op, struct outcome *o,
                  int (*once)(struct ctl *ctl, const struct operation *op, struct outcome *o,
                              struct deis_err *err),
                  struct deis_err *err)
{
    uint64_t until = deis_now_ms() + FINISH_MAX_MS;
    int r;

    for (unsigned i = 0;; i++) {
        r = once(ctl, op, o, err);
        if (r != DEIS_UNAVAILABLE && r != DEIS_TIMEOUT) {
            return r;
        }
        if (deis_now_ms() > until || !nap(ctl, deis_backoff_ms(i, 50, 2000))) {
            return r;
        }
    }
}

static void tell_log(struct ctl *ctl, const struct operation *op, const struct outcome *o)
{
    if (o->done && *op->summary) {
        applog_write(ctl, op->app, "%s", op->summary);
    } else if (!o->done) {
        applog_write(ctl, op->app, "%s of %s failed: %s", op->kind, op->owner, o->reason);
    }
}

/* Will another try come to the same? */
static bool is_for_good(int r)
{
    return r < 0 && r != DEIS_UNAVAILABLE && r != DEIS_TIMEOUT && r != DEIS_CANCELLED &&
           r != DEIS_CONFLICT;
}

static int carry_rollout(struct ctl *ctl, const struct operation *op, struct live *live,
                         struct outcome *ret, struct deis_err *err)
{
    int r = await_rollout(ctl, op, live, ret, err);

    if (r < 0) {
        return r;
    }
    r = finish(ctl, op, ret, finish_once, err);
    if (is_for_good(r) && ret->done) { /* it must not hold the app for ever */
        ret->done = false;
        ret->reason = deis_strdup(err->msg);
        r = finish(ctl, op, ret, finish_once, err);
    }
    if (r == DEIS_OK) {
        tell_log(ctl, op, ret);
    }
    return r;
}

/* Wait until nothing of the app is placed any more, but not for ever: it is destroyed anyway. */
static int await_no_units(struct ctl *ctl, const struct operation *op, struct deis_err *err)
{
    uint64_t until = deis_now_ms() + DESTROY_MAX_MS;
    char prefix[DEIS_KEY_MAX];
    size_t left = SIZE_MAX;

    deis_key(prefix, "units/%s_v", op->app);
    while (left > 0 && deis_now_ms() < until) {
        deis_autorange struct deis_etcd_range range = { 0 };
        if (deis_etcd_list_keys(ctl->etcd, prefix, &range, err) == DEIS_OK) {
            left = range.count;
        }
        if (left > 0 && !nap(ctl, 150)) {
            return deis_err_set(err, DEIS_CANCELLED, "the controller stops");
        }
    }
    if (left > 0) {
        deis_warn("app destroyed while processes remain", KV_S("app", op->app));
    }
    return DEIS_OK;
}

/* Delete what an index of the app names, some at a time so that a transaction holds it. */
static int delete_indexed(struct ctl *ctl, const struct operation *op, const char *index,
                          void (*add)(struct deis_etcd_txn *txn, const char *app, const char *name),
                          struct deis_err *err)
{
    deis_autojson json_t *names = NULL;
    int r = store_names(ctl, index, &names, err);

    for (size_t i = 0; r == DEIS_OK && i < json_array_size(names); i += NAMES_MAX) {
        deis_autotxn struct deis_etcd_txn *txn = deis_etcd_txn_new();
        for (size_t j = i; j < i + NAMES_MAX && j < json_array_size(names); j++) {
            add(txn, op->app, json_string_value(json_array_get(names, j)));
        }
        r = deis_etcd_commit(ctl->etcd, txn, NULL, NULL, err);
    }
    return r;
}

static void add_domain(struct deis_etcd_txn *txn, const char *app, const char *name)
{
    char key[DEIS_KEY_MAX];

    deis_etcd_then_delete(txn, deis_key(key, "domains/%s", name));
    deis_etcd_then_delete(txn, deis_key(key, "index/domain/%s/%s", app, name));
}

static void add_grant(struct deis_etcd_txn *txn, const char *app, const char *name)
{
    char key[DEIS_KEY_MAX];

    deis_etcd_then_delete(txn, deis_key(key, "index/shared/%s/%s", name, app));
    deis_etcd_then_delete(txn, deis_key(key, "apps/%s/perms/%s", app, name));
}

static int destroy_once(struct ctl *ctl, const struct operation *op, struct outcome *o,
                        struct deis_err *err)
{
    char key[DEIS_KEY_MAX];
    change_auto struct change c = { 0 };
    carried_auto struct carried s = { 0 };
    int r = read_own(ctl, op, &s, err);

    if (r == DEIS_OK) {
        r = delete_indexed(ctl, op, deis_key(key, "index/domain/%s/", op->app), add_domain, err);
    }
    if (r == DEIS_OK) {
        r = delete_indexed(ctl, op, deis_key(key, "apps/%s/perms/", op->app), add_grant, err);
    }
    if (r < 0) {
        return r;
    }
    o->at_ms = deis_wall_ms();
    deis_autofree char *outcome = outcome_format(o);
    deis_autofree char *object = deis_asprintf("app/%s", op->app);
    const char *owner = json_string_value(json_object_get(s.app, "owner"));
    change_begin(&c, op->owner, "app.destroy", object, "done", op->request, NULL);
    change_of_apps(&c);
    deis_etcd_if_mod(c.txn, deis_key(key, "apps/%s", op->app), s.app_revision);
    deis_etcd_then_delete(c.txn, key);
    deis_etcd_if_mod(c.txn, deis_key(key, "operations/%s", op->app), s.operation_revision);
    deis_etcd_then_delete(c.txn, key);
    deis_etcd_then_delete_prefix(c.txn, deis_key(key, "apps/%s/", op->app));
    deis_etcd_then_delete(c.txn, deis_key(key, "routing/%s", op->app));
    deis_etcd_then_delete(c.txn, deis_key(key, "index/app/%s", op->app));
    deis_etcd_then_delete(c.txn, deis_key(key, "index/owner/%s/%s", owner ? owner : "", op->app));
    change_put_text(&c, deis_key(key, "outcomes/%s", op->id), outcome);
    r = change_commit(ctl, &c, err);
    return r == DEIS_CONFLICT ? deis_err_set(err, DEIS_TIMEOUT, "the app changed") : r;
}

static int carry_destroy(struct ctl *ctl, const struct operation *op, struct outcome *ret,
                         struct deis_err *err)
{
    int r = await_no_units(ctl, op, err);

    if (r < 0) {
        return r;
    }
    if (logs_delete(ctl, op->app, err) < 0) {
        deis_warn("logs of a destroyed app not deleted", KV_S("app", op->app), KV_ERR(err));
    }
    ret->done = true;
    return finish(ctl, op, ret, destroy_once, err);
}

int carry(struct ctl *ctl, const struct operation *op, struct live *live, struct outcome *ret,
          struct deis_err *err)
{
    int r = DEIS_OK;

    *ret = (struct outcome){ .app = deis_strdup(op->app) };
    switch (op->step) {
    case OPERATION_ROLLOUT: r = carry_rollout(ctl, op, live, ret, err); break;
    case OPERATION_DESTROY: r = carry_destroy(ctl, op, ret, err); break;
    }
    if (r == DEIS_CONFLICT) { /* taken over: the other one's outcome counts */
        outcome_clear(ret);
        r = carry_watch(ctl, op->id, op->app, ret, err);
    }
    if (r == DEIS_OK) {
        live_end(live, ret);
    } else {
        outcome_clear(ret);
        if (live) {
            live_drop(live);
        }
        if (r != DEIS_CANCELLED) { /* whatever it was: the operation stands */
            err->code = r = DEIS_UNAVAILABLE;
        }
        deis_warn("operation left for later", KV_S("app", op->app), KV_S("id", op->id),
                  KV_ERR(err));
    }
    return r;
}
