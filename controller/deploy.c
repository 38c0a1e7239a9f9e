/* SPDX-License-Identifier: MIT */
#include "controller/deploy.h"

#include "controller/applog.h"
#include "controller/carry.h"
#include "controller/gate.h"
#include "controller/retention.h"
#include "controller/rollouts.h"
#include "controller/waits.h"

#include "lib/base/clock.h"
#include "lib/net/log.h"

#include <unistd.h>

#define RACES_MAX  20 /* tries against others who change the app at the same moment */
#define SEALED_MAX 524288

static void plan_clear(struct deploy_plan *p)
{
    deis_formation_clear(&p->formation);
    json_decref(p->release);
    json_decref(p->config);
    json_decref(p->build);
    json_decref(p->structure);
    free(p->summary);
    *p = (struct deploy_plan){ 0 };
}

/* --- plans --- */

static int plan_run(const struct deploy_request *req, const struct app_view *view,
                    const struct deploy_release *rel, struct deploy_plan *plan,
                    struct deis_err *err)
{
    uint32_t version = plan->release ? view->latest + 1 : view->latest;
    settings_auto struct settings s = { 0 };
    deis_autobuf struct deis_buf sealed = DEIS_BUF_INIT(SEALED_MAX);
    char place[DEIS_KEY_MAX];

    settings_get(req->ctl->settings, &s);
    snprintf(place, sizeof(place), "env/%s", req->app);
    char *env = plan_env(rel->config, req->app, version, rel->build);
    deis_keys_seal(req->ctl->keys, deis_str(place), deis_str(env), &sealed);
    explicit_bzero(env, strlen(env));
    free(env);
    deis_autofree char *image = build_image(rel->build, s.registry);
    const struct plan_input in = { .app = req->app,
                                   .version = version,
                                   .build = rel->build,
                                   .config = rel->config,
                                   .structure = plan->structure,
                                   .image = image,
                                   .env = sealed.data,
                                   .operation = req->operation,
                                   .generation = view->generation + 1,
                                   .start_timeout_ms = s.start_timeout_ms,
                                   .grace_ms = s.grace_ms,
                                   .current = view->running ? &view->formation : NULL };
    int r = plan_formation(&in, &plan->formation, err);
    plan->has_formation = r == DEIS_OK;
    return r;
}

int deploy_plan_release(const struct deploy_request *req, const struct app_view *view,
                        const struct deploy_release *rel, struct deploy_plan *plan,
                        struct deis_err *err)
{
    char uuid[37], now[32];
    uint32_t version = view->latest + 1;
    const char *build_uuid = json_string_value(json_object_get(rel->build, "uuid"));

    deis_uuid(uuid);
    store_now(now);
    const struct release_origin origin = { uuid, req->app, req->user, now };
    plan->release = release_document(&origin, version, rel->config_uuid, build_uuid, rel->summary);
    plan->summary = deis_strdup(rel->summary);
    if (rel->new_build) {
        plan->build = json_incref(rel->build);
    }
    if (!rel->build) {
        plan->remove = view->running;
        return DEIS_OK;
    }
    plan->structure = plan_structure(json_object_get(view->app, "structure"), rel->build);
    return plan_run(req, view, rel, plan, err);
}

int deploy_plan_structure(const struct deploy_request *req, const struct app_view *view,
                          json_t *structure, struct deploy_plan *plan, struct deis_err *err)
{
    const struct deploy_release rel = { .config = view->config, .build = view->build };

    plan->structure = json_incref(structure);
    return plan_run(req, view, &rel, plan, err);
}

int deploy_prepare_build(const struct deploy_request *req, const struct app_view *view,
                         struct deploy_plan *plan, struct deis_err *err)
{
    json_t *build = req->arg;
    deis_autofree char *summary = build_summary(req->user, build);
    const char *config = json_string_value(json_object_get(view->app, "config"));
    const struct deploy_release rel = { .config = view->config,
                                        .config_uuid = config,
                                        .build = build,
                                        .new_build = true,
                                        .summary = summary };

    return deploy_plan_release(req, view, &rel, plan, err);
}

json_t *deploy_new_build(const char *app, const char *user, json_t *content)
{
    char uuid[37], now[32];

    deis_uuid(uuid);
    store_now(now);
    const struct release_origin origin = { uuid, app, user, now };
    return build_document(&origin, content);
}

/* --- beginning --- */

static int busy(struct deis_err *err, const struct operation *op)
{
    return deis_err_set(err, DEIS_CONFLICT,
                        "a %s of %s is under way on %s, try again when it has ended", op->kind,
                        op->owner, op->app);
}

