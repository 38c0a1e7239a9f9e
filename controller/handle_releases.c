/* SPDX-License-Identifier: MIT */
/* Config, builds, releases, rollback: what makes a new release. */
#include "controller/core/appconfig.h"
#include "controller/core/names.h"
#include "controller/deploy.h"
#include "controller/memo.h"
#include "controller/pages.h"

#include <inttypes.h>

#define CONFIG_PATIENCE_MS 5000
#define OTHER_PATIENCE_MS  1000
#define LIST_STEP          8 /* builds of up to 1 MB each */

/* --- config --- */

struct config_job {
    json_t *change;
    struct fields *fields;
    char uuid[37];
    char now[32];
    json_t *shown; /* the new config, opened */
    bool has_build;
};

static int prepare_config(const struct deploy_request *req, const struct app_view *view,
                          struct deploy_plan *plan, struct deis_err *err)
{
    struct config_job *job = req->arg;
    deis_autojson json_t *maps = appconfig_merge(view->config, job->change, job->fields);

    if (!maps) {
        return deis_err_set(err, DEIS_INVALID, "config refused");
    }
    const struct release_origin origin = { job->uuid, req->app, req->user, job->now };
    deis_autofree char *summary = appconfig_summary(req->user, view->config, maps);
    plan->config = config_seal(req->ctl, &origin, maps);
    json_decref(job->shown);
    job->shown = json_copy(plan->config);
    json_object_set(job->shown, "values", json_object_get(maps, "values"));
    job->has_build = view->build != NULL;
    const struct deploy_release rel = {
        .config = maps, .config_uuid = job->uuid, .build = view->build, .summary = summary
    };
    return deploy_plan_release(req, view, &rel, plan, err);
}

static void answer_config(struct api *a, struct config_job *job, uint32_t version)
{
    char text[16];
    json_t *values = json_copy(json_object_get(job->shown, "values"));

    if (job->has_build) {
        snprintf(text, sizeof(text), "v%u", version);
        json_object_set_new(values, "DEIS_APP", json_string(a->app_id));
        json_object_set_new(values, "DEIS_RELEASE", json_string(text));
    }
    json_object_set_new(job->shown, "values", values);
    a->release = version;
    api_json(a, 201, DEIS_TAKE(job->shown));
}

static void config_set(struct api *a, struct fields *f)
{
    struct deis_err err = DEIS_ERR_INIT;
    struct outcome outcome = { 0 };
    deis_autojson json_t *change = appconfig_parse_change(f);
    struct config_job job = { .change = change, .fields = f };
    struct deploy_request req = deploy_request_of(a, "config", CONFIG_PATIENCE_MS);

    if (!change) {
        api_invalid(a, f);
        return;
    }
    deis_uuid(job.uuid);
    store_now(job.now);
    req.prepare = prepare_config;
    req.arg = &job;
    int r = deploy_run(&req, &outcome, &err);
    if (r == DEIS_OK && outcome.done) {
        answer_config(a, &job, outcome.version);
    } else if (r == DEIS_INVALID && fields_failed(f)) {
        api_invalid(a, f);
    } else if (r == DEIS_CONFLICT) {
        deis_autofree char *text =
            deis_asprintf("Config changes already in progress.\n%s", err.msg);
        api_json(a, 409, json_pack("{s:s}", "error", text));
    } else {
        deploy_answer_failure(a, r, &outcome, &err);
    }
    json_decref(job.shown);
    outcome_clear(&outcome);
}

void handle_config_set(struct api *a)
{
    struct fields f;

    fields_init(&f, a->body);
    config_set(a, &f);
    fields_clear(&f);
}

/* Is what was read ahead the app's config? Then it is as good as read now: the app named it at the
 * same revision. */
static bool read_ahead(const struct api *a, const char *uuid)
{
    char key[DEIS_KEY_MAX];

    return a->ahead.count == 1 && a->ahead.ranges[0].count == 1 && uuid &&
           strcmp(a->ahead.ranges[0].kvs[0].key,
                  deis_key(key, "apps/%s/configs/%s", a->app_id, uuid)) == 0;
}

