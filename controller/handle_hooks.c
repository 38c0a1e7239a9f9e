/* SPDX-License-Identifier: MIT */
/* What the builder of the original calls, authorised by its key: push, config, build. */
#include "controller/deploy.h"

#define BUILD_PATIENCE_MS 60000

/* The user and app that a hook is about, judged. False: answered. */
static bool hook_subject(struct api *a, struct fields *f)
{
    struct deis_err err = DEIS_ERR_INIT;
    deis_autofree char *user = fields_text(f, "receive_user", FIELD_REQUIRED, 200);
    deis_autofree char *app = fields_text(f, "receive_repo", FIELD_REQUIRED, 200);

    if (fields_failed(f)) {
        api_invalid(a, f);
        return false;
    }
    if (auth_app_user(a->ctl, user, app, ACCESS_APP_USE, &a->app, &err) < 0) {
        api_error(a, &err);
        return false;
    }
    free(a->user);
    a->user = DEIS_TAKE(user);
    a->app_id = DEIS_TAKE(app);
    return true;
}

static void push(struct api *a, struct fields *f)
{
    static const char *const names[] = { "sha", "fingerprint", "ssh_connection",
                                         "ssh_original_command" };
    static const size_t limits[] = { 40, 255, 255, 255 };
    char uuid[37], now[32];

    if (!hook_subject(a, f)) {
        return;
    }
    deis_uuid(uuid);
    store_now(now);
    json_t *doc = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "uuid", uuid, "owner", a->user,
                            "app", a->app_id, "receive_user", a->user, "receive_repo", a->app_id,
                            "created", now, "updated", now);
    for (size_t i = 0; i < DEIS_COUNT(names); i++) {
        deis_autofree char *text = fields_text(f, names[i], FIELD_REQUIRED, limits[i]);
        if (text) {
            json_object_set_new(doc, names[i], json_string(text));
        }
    }
    if (fields_failed(f)) {
        json_decref(doc);
        api_invalid(a, f);
    } else {
        api_json(a, 201, doc);
    }
}

void handle_hooks_push(struct api *a)
{
    struct fields f;

    fields_init(&f, a->body);
    push(a, &f);
    fields_clear(&f);
}

void handle_hooks_config(struct api *a)
{
    struct fields f;

    fields_init(&f, a->body);
    if (hook_subject(a, &f)) {
        handle_config_get(a);
    }
    fields_clear(&f);
}

static void build(struct api *a, struct fields *f)
{
    settings_auto struct settings s = { 0 };
    struct deis_err err = DEIS_ERR_INIT;
    struct outcome outcome = { 0 };

    if (!hook_subject(a, f)) {
        return;
    }
    deis_autojson json_t *content = build_parse(f);
    if (!content) {
        api_invalid(a, f);
        return;
    }
    deis_autojson json_t *doc = deploy_new_build(a->app_id, a->user, content);
    struct deploy_request req = deploy_request_of(a, "build", BUILD_PATIENCE_MS);
    req.prepare = deploy_prepare_build;
    req.arg = doc;
    int r = deploy_run(&req, &outcome, &err);
    if (r == DEIS_OK && outcome.done) {
        settings_get(a->ctl->settings, &s);
        deis_autofree char *host = settings_host(&s, a->app_id);
        api_json(a, 200,
                 json_pack("{s:{s:I}, s:[s]}", "release", "version", (json_int_t)outcome.version,
                           "domains", host));
    } else {
        deploy_answer_failure(a, r, &outcome, &err);
    }
    outcome_clear(&outcome);
}

void handle_hooks_build(struct api *a)
{
    struct fields f;

    fields_init(&f, a->body);
    build(a, &f);
    fields_clear(&f);
}

void handle_hooks_builds(struct api *a)
{
    handle_hooks_build(a);
}