/* Write documents that need no rollout, at once. */
static int commit_direct(const struct deploy_request *req, const struct app_view *view,
                         const struct deploy_plan *plan, struct outcome *ret, struct deis_err *err)
{
    char key[DEIS_KEY_MAX], now[32];
    change_auto struct change c = { 0 };
    deis_autojson json_t *app = json_deep_copy(view->app);
    deis_autofree char *action = deis_asprintf("app.%s", req->kind);
    deis_autofree char *object = deis_asprintf("app/%s", req->app);

    store_now(now);
    json_object_set_new(app, "updated", json_string(now));
    json_object_set_new(app, "generation", json_integer((json_int_t)view->generation));
    if (plan->structure) {
        json_object_set(app, "structure", plan->structure);
    }
    change_begin(&c, req->user, action, object, "done", req->request, req->source);
    if (plan->release) {
        unsigned version = (unsigned)json_integer_value(json_object_get(plan->release, "version"));
        json_object_set(app, "latest", json_object_get(plan->release, "version"));
        json_object_set(app, "config", json_object_get(plan->release, "config"));
        json_object_set(app, "build", json_object_get(plan->release, "build"));
        change_put(&c, deis_key(key, "apps/%s/releases/%010u", req->app, version), plan->release);
        ret->version = version;
        int r = routings_follow_release(req->ctl, &c, view->app, &view->routing, plan->release,
                                        plan->config, err);
        if (r < 0) {
            return r;
        }
    }
    if (plan->config) {
        const char *uuid = json_string_value(json_object_get(plan->config, "uuid"));
        change_put(&c, deis_key(key, "apps/%s/configs/%s", req->app, uuid), plan->config);
    }
    deis_etcd_if_absent(c.txn, deis_key(key, "operations/%s", req->app));
    deis_etcd_if_mod(c.txn, deis_key(key, "apps/%s", req->app), view->app_revision);
    change_put(&c, key, app);
    deis_etcd_if_mod(c.txn, deis_key(key, "formations/%s", req->app), view->formation_revision);
    if (plan->remove) {
        deis_etcd_then_delete(c.txn, key);
    }
    int r = change_commit(req->ctl, &c, err);
    if (r == DEIS_OK) {
        ret->done = true;
        ret->app = deis_strdup(req->app);
        if (plan->summary) {
            applog_write(req->ctl, req->app, "%s", plan->summary);
        }
    }
    return r;
}

static void operation_fill(struct operation *op, const struct deploy_request *req)
{
    *op = (struct operation){ .id = deis_strdup(req->operation),
                              .kind = deis_strdup(req->kind),
                              .app = deis_strdup(req->app),
                              .owner = deis_strdup(req->user),
                              .request = deis_strdup(req->request),
                              .instance = deis_strdup(req->ctl->instance),
                              .boot = deis_strdup(req->ctl->boot),
                              .started_ms = deis_wall_ms(),
                              .summary = deis_strdup("") };
}

/* Write the operation; its key is the lock, its id keeps a repeat from beginning twice. No
 * formation: the app goes, and from now on nothing is added to it. */
static int commit_begin(struct ctl *ctl, const char *source, const struct operation *op,
                        const struct app_view *view, const struct deis_formation *formation,
                        struct deis_err *err)
{
    char key[DEIS_KEY_MAX];
    change_auto struct change c = { 0 };
    deis_autofree char *text = operation_format(op);
    deis_autofree char *action = deis_asprintf("app.%s", op->kind);
    deis_autofree char *object = deis_asprintf("app/%s", op->app);

    change_begin(&c, op->owner, action, object, "begun", op->request, source);
    deis_etcd_if_absent(c.txn, deis_key(key, "operations/%s", op->app));
    change_put_text(&c, key, text);
    deis_etcd_if_absent(c.txn, deis_key(key, "outcomes/%s", op->id));
    deis_etcd_if_mod(c.txn, deis_key(key, "apps/%s", op->app), view->app_revision);
    deis_etcd_if_mod(c.txn, deis_key(key, "formations/%s", op->app), view->formation_revision);
    if (formation) {
        deis_autofree char *run = deis_formation_format(formation);
        change_put_text(&c, key, run);
    } else {
        deis_autojson json_t *going = json_copy(view->app);
        json_object_set_new(going, "destroying", json_true());
        deis_etcd_then_delete(c.txn, key);
        change_put(&c, deis_key(key, "apps/%s", op->app), going);
    }
    return change_commit(ctl, &c, err);
}

