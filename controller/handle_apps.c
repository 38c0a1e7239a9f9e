/* SPDX-License-Identifier: MIT */
/* Apps: create, list, show, transfer. */
#include "controller/applog.h"
#include "controller/apps.h"
#include "controller/core/appconfig.h"
#include "controller/core/names.h"
#include "controller/users.h"

#define TRIES 8

static json_t *show_with(const struct settings *s, json_t *doc)
{
    static const char *const shown[] = { "uuid", "id", "owner", "structure", "created", "updated" };
    json_t *out = json_object();
    deis_autofree char *url = settings_url(s, json_string_value(json_object_get(doc, "id")));

    for (size_t i = 0; i < DEIS_COUNT(shown); i++) {
        json_object_set(out, shown[i], json_object_get(doc, shown[i]));
    }
    json_object_set_new(out, "url", json_string(url + strlen("http://")));
    return out;
}

json_t *apps_show(struct ctl *ctl, json_t *doc)
{
    settings_auto struct settings s = { 0 };

    settings_get(ctl->settings, &s);
    return show_with(&s, doc);
}

/* Names of the caller's own and shared apps, in the order of their creation or grant. */
static int names_of_user(struct api *a, json_t **ret, struct deis_err *err)
{
    char prefix[DEIS_KEY_MAX];
    deis_autojson json_t *own = NULL;
    deis_autojson json_t *shared = NULL;
    json_t *name;
    size_t i;

    int r = store_names(a->ctl, deis_key(prefix, "index/owner/%s/", a->user), &own, err);
    if (r == DEIS_OK) {
        r = store_names(a->ctl, deis_key(prefix, "index/shared/%s/", a->user), &shared, err);
    }
    if (r < 0) {
        return r;
    }
    deis_autojson json_t *seen = json_object();
    json_array_extend(own, shared);
    *ret = json_array();
    json_array_foreach(own, i, name)
    {
        if (!json_object_get(seen, json_string_value(name))) {
            json_object_set_new(seen, json_string_value(name), json_true());
            json_array_append(*ret, name);
        }
    }
    return DEIS_OK;
}

void handle_apps_list(struct api *a)
{
    struct deis_err err = DEIS_ERR_INIT;
    json_t *names = NULL;
    int r = a->caller.admin ? store_names(a->ctl, "/deis/index/app/", &names, &err)
                            : names_of_user(a, &names, &err);

    if (r < 0) {
        api_error(a, &err);
        return;
    }
    api_page_named(a, "/deis/apps/", names, NULL);
    if (a->status != 200) {
        return;
    }
    settings_auto struct settings s = { 0 };
    settings_get(a->ctl->settings, &s);
    json_t *rows = json_object_get(a->doc, "results");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_array_set_new(rows, i, show_with(&s, json_array_get(rows, i)));
    }
}

void handle_apps_get(struct api *a)
{
    api_json(a, 200, apps_show(a->ctl, a->app));
}

/* Write the app with its first release. DEIS_CONFLICT: the name is taken (or its owner just left).
 */
static int create_write(struct api *a, const char *id, json_t *structure, json_t **ret,
                        struct deis_err *err)
{
    char uuid[3][37], now[32], key[DEIS_KEY_MAX];
    change_auto struct change c = { 0 };

    for (size_t i = 0; i < DEIS_COUNT(uuid); i++) {
        deis_uuid(uuid[i]);
    }
    store_now(now);
    deis_autofree char *summary = deis_asprintf("%s created initial release", a->user);
    const struct release_origin app = { uuid[0], id, a->user, now };
    const struct release_origin config = { uuid[1], id, a->user, now };
    const struct release_origin release = { uuid[2], id, a->user, now };
    deis_autojson json_t *app_doc = apps_document(&app, structure, uuid[1]);
    deis_autojson json_t *maps = appconfig_empty();
    deis_autojson json_t *config_doc = config_seal(a->ctl, &config, maps);
    deis_autojson json_t *release_doc = release_document(&release, 1, uuid[1], NULL, summary);

