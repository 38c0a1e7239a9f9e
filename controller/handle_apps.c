/* SPDX-License-Identifier: MIT */
/* Apps: create, list, show, transfer. */
#include "controller/applog.h"
#include "controller/apps.h"
#include "controller/core/appconfig.h"
#include "controller/core/names.h"
#include "controller/logs.h"
#include "controller/pages.h"
#include "controller/quota.h"
#include "controller/users.h"

#include "lib/net/log.h"
#include "lib/wire/json_scan.h"

#define TRIES               8
#define NAMES_MAX           ((size_t)64 << 20) /* bytes of all names */
#define STRUCTURE_TYPES_MAX 61                 /* those of a Procfile, and cmd */

/* Of an app's document, what the API shows beside its url. */
static const char *const shown[] = { "uuid", "id", "owner", "structure", "created", "updated" };

json_t *apps_show(struct ctl *ctl, json_t *doc)
{
    settings_auto struct settings s = { 0 };
    json_t *out = json_object();

    settings_get(ctl->settings, &s);
    deis_autofree char *url = settings_url(&s, json_string_value(json_object_get(doc, "id")));
    for (size_t i = 0; i < DEIS_COUNT(shown); i++) {
        json_object_set(out, shown[i], json_object_get(doc, shown[i]));
    }
    json_object_set_new(out, "url", json_string(url + strlen("http://")));
    return out;
}

/* apps_show() as text, from the kept text. */
static void add_app(struct deis_buf *out, struct deis_str doc, const void *arg)
{
    const struct settings *s = arg;
    struct deis_str fields[DEIS_COUNT(shown)], id = DEIS_STR_NONE;

    (void)!deis_json_scan_object(doc, shown, DEIS_COUNT(shown), fields);
    for (size_t i = 0; i < DEIS_COUNT(shown); i++) {
        deis_buf_addf(out, "%s\"%s\":", i > 0 ? "," : "{", shown[i]);
        deis_buf_add_str(out, fields[i].ptr ? fields[i] : DEIS_STR("null"));
    }
    (void)!deis_json_scan_text(fields[1], &id);
    deis_autofree char *label = deis_str_dup(id); /* holds nothing that needs an escape */
    deis_autofree char *url = settings_url(s, label);
    deis_buf_addf(out, ",\"url\":\"%s\"}", url + strlen("http://"));
}

/* Names of the caller's own and shared apps, each with a newline after it, in the order of their
 * creation or grant; of all apps for an administrator. */
static int read_names(struct api *a, char **ret, size_t *ret_count, struct deis_err *err)
{
    deis_autojson json_t *all = json_array();
    deis_autojson json_t *seen = json_object();
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(NAMES_MAX);
    char prefixes[2][DEIS_KEY_MAX];
    json_t *name;
    size_t i, len, parts = a->caller.admin ? 1 : 2;

    deis_key(prefixes[0], "index/owner/%s/", a->user);
    deis_key(prefixes[1], "index/shared/%s/", a->user);
    if (a->caller.admin) {
        deis_key(prefixes[0], "index/app/");
    }
    for (i = 0; i < parts; i++) {
        json_t *names = NULL;
        int r = store_names(a->ctl, prefixes[i], &names, err);
        if (r < 0) {
            return r;
        }
        json_array_extend(all, names);
        json_decref(names);
    }
    json_array_foreach(all, i, name)
    {
        if (!json_object_get(seen, json_string_value(name))) {
            json_object_set_new(seen, json_string_value(name), json_true());
            deis_buf_addf(&text, "%s\n", json_string_value(name));
        }
    }
    if (deis_buf_failed(&text)) {
        return deis_err_set(err, DEIS_LIMIT, "there are too many apps to list them");
    }
    *ret_count = json_object_size(seen);
    *ret = deis_buf_take(&text, &len);
    return DEIS_OK;
}

static int list_names(struct api *a, char **ret, size_t *ret_count, struct deis_err *err)
{
    const char *who = a->caller.admin ? "" : a->user;
    int r = DEIS_OK;

    *ret = pages_get(a->ctl->names, who, ahead_changed_apps(a), ret_count);
    if (!*ret) {
        r = read_names(a, ret, ret_count, err);
        if (r == DEIS_OK) {
            pages_put(a->ctl->names, who, ahead_changed_apps(a), *ret_count, *ret);
        }
    }
    return r;
}