static int begin_rollout(const struct deploy_request *req, const struct app_view *view,
                         const struct deploy_plan *plan, struct operation *op, struct deis_err *err)
{
    operation_fill(op, req);
    op->step = OPERATION_ROLLOUT;
    op->generation = plan->formation.generation;
    op->start_timeout_ms = plan->formation.start_timeout_ms;
    op->health = plan->formation.health.path != NULL;
    op->release = plan->release ? json_incref(plan->release) : NULL;
    op->config = plan->config ? json_incref(plan->config) : NULL;
    op->build = plan->build ? json_incref(plan->build) : NULL;
    op->structure = plan->structure ? json_incref(plan->structure) : NULL;
    op->previous = view->formation_doc ? json_incref(view->formation_doc) : NULL;
    if (plan->summary) {
        free(op->summary);
        op->summary = deis_strdup(plan->summary);
    }
    return commit_begin(req->ctl, req->source, op, view, &plan->formation, err);
}

static void end_waiting(const struct deploy_request *req)
{
    if (req->holds_request) {
        waits_leave(req->ctl->waits, req->user);
    }
}

enum attempt {
    ATTEMPT_DONE,
    ATTEMPT_BEGUN,
    ATTEMPT_FAILED,
    ATTEMPT_BUSY,
    ATTEMPT_RACE,
    ATTEMPT_OTHER
};

/* Begin to roll it out, unless too many requests wait for such already. BEGUN: end_waiting() is
 * due. */
static enum attempt begin_waiting(const struct deploy_request *req, const struct app_view *view,
                                  const struct deploy_plan *plan, struct operation *op,
                                  struct deis_err *err)
{
    if (req->holds_request && waits_enter(req->ctl->waits, req->user, 0, err) < 0) {
        return ATTEMPT_BUSY;
    }
    int r = begin_rollout(req, view, plan, op, err);
    if (r < 0) {
        end_waiting(req);
        operation_clear(op);
    }
    return r == DEIS_OK ? ATTEMPT_BEGUN : r == DEIS_CONFLICT ? ATTEMPT_RACE : ATTEMPT_FAILED;
}

/* One try under the app's gate. DONE: *ret is it. BEGUN: *op is to be carried. OTHER: an operation
 * of this id is known already. */
static enum attempt attempt(const struct deploy_request *req, struct operation *op,
                            struct outcome *ret, struct deis_err *err)
{
    app_view_auto struct app_view view = { 0 };
    struct deploy_plan plan = { 0 };
    int r = app_view_load(req->ctl, req->app, req->hint, &view, err);

    if (r < 0) {
        return ATTEMPT_FAILED;
    }
    if (view.operation.id) {
        busy(err, &view.operation);
        return strcmp(view.operation.id, req->operation) == 0 ? ATTEMPT_OTHER : ATTEMPT_BUSY;
    }
    enum attempt result = ATTEMPT_FAILED;
    r = req->prepare(req, &view, &plan, err);
    if (r == DEIS_OK && plan.nothing) {
        *ret = (struct outcome){ .done = true, .app = deis_strdup(req->app) };
        result = ATTEMPT_DONE;
    } else if (r == DEIS_OK && !plan.has_formation) {
        r = commit_direct(req, &view, &plan, ret, err);
        result = r == DEIS_OK ? ATTEMPT_DONE : r == DEIS_CONFLICT ? ATTEMPT_RACE : ATTEMPT_FAILED;
    } else if (r == DEIS_OK) {
        result = begin_waiting(req, &view, &plan, op, err);
    }
    plan_clear(&plan);
    return result;
}

/* Try until it begins, fails, or patience ends. */
static enum attempt begin(struct deploy_request *req, struct operation *op, struct outcome *ret,
                          struct deis_err *err)
{
    uint64_t until = deis_now_ms() + req->patience_ms;
    struct deis_err none = DEIS_ERR_INIT;

    for (unsigned i = 0, races = 0;; i++) {
        uint64_t now = deis_now_ms();
        if (!gate_enter(req->ctl->apps, req->app, now < until ? until - now : 1)) {
            deis_err_set(err, DEIS_CONFLICT, "other changes of %s are under way, try again",
                         req->app);
            return ATTEMPT_BUSY;
        }
        enum attempt result = attempt(req, op, ret, err);
        gate_leave(req->ctl->apps, req->app);
        races += result == ATTEMPT_RACE;
        if (result == ATTEMPT_RACE &&
            carry_outcome(req->ctl, req->operation, ret, &none) == DEIS_OK) {
            return ATTEMPT_DONE; /* a repeat of what has ended meanwhile */
        }
        bool again = (result == ATTEMPT_RACE && races < RACES_MAX) ||
                     (result == ATTEMPT_BUSY && deis_now_ms() < until);
        if (!again || rollouts_cancelled(req->ctl->rollouts)) {
            return result;
        }
        usleep((useconds_t)deis_backoff_ms(i, 20, 250) * 1000);
    }
}