void handle_config_get(struct api *a)
{
    struct deis_err err = DEIS_ERR_INIT;
    const char *uuid = json_string_value(json_object_get(a->app, "config"));
    json_t *config = NULL;
    int r;

    if (read_ahead(a, uuid)) {
        deis_autojson json_t *kept = NULL;
        r = store_parse(&a->ahead.ranges[0].kvs[0], &kept, &err);
        r = r == DEIS_OK ? config_open(a->ctl, kept, &config, &err) : r;
    } else {
        r = config_current(a->ctl, a->app_id, a->app, &config, &err);
        if (r == DEIS_OK) {
            memo_put(a->ctl->configs, a->app_id, uuid);
        }
    }
    if (r < 0) {
        api_error(a, &err);
    } else {
        api_json(a, 200, config);
    }
}

/* --- builds --- */

/* An image of another app in the platform's registry holds that app's source: it is for those only
 * who may use that app. Answers and returns false when it is refused. */
static bool may_use_image(struct api *a, const json_t *content)
{
    const char *image = json_string_value(json_object_get(content, "image"));
    settings_auto struct settings s = { 0 };
    struct deis_err err = DEIS_ERR_INIT;
    char repository[256];

    if (names_is_platform_image(image, repository)) {
        api_detail(a, 403, "Repository name %s is not allowed", repository);
        return false;
    }
    settings_get(a->ctl->settings, &s);
    deis_autofree char *runs = build_image(content, s.registry);
    if (!names_is_own_registry(runs, s.registry, repository) ||
        strcmp(repository, a->app_id) == 0) {
        return true;
    }
    int r = auth_app_user(a->ctl, a->user, repository, ACCESS_APP_USE, NULL, &err);
    if (r == DEIS_DENIED) {
        api_detail(a, 403, "Repository name %s is not allowed", repository);
    } else if (r < 0 && r != DEIS_NOT_FOUND) {
        api_error(a, &err);
    }
    return r == DEIS_OK || r == DEIS_NOT_FOUND;
}

static void build_create(struct api *a, struct fields *f)
{
    struct deis_err err = DEIS_ERR_INIT;
    struct outcome outcome = { 0 };
    deis_autojson json_t *content = build_parse(f);
    struct deploy_request req = deploy_request_of(a, "build", OTHER_PATIENCE_MS);

    if (!content) {
        api_invalid(a, f);
        return;
    }
    if (!may_use_image(a, content)) {
        return;
    }
    deis_autojson json_t *build = deploy_new_build(a->app_id, a->user, content);
    req.prepare = deploy_prepare_build;
    req.arg = build;
    int r = deploy_run(&req, &outcome, &err);
    if (r == DEIS_OK && outcome.done) {
        a->release = outcome.version;
        api_json(a, 201, json_incref(build));
    } else {
        deploy_answer_failure(a, r, &outcome, &err);
    }
    outcome_clear(&outcome);
}

void handle_builds_create(struct api *a)
{
    struct fields f;

    fields_init(&f, a->body);
    build_create(a, &f);
    fields_clear(&f);
}

static json_t *newest_first(const json_t *rows)
{
    json_t *out = json_array();

    for (size_t i = json_array_size(rows); i > 0; i--) {
        json_array_append(out, json_array_get(rows, i - 1));
    }
    return out;
}

void handle_builds_list(struct api *a)
{
    struct deis_err err = DEIS_ERR_INIT;
    char prefix[DEIS_KEY_MAX];
    deis_autojson json_t *names = NULL;

    if (store_names(a->ctl, deis_key(prefix, "apps/%s/builds/", a->app_id), &names, &err) < 0) {
        api_error(a, &err);
    } else {
        api_page_large(a, prefix, newest_first(names), LIST_STEP, NULL);
    }
}

static void answer_document(struct api *a, const char *key)
{
    struct deis_err err = DEIS_ERR_INIT;
    json_t *doc = NULL;

    if (store_get(a->ctl, key, &doc, NULL, &err) < 0) {
        api_error(a, &err);
    } else {
        api_json(a, 200, doc);
    }
}

void handle_builds_get(struct api *a)
{
    char key[DEIS_KEY_MAX];

    answer_document(a, deis_key(key, "apps/%s/builds/%s", a->app_id, api_param(a, "uuid")));
}

/* --- releases --- */

/* Is the page asked for the only one of this many rows? */
static bool holds_all(const struct api *a, size_t rows)
{
    struct page p;

    return page_parse(deis_str(a->query), &p, NULL) == DEIS_OK && !p.last && p.number == 1 &&
           rows <= p.size;
}