    api_change(a, &c, "app.create", "app/%s", id);
    deis_etcd_if_absent(c.txn, deis_key(key, "apps/%s", id));
    change_put(&c, key, app_doc);
    deis_etcd_if_absent(c.txn, deis_key(key, "operations/%s", id));
    deis_etcd_if_exists(c.txn, deis_key(key, "users/%s", a->user));
    change_put(&c, deis_key(key, "apps/%s/configs/%s", id, uuid[1]), config_doc);
    change_put(&c, deis_key(key, "apps/%s/releases/%010u", id, 1U), release_doc);
    change_put_text(&c, deis_key(key, "index/app/%s", id), "{}");
    change_put_text(&c, deis_key(key, "index/owner/%s/%s", a->user, id), "{}");
    int r = change_commit(a->ctl, &c, err);
    if (r == DEIS_OK) {
        applog_write(a->ctl, id, "%s", summary);
        *ret = DEIS_TAKE(app_doc);
    }
    return r;
}

/* longer: for when most plain names seem to be taken. */
static char *generate_name(bool longer)
{
    uint32_t random[3];

    deis_random(random, sizeof(random));
    char *name = names_generate_app(random[0], random[1]);
    if (longer) {
        char *more = deis_asprintf("%s-%04x", name, random[2] >> 16);
        free(name);
        name = more;
    }
    return name;
}

static void create(struct api *a, struct fields *f)
{
    settings_auto struct settings s = { 0 };
    struct deis_err err = DEIS_ERR_INIT;
    deis_autojson json_t *raw = fields_map(f, "structure");
    deis_autojson json_t *structure = NULL;
    deis_autofree char *id = fields_text(f, "id", 0, 64);
    deis_autojson json_t *doc = NULL;
    bool generated = !fields_has(f, "id");
    int r = DEIS_CONFLICT;

    settings_get(a->ctl->settings, &s);
    if (id) {
        names_check_app(f, id, s.subdomain);
    }
    if (raw && plan_parse_scale(raw, &structure, &err) < 0) {
        fields_error(f, "structure", "%s", err.msg);
    }
    if (fields_failed(f)) {
        api_invalid(a, f);
        return;
    }
    for (unsigned i = 0; i < (generated ? TRIES : 1) && r == DEIS_CONFLICT; i++) {
        if (generated) {
            free(id);
            id = generate_name(i >= TRIES / 2);
        }
        r = create_write(a, id, structure, &doc, &err);
    }
    if (r == DEIS_OK) {
        api_json(a, 201, apps_show(a->ctl, doc));
    } else if (r == DEIS_CONFLICT) {
        api_json(a, 400, json_pack("{s:[s]}", "id", "This field must be unique."));
    } else {
        api_error(a, &err);
    }
}

void handle_apps_create(struct api *a)
{
    struct fields f;

    fields_init(&f, a->body);
    create(a, &f);
    fields_clear(&f);
}

static void transfer(struct api *a, const char *to)
{
    struct deis_err err = DEIS_ERR_INIT;
    deis_autojson json_t *user = NULL;
    change_auto struct change c = { 0 };
    char now[32], key[DEIS_KEY_MAX];
    const char *from = json_string_value(json_object_get(a->app, "owner"));

    if (!a->caller.admin && strcmp(from, a->user) != 0) {
        api_forbidden(a);
        return;
    }
    if (users_get(a->ctl, to, &user, NULL, &err) < 0) {
        api_error(a, &err);
        return;
    }
    store_now(now);
    deis_autojson json_t *doc = json_deep_copy(a->app);
    json_object_set_new(doc, "owner", json_string(to));
    json_object_set_new(doc, "updated", json_string(now));
    api_change(a, &c, "app.transfer", "app/%s to user/%s", a->app_id, to);
    deis_etcd_if_mod(c.txn, deis_key(key, "apps/%s", a->app_id), a->app_revision);
    change_put(&c, key, doc);
    deis_etcd_if_exists(c.txn, deis_key(key, "users/%s", to));
    if (strcmp(from, to) != 0) {
        deis_etcd_then_delete(c.txn, deis_key(key, "index/owner/%s/%s", from, a->app_id));
        change_put_text(&c, deis_key(key, "index/owner/%s/%s", to, a->app_id), "{}");
    }
    if (api_commit(a, &c)) {
        applog_write(a->ctl, a->app_id, "%s transferred the app from %s to %s", a->user, from, to);
        api_empty(a, 200);
    }
}

void handle_apps_update(struct api *a)
{
    struct fields f;

    fields_init(&f, a->body);
    deis_autofree char *to = fields_text(&f, "owner", 0, 200);
    if (fields_failed(&f)) {
        api_invalid(a, &f);
    } else if (to) {
        transfer(a, to);
    } else {
        api_empty(a, 200);
    }
    fields_clear(&f);
}
