/* SPDX-License-Identifier: MIT */
#include "builder/janitor.h"

#include "builder/bases.h"
#include "builder/complete.h"
#include "builder/image.h"
#include "builder/images.h"
#include "builder/layers.h"
#include "builder/repo.h"
#include "builder/upkeep.h"

#include "lib/base/clock.h"
#include "lib/model/model.h"
#include "lib/net/log.h"

#include <unistd.h>

/* A request to deploy may still be on its way to the controller for so long after its sender died.
 */
#define DEPLOY_SETTLE_MS 120000
/* Outcomes are kept for a day: beyond, their absence says nothing. */
#define OUTCOME_KEPT_MS 72000000 /* 20 hours */
#define LAYER_KEPT_MS   86400000

struct round {
    const struct janitor *j;
    struct janitor_left *left;
};

enum fate { FATE_KEEP, FATE_FORGET, FATE_LATER };

/* --- builds that were killed --- */

static bool is_done(struct deis_str outcome)
{
    struct deis_err err = DEIS_ERR_INIT;
    deis_autojson json_t *object = deis_json_parse(outcome, &err);
    bool done = false;

    return object && deis_json_bool_or(object, "done", false, &done, &err) == DEIS_OK && done;
}

static bool is_operation(struct deis_str operation, const char *id)
{
    struct deis_err err = DEIS_ERR_INIT;
    deis_autojson json_t *object = deis_json_parse(operation, &err);
    const char *found = NULL;

    return object && deis_json_get_str(object, "id", &found, &err) == DEIS_OK &&
           strcmp(found, id) == 0;
}

/* Did the deploy that this record began come to a release? */
static enum fate fate_of_deploy(const struct janitor *j, const struct record *r)
{
    struct deis_err err = DEIS_ERR_INIT;
    char key[DEIS_KEY_MAX];
    deis_autorange struct deis_etcd_range outcome = { 0 };
    deis_autorange struct deis_etcd_range operation = { 0 };
    uint64_t age = record_age_ms(j->settings, r->id, deis_wall_ms());

    int rc = deis_etcd_get(j->etcd, deis_key(key, "operations/%s", r->app), &operation, &err);
    if (rc == DEIS_OK && operation.count > 0 && is_operation(operation.kvs[0].value, r->id)) {
        return FATE_LATER;
    }
    if (rc < 0 && rc != DEIS_NOT_FOUND) {
        return FATE_LATER;
    }
    /* After the operation, which ends with its outcome: reading the other way round could miss
     * both. */
    rc = deis_etcd_get(j->etcd, deis_key(key, "outcomes/%s", r->id), &outcome, &err);
    if (rc == DEIS_OK && outcome.count > 0) {
        return is_done(outcome.kvs[0].value) ? FATE_KEEP : FATE_FORGET;
    }
    if (rc < 0 && rc != DEIS_NOT_FOUND) {
        return FATE_LATER;
    }
    if (age > OUTCOME_KEPT_MS) {
        return FATE_KEEP;
    }
    return age > DEPLOY_SETTLE_MS ? FATE_FORGET : FATE_LATER;
}

/* There is a release of it, so the branch has to name its commit. */
static bool complete(const struct janitor *j, const struct record *r)
{
    struct deis_err err = DEIS_ERR_INIT;

    int rc = complete_push(j->settings, r, &err);
    if (rc < 0) {
        deis_warn("can't move the branch of an interrupted push to its release",
                  KV_S("app", r->app), KV_S("commit", r->commit), KV_ERR(&err));
    }
    /* What is lost can only be pushed again. */
    return rc == DEIS_OK || rc == DEIS_NOT_FOUND || rc == DEIS_INVALID;
}

static bool settle(const struct janitor *j, const struct record *r)
{
    struct deis_err err = DEIS_ERR_INIT;
    enum fate fate = r->phase == RECORD_DEPLOYING ? fate_of_deploy(j, r) : FATE_FORGET;

    if (fate == FATE_LATER || (fate == FATE_KEEP && !complete(j, r))) {
        return false;
    }
    if (fate == FATE_FORGET && (image_forget_build(j->settings, j->docker, r, &err) < 0 ||
                                layers_keep(j->settings, r, &err) < 0)) {
        deis_warn("can't remove the image of an interrupted build", KV_S("app", r->app),
                  KV_S("build", r->id), KV_ERR(&err));
        return false;
    }
    deis_info("interrupted build settled", KV_S("app", r->app), KV_S("build", r->id),
              KV_S("image", fate == FATE_KEEP ? "kept" : "removed"));
    record_remove(j->settings, r->id);
    repo_tidy(j->settings, r->app);
    return true;
}

