/* SPDX-License-Identifier: MIT */
#include "controller/apps.h"

#include "controller/core/appconfig.h"

#include "lib/base/clock.h"

#define SEALED_MAX 524288

json_t *apps_document(const struct release_origin *o, json_t *structure, const char *config_uuid)
{
    return json_pack("{s:s, s:s, s:s, s:o, s:s, s:s, s:i, s:s, s:n, s:I}", "uuid", o->uuid, "id",
                     o->app, "owner", o->owner, "structure",
                     structure ? json_deep_copy(structure) : json_object(), "created", o->now,
                     "updated", o->now, "latest", 1, "config", config_uuid, "build", "generation",
                     /* Above all that a former app of this name has used. */
                     (json_int_t)deis_wall_ms());
}

static struct deis_str seal_place(char out[DEIS_KEY_MAX], const char *app)
{
    snprintf(out, DEIS_KEY_MAX, "config/%s", app);
    return deis_str(out);
}

json_t *config_seal(struct ctl *ctl, const struct release_origin *o, const json_t *maps)
{
    deis_autobuf struct deis_buf sealed = DEIS_BUF_INIT(SEALED_MAX);
    char place[DEIS_KEY_MAX];
    char *plain = deis_json_dump(json_object_get(maps, "values"));

    deis_keys_seal(ctl->keys, seal_place(place, o->app), deis_str(plain), &sealed);
    explicit_bzero(plain, strlen(plain));
    free(plain);
    return json_pack("{s:s, s:s, s:s, s:s, s:O, s:O, s:O, s:s, s:s}", "uuid", o->uuid, "app",
                     o->app, "owner", o->owner, "values", sealed.data, "memory",
                     json_object_get(maps, "memory"), "cpu", json_object_get(maps, "cpu"), "tags",
                     json_object_get(maps, "tags"), "created", o->now, "updated", o->now);
}

int config_open(struct ctl *ctl, json_t *kept, json_t **ret, struct deis_err *err)
{
    deis_autobuf struct deis_buf plain = DEIS_BUF_INIT(SEALED_MAX);
    char place[DEIS_KEY_MAX];
    const char *app = json_string_value(json_object_get(kept, "app"));
    const char *sealed = json_string_value(json_object_get(kept, "values"));

    if (!app || !sealed) {
        return deis_err_set(err, DEIS_INTERNAL, "config document without values");
    }
    if (deis_keys_unseal(ctl->keys, seal_place(place, app), deis_str(sealed), &plain, err) < 0) {
        err->code = DEIS_INTERNAL;
        return deis_err_wrap(err, "config of '%s'", app);
    }
    json_t *values = deis_json_parse(deis_buf_str(&plain), err);
    explicit_bzero(plain.data, plain.len);
    if (!values) {
        return deis_err_set(err, DEIS_INTERNAL, "config of '%s' holds no JSON", app);
    }
    json_t *copy = json_copy(kept);
    json_object_set_new(copy, "values", values);
    *ret = copy;
    return DEIS_OK;
}

int config_current(struct ctl *ctl, const char *app, const json_t *app_doc, json_t **ret,
                   struct deis_err *err)
{
    char key[DEIS_KEY_MAX];
    deis_autojson json_t *kept = NULL;
    const char *uuid = json_string_value(json_object_get(app_doc, "config"));
    int r = store_get(ctl, deis_key(key, "apps/%s/configs/%s", app, uuid ? uuid : ""), &kept, NULL,
                      err);

    return r < 0 ? r : config_open(ctl, kept, ret, err);
}

void app_view_clear(struct app_view *v)
{
    json_decref(v->app);
    json_decref(v->config);
    json_decref(v->build);
    json_decref(v->formation_doc);
    deis_formation_clear(&v->formation);
    operation_clear(&v->operation);
    *v = (struct app_view){ 0 };
}

/* Typed forms of what was read. */
static int view_parse(struct app_view *v, json_t *operation, struct deis_err *err)
{
    json_int_t generation = json_integer_value(json_object_get(v->app, "generation"));
    int r = DEIS_OK;

    v->latest = (uint32_t)json_integer_value(json_object_get(v->app, "latest"));
    v->generation = (uint64_t)generation;
    if (v->formation_doc) {
        deis_autofree char *text = deis_json_dump(v->formation_doc);
        r = deis_formation_parse(deis_str(text), &v->formation, err);
        v->running = r == DEIS_OK;
        if (v->formation.generation > v->generation) {
            v->generation = v->formation.generation;
        }
    }
    if (r == DEIS_OK && operation) {
        deis_autofree char *text = deis_json_dump(operation);
        r = operation_parse(deis_str(text), &v->operation, err);
    }
    return r;
}

static int view_load_release(struct ctl *ctl, const char *app, struct app_view *v,
                             struct deis_err *err)
{
    char keys[2][DEIS_KEY_MAX];
    const char *list[] = { keys[0], keys[1] };
    json_t *docs[2] = { NULL, NULL };
    const char *config = json_string_value(json_object_get(v->app, "config"));
    const char *build = json_string_value(json_object_get(v->app, "build"));

    deis_key(keys[0], "apps/%s/configs/%s", app, config ? config : "");
    deis_key(keys[1], "apps/%s/builds/%s", app, build ? build : "");
    int r = store_get_all(ctl, list, build ? 2 : 1, docs, NULL, err);
    if (r == DEIS_OK && (!docs[0] || (build && !docs[1]))) {
        /* Both are written before the app names them and deleted after it: it is just being
         * destroyed. */
        r = deis_err_set(err, DEIS_NOT_FOUND, "Not found");
    }
    if (r == DEIS_OK) {
        r = config_open(ctl, docs[0], &v->config, err);
    }
    json_decref(docs[0]);
    v->build = docs[1];
    return r;
}

int app_view_load(struct ctl *ctl, const char *app, struct app_view *ret, struct deis_err *err)
{
    char keys[3][DEIS_KEY_MAX];
    const char *list[] = { keys[0], keys[1], keys[2] };
    json_t *docs[3] = { NULL };
    int64_t revisions[3];
    struct app_view v = { 0 };

    deis_key(keys[0], "apps/%s", app);
    deis_key(keys[1], "formations/%s", app);
    deis_key(keys[2], "operations/%s", app);
    int r = store_get_all(ctl, list, 3, docs, revisions, err);
    if (r < 0) {
        return r;
    }
    v.app = docs[0];
    v.formation_doc = docs[1];
    v.app_revision = revisions[0];
    v.formation_revision = revisions[1];
    v.operation_revision = revisions[2];
    r = v.app ? view_parse(&v, docs[2], err) : deis_err_set(err, DEIS_NOT_FOUND, "Not found");
    json_decref(docs[2]);
    if (r == DEIS_OK) {
        r = view_load_release(ctl, app, &v, err);
    }
    if (r < 0) {
        app_view_clear(&v);
        return r;
    }
    *ret = v;
    return DEIS_OK;
}

int app_release(struct ctl *ctl, const char *app, uint32_t version, json_t **ret,
                struct deis_err *err)
{
    char key[DEIS_KEY_MAX];

    return store_get(ctl, deis_key(key, "apps/%s/releases/%010u", app, version), ret, NULL, err);
}