#define STAMP_MAX 24

/* Every change of an app's releases writes the app in the same transaction. */
static struct deis_str releases_stamp(const struct api *a, char out[STAMP_MAX])
{
    snprintf(out, STAMP_MAX, "%" PRId64, a->app_revision);
    return deis_str(out);
}

/* True: answered. */
static bool answer_known_releases(struct api *a)
{
    char stamp[STAMP_MAX];
    size_t rows = 0;
    char *text = pages_get(a->ctl->releases, a->app_id, releases_stamp(a, stamp), &rows);

    if (!text || !holds_all(a, rows)) {
        free(text);
        return false;
    }
    api_text(a, 200, "application/json", text, strlen(text));
    return true;
}

void handle_releases_list(struct api *a)
{
    struct deis_err err = DEIS_ERR_INIT;
    char prefix[DEIS_KEY_MAX];

    if (answer_known_releases(a)) {
        return;
    }
    /* Small documents in the order of their versions, read with the app if they were not known. */
    struct deis_etcd_range *docs = &a->ahead.ranges[0];
    if (a->ahead.count == 0 &&
        deis_etcd_list(a->ctl->etcd, deis_key(prefix, "apps/%s/releases/", a->app_id), 0, docs,
                       &err) < 0) {
        api_error(a, &err);
        return;
    }
    a->ahead.count = 1;
    for (size_t i = 0; i < docs->count / 2; i++) {
        struct deis_etcd_kv kv = docs->kvs[i];
        docs->kvs[i] = docs->kvs[docs->count - 1 - i];
        docs->kvs[docs->count - 1 - i] = kv;
    }
    api_page_kept(a, docs);
    if (a->status == 200 && holds_all(a, docs->count)) {
        char stamp[STAMP_MAX];
        pages_put(a->ctl->releases, a->app_id, releases_stamp(a, stamp), docs->count, a->text);
    }
}

void handle_releases_get(struct api *a)
{
    char key[DEIS_KEY_MAX];
    unsigned version = (unsigned)strtoul(api_param(a, "version"), NULL, 10);

    answer_document(a, deis_key(key, "apps/%s/releases/%010u", a->app_id, version));
}

static int prepare_rollback(const struct deploy_request *req, const struct app_view *view,
                            struct deploy_plan *plan, struct deis_err *err)
{
    deis_autojson json_t *release = NULL;
    deis_autojson json_t *config = NULL;
    deis_autojson json_t *build = NULL;
    char key[DEIS_KEY_MAX];
    uint32_t version = 0;

    int r = release_rollback_target(req->arg, view->latest, &version, err);
    if (r == DEIS_OK) {
        r = app_release(req->ctl, req->app, version, &release, err);
    }
    if (r == DEIS_OK) {
        r = config_current(req->ctl, req->app, release, &config, err);
    }
    const char *build_uuid = json_string_value(json_object_get(release, "build"));
    if (r == DEIS_OK && build_uuid) {
        r = store_get(req->ctl, deis_key(key, "apps/%s/builds/%s", req->app, build_uuid), &build,
                      NULL, err);
    }
    if (r < 0) {
        return r;
    }
    deis_autofree char *summary = deis_asprintf("%s rolled back to v%u", req->user, version);
    const struct deploy_release rel = {
        .config = config,
        .config_uuid = json_string_value(json_object_get(release, "config")),
        .build = build,
        .summary = summary,
    };
    return deploy_plan_release(req, view, &rel, plan, err);
}

void handle_releases_rollback(struct api *a)
{
    struct deis_err err = DEIS_ERR_INIT;
    struct outcome outcome = { 0 };
    struct deploy_request req = deploy_request_of(a, "rollback", OTHER_PATIENCE_MS);

    req.prepare = prepare_rollback;
    req.arg = json_object_get(a->body, "version");
    int r = deploy_run(&req, &outcome, &err);
    if (r == DEIS_OK && outcome.done) {
        a->release = outcome.version;
        api_json(a, 201, json_pack("{s:I}", "version", (json_int_t)outcome.version));
    } else {
        deploy_answer_failure(a, r, &outcome, &err);
    }
    outcome_clear(&outcome);
}