static unsigned version_of(const struct operation *op)
{
    return (unsigned)json_integer_value(json_object_get(op->release, "version"));
}

int deploy_run(struct deploy_request *req, struct outcome *ret, struct deis_err *err)
{
    struct operation op = { 0 };
    bool fresh, own = !*req->operation; /* its id is known to nobody else */
    int r = DEIS_INTERNAL;

    *ret = (struct outcome){ 0 };
    if (own) {
        deis_uuid(req->operation);
    }
    struct live *live = live_get(req->ctl->lives, req->operation, &fresh);
    if (!live) {
        return deis_err_set(err, DEIS_UNAVAILABLE, "too many operations are under way");
    }
    switch (begin(req, &op, ret, err)) {
    case ATTEMPT_BEGUN:
        if (op.release) {
            live_progress(live, "starting v%u", version_of(&op));
        }
        r = carry(req->ctl, &op, live, ret, err);
        end_waiting(req);
        break;
    case ATTEMPT_DONE:
        live_end(live, ret);
        r = DEIS_OK;
        break;
    case ATTEMPT_OTHER:
        live_drop(live);
        r = carry_watch(req->ctl, req->operation, req->app, ret, err);
        break;
    case ATTEMPT_RACE:
        r = deis_err_set(err, DEIS_CONFLICT,
                         "%s was changed by others at the same moment, try again", req->app);
        break;
    case ATTEMPT_BUSY:
    case ATTEMPT_FAILED: r = err->code; break;
    }
    if (r == DEIS_OK && ret->done && ret->version > 0) {
        retention_after_release(req->ctl, req->app, ret->version);
    }
    if (own) {
        live_drop(live);
    }
    live_unref(live);
    operation_clear(&op);
    return r;
}

static int destroy(struct deploy_request *req, bool waits, struct outcome *ret,
                   struct deis_err *err)
{
    app_view_auto struct app_view view = { 0 };
    struct operation op = { 0 };
    bool fresh;
    int r = app_view_load(req->ctl, req->app, req->hint, &view, err);
    if (r < 0) {
        return r;
    }
    if (view.operation.id) {
        return busy(err, &view.operation);
    }
    deis_uuid(req->operation);
    struct live *live = live_get(req->ctl->lives, req->operation, &fresh);
    if (!live) {
        return deis_err_set(err, DEIS_UNAVAILABLE, "too many operations are under way");
    }
    operation_fill(&op, req);
    op.step = OPERATION_DESTROY;
    op.generation = view.generation;
    r = commit_begin(req->ctl, req->source, &op, &view, NULL, err);
    if (r == DEIS_OK && !waits) {
        *ret = (struct outcome){ .done = true, .app = deis_strdup(req->app) };
        deploy_hand_on(req->ctl, &op, live);
        return r;
    }
    if (r == DEIS_OK) {
        r = carry(req->ctl, &op, live, ret, err);
    }
    if (r == DEIS_CONFLICT) {
        deis_err_set(err, DEIS_CONFLICT, "%s was changed by others at the same moment, try again",
                     req->app);
    }
    live_drop(live);
    live_unref(live);
    operation_clear(&op);
    return r;
}

int deploy_destroy(struct deploy_request *req, struct outcome *ret, struct deis_err *err)
{
    *ret = (struct outcome){ 0 };
    struct deis_err full = DEIS_ERR_INIT;
    bool waits = !req->holds_request || waits_enter(req->ctl->waits, req->user, 0, &full) >= 0;
    int r = destroy(req, waits, ret, err);

    if (waits) {
        end_waiting(req);
    }
    return r;
}

struct deploy_request deploy_request_of(struct api *a, const char *kind, uint64_t patience_ms)
{
    return (struct deploy_request){ .ctl = a->ctl,
                                    .kind = kind,
                                    .app = a->app_id,
                                    .user = a->user,
                                    .hint = a->app,
                                    .request = a->id,
                                    .source = a->source,
                                    .patience_ms = patience_ms,
                                    .holds_request = true };
}

void deploy_answer_failure(struct api *a, int r, const struct outcome *o,
                           const struct deis_err *err)
{
    if (r == DEIS_OK) {
        deis_autofree char *text = outcome_text(o);
        api_detail(a, 503, "%s", text);
    } else if (r == DEIS_CANCELLED) {
        api_detail(
            a, 503,
            "The controller restarts; the change goes on, look at the app again in a moment");
    } else {
        api_error(a, err);
    }
}