static void write_list(struct api *a, const struct settings *s)
{
    struct deis_err err = DEIS_ERR_INIT;
    deis_autofree char *names = NULL;
    size_t count;

    if (list_names(a, &names, &count, &err) < 0) {
        api_error(a, &err);
    } else {
        api_page_listed(a, "/deis/apps/", names, count, add_app, s);
    }
}

void handle_apps_list(struct api *a)
{
    settings_auto struct settings s = { 0 };

    settings_get(a->ctl->settings, &s);
    /* All that the page follows from beside what is kept. */
    deis_autofree char *base = settings_url(&s, s.subdomain);
    deis_autofree char *question = deis_asprintf("%s %s %s?%s", a->caller.admin ? "" : a->user,
                                                 base, a->path, a->query ? a->query : "");
    char *known = pages_get(a->ctl->lists, question, ahead_changed(a), NULL);
    if (known) {
        api_text(a, 200, "application/json", known, strlen(known));
        return;
    }
    write_list(a, &s);
    if (a->status == 200) {
        pages_put(a->ctl->lists, question, ahead_changed(a), 0, a->text);
    }
}

void handle_apps_get(struct api *a)
{
    api_json(a, 200, apps_show(a->ctl, a->app));
}

/* The logger may not have been there when an earlier app of this name was destroyed, or have got
 * lines of it since. They are not for who has the name now. */
static void forget_former_log(struct ctl *ctl, const char *id)
{
    struct deis_err err = DEIS_ERR_INIT;

    if (logs_delete(ctl, id, &err) < 0) {
        deis_warn("log of an earlier app of this name not deleted", KV_S("app", id), KV_ERR(&err));
    }
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
    change_of_apps(&c);
    deis_etcd_if_absent(c.txn, deis_key(key, "apps/%s", id));
    change_put(&c, key, app_doc);
    deis_etcd_if_absent(c.txn, deis_key(key, "operations/%s", id));
    deis_etcd_if_exists(c.txn, deis_key(key, "users/%s", a->user));
    change_put(&c, deis_key(key, "apps/%s/configs/%s", id, uuid[1]), config_doc);
    change_put(&c, deis_key(key, "apps/%s/releases/%010u", id, 1U), release_doc);
    change_put_text(&c, deis_key(key, "index/app/%s", id), "{}");
    change_put_text(&c, deis_key(key, "index/owner/%s/%s", a->user, id), "{}");
    quota_guard(a, &c);
    int r = change_commit(a->ctl, &c, err);
    if (r == DEIS_OK) {
        forget_former_log(a->ctl, id);
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

/* What is to run once there is a build; NULL when that is not said, or odd. */
static json_t *structure_of(struct fields *f)
{
    deis_autojson json_t *raw = fields_map(f, "structure");
    struct deis_err err = DEIS_ERR_INIT;
    json_t *counts = NULL;
    const char *type;
    json_t *count;

    if (!raw) {
        return NULL;
    }
    if (json_object_size(raw) > STRUCTURE_TYPES_MAX) {
        fields_error(f, "structure", "At most %d process types are allowed", STRUCTURE_TYPES_MAX);
        return NULL;
    }
    json_object_foreach(raw, type, count)
    {
        if (!deis_str_is_process_type(deis_str(type))) {
            fields_error(f, "structure", "'%.64s' is not a valid process type", type);
            return NULL;
        }
    }
    if (plan_parse_scale(raw, &counts, &err) < 0) {
        fields_error(f, "structure", "%s", err.msg);
    }
    return counts;
}

static void create(struct api *a, struct fields *f)
{
    settings_auto struct settings s = { 0 };
    struct deis_err err = DEIS_ERR_INIT;
    deis_autojson json_t *structure = structure_of(f);
    deis_autofree char *id = fields_text(f, "id", 0, 64);
    deis_autojson json_t *doc = NULL;
    bool generated = !fields_has(f, "id");
    int r = DEIS_CONFLICT;

    settings_get(a->ctl->settings, &s);
    if (id) {
        names_check_app(f, id, s.subdomain);
    }
    if (fields_failed(f)) {
        api_invalid(a, f);
        return;
    }
    if (!quota_has_room(a, QUOTA_APPS, NULL)) {
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
        change_of_apps(&c);
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
