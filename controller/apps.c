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

bool apps_refuse_destroyed(struct api *a)
{
    bool going = json_is_true(json_object_get(a->app, "destroying"));

    if (going) {
        api_detail(a, 409, "%s is being destroyed", a->app_id);
    }
    return going;
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
    json_decref(v->routing.doc);
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

/* The config and build that the app names; taken. */
static int view_take_release(struct ctl *ctl, struct app_view *v, json_t *config, json_t *build,
                             struct deis_err *err)
{
    deis_autojson json_t *kept = config;

    v->build = build;
    if (!config || (!build && json_is_string(json_object_get(v->app, "build")))) {
        /* Both are written before the app names them and deleted after it: it is just being
         * destroyed. */
        return deis_err_set(err, DEIS_NOT_FOUND, "Not found");
    }
    return config_open(ctl, kept, &v->config, err);
}

/* The keys of the config and, if there is one, the build that an app's document names. Returns how
 * many. */
static size_t release_keys(const char *app, const json_t *doc, char (*keys)[DEIS_KEY_MAX])
{
    const char *config = json_string_value(json_object_get(doc, "config"));
    const char *build = json_string_value(json_object_get(doc, "build"));

    deis_key(keys[0], "apps/%s/configs/%s", app, config ? config : "");
    deis_key(keys[1], "apps/%s/builds/%s", app, build ? build : "");
    return build ? 2 : 1;
}

static int view_load_release(struct ctl *ctl, const char *app, struct app_view *v,
                             struct deis_err *err)
{
    char keys[2][DEIS_KEY_MAX];
    const char *list[] = { keys[0], keys[1] };
    json_t *docs[2] = { NULL, NULL };
    int r = store_get_all(ctl, list, release_keys(app, v->app, keys), docs, NULL, err);

    return r < 0 ? r : view_take_release(ctl, v, docs[0], docs[1], err);
}

static bool same_release(const json_t *doc, const json_t *hint)
{
    return hint && json_equal(json_object_get(doc, "config"), json_object_get(hint, "config")) &&
           json_equal(json_object_get(doc, "build"), json_object_get(hint, "build"));
}

enum { VIEW_APP, VIEW_FORMATION, VIEW_OPERATION, VIEW_ROUTING, VIEW_CONFIG, VIEW_BUILD, VIEW_KEYS };

int app_view_load(struct ctl *ctl, const char *app, const json_t *hint, struct app_view *ret,
                  struct deis_err *err)
{
    char keys[VIEW_KEYS][DEIS_KEY_MAX];
    const char *list[VIEW_KEYS];
    json_t *docs[VIEW_KEYS] = { NULL };
    int64_t revisions[VIEW_KEYS];
    struct app_view v = { 0 };

    for (size_t i = 0; i < VIEW_KEYS; i++) {
        list[i] = keys[i];
    }
    deis_key(keys[VIEW_APP], "apps/%s", app);
    deis_key(keys[VIEW_FORMATION], "formations/%s", app);
    deis_key(keys[VIEW_OPERATION], "operations/%s", app);
    deis_key(keys[VIEW_ROUTING], "routing/%s", app);
    size_t ahead = hint ? release_keys(app, hint, &keys[VIEW_CONFIG]) : 0;
    int r = store_get_all(ctl, list, VIEW_CONFIG + ahead, docs, revisions, err);
    if (r < 0) {
        return r;
    }
    deis_autojson json_t *operation = docs[VIEW_OPERATION];
    deis_autojson json_t *config = docs[VIEW_CONFIG];
    deis_autojson json_t *build = docs[VIEW_BUILD];
    v.app = docs[VIEW_APP];
    v.formation_doc = docs[VIEW_FORMATION];
    v.routing = (struct routing_kept){ docs[VIEW_ROUTING], revisions[VIEW_ROUTING] };
    v.app_revision = revisions[VIEW_APP];
    v.formation_revision = revisions[VIEW_FORMATION];
    v.operation_revision = revisions[VIEW_OPERATION];
    r = v.app ? view_parse(&v, operation, err) : deis_err_set(err, DEIS_NOT_FOUND, "Not found");
    if (r == DEIS_OK) {
        r = same_release(v.app, hint)
                ? view_take_release(ctl, &v, DEIS_TAKE(config), DEIS_TAKE(build), err)
                : view_load_release(ctl, app, &v, err);
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