static void each_record(const char *id, void *arg)
{
    struct round *round = arg;
    const struct settings *s = round->j->settings;
    struct deis_err err = DEIS_ERR_INIT;
    struct record r;
    int lock = -1;

    int rc = record_load(s, id, &r, &err);
    if (rc == DEIS_NOT_FOUND) {
        return;
    }
    if (rc < 0) {
        deis_warn("build record dropped", KV_S("build", id), KV_ERR(&err));
        record_remove(s, id);
        return;
    }
    /* A push that is under way sees to its own; but it may also be one that just dies. */
    rc = repo_lock(s, r.app, &lock, &err);
    round->left->builds += rc < 0 || !settle(round->j, &r);
    if (rc == DEIS_OK) {
        close(lock);
    }
    record_clear(&r);
}

/* --- apps that are gone --- */

static bool is_gone(const struct janitor *j, const char *app)
{
    struct deis_err err = DEIS_ERR_INIT;
    char key[DEIS_KEY_MAX];
    deis_autorange struct deis_etcd_range range = { 0 };

    return deis_etcd_get(j->etcd, deis_key(key, "apps/%s", app), &range, &err) == DEIS_NOT_FOUND;
}

/* The images first: as long as the repository is there a later round finds the app again. */
static bool remove_app(const struct janitor *j, const char *app)
{
    struct deis_err err = DEIS_ERR_INIT;

    int rc = image_forget_app(j->settings, j->docker, app, &err);
    if (rc == DEIS_OK) {
        rc = repo_remove(j->settings, app, &err);
    }
    if (rc < 0) {
        deis_warn("can't remove an app that is gone yet", KV_S("app", app), KV_ERR(&err));
        return false;
    }
    deis_info("repository and images removed", KV_S("app", app));
    return true;
}

struct pending {
    const struct settings *settings;
    const char *app;
    bool found;
};

static void match_record(const char *id, void *arg)
{
    struct pending *p = arg;
    struct deis_err err = DEIS_ERR_INIT;
    struct record r;

    if (record_load(p->settings, id, &r, &err) == DEIS_OK) {
        p->found = p->found || strcmp(r.app, p->app) == 0;
        record_clear(&r);
    }
}

bool janitor_has_record(const struct settings *s, const char *app)
{
    struct pending p = { s, app, false };

    record_each(s, match_record, &p);
    return p.found;
}

/* With the lock held. A build that is not settled yet may need what its push left. */
static void look_after(const struct settings *s, const char *app, int lock)
{
    if (!janitor_has_record(s, app)) {
        repo_tidy(s, app);
        upkeep_start(s, app, lock);
    }
}

static void each_app(const char *app, void *arg)
{
    struct round *round = arg;
    struct deis_err err = DEIS_ERR_INIT;
    bool gone = is_gone(round->j, app);
    int lock = -1;

    if (repo_lock(round->j->settings, app, &lock, &err) < 0) {
        round->left->apps += gone;
        return;
    }
    if (!gone) {
        look_after(round->j->settings, app, lock);
    } else if (is_gone(round->j, app) && !remove_app(round->j, app)) {
        /* Asked again under the lock: a push may just have made the app's repository. */
        round->left->apps++;
    }
    close(lock);
}

/* --- layers of failed builds --- */

static bool is_layer_spent(const char *app, uint64_t age_ms, void *arg)
{
    return age_ms > LAYER_KEPT_MS || is_gone(arg, app);
}

void janitor_round(const struct janitor *j, bool with_apps, struct janitor_left *left)
{
    struct round round = { j, left };
    struct janitor copy = *j;

    *left = (struct janitor_left){ 0 };
    record_each(j->settings, each_record, &round);
    if (with_apps) {
        repo_each(j->settings, each_app, &round);
        images_tidy(j);
        bases_sweep(j->settings, j->docker);
        left->apps += layers_sweep(j->settings, j->docker, is_layer_spent, &copy);
    }
}
