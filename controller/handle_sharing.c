/* SPDX-License-Identifier: MIT */
/* Domains and collaborators of an app. */
#include "controller/acme.h"
#include "controller/applog.h"
#include "controller/apps.h"
#include "controller/core/names.h"
#include "controller/quota.h"
#include "controller/users.h"
#include "controller/wildcards.h"

#include "lib/net/log.h"

/* --- domains: domains/<lower case>, by app in index/domain/ --- */

static char *lower(const char *s)
{
    char *out = deis_strdup(s);

    for (char *p = out; *p; p++) {
        *p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 'a' - 'A' : *p);
    }
    return out;
}

void handle_domains_list(struct api *a)
{
    struct deis_err err = DEIS_ERR_INIT;
    char prefix[DEIS_KEY_MAX];
    json_t *names = NULL;

    if (store_names(a->ctl, deis_key(prefix, "index/domain/%s/", a->app_id), &names, &err) < 0) {
        api_error(a, &err);
        return;
    }
    api_page_named(a, "/deis/domains/", names, NULL);
}

/* The domain is there: as it was sent, or once it is brought into its form. */
static void refuse_taken(struct api *a, const char *sent, const char *kept, const char *domain)
{
    if (kept && strcmp(sent, kept) == 0) {
        api_json(a, 400, json_pack("{s:[s]}", "domain", "This field must be unique."));
        return;
    }
    deis_autofree char *text =
        deis_asprintf("The domain %s is already in use by another app", domain);
    api_json(a, 400, json_pack("{s:[s]}", "domain", text));
}

/* What was sent, brought into its form; wildcards when the platform takes them. */
static char *check_domain(struct api *a, struct fields *f, const char *text)
{
    settings_auto struct settings s = { 0 };

    if (text[0] != '*') {
        return names_check_domain(f, text);
    }
    settings_get(a->ctl->settings, &s);
    return s.wildcard_domains ? names_check_wildcard(f, text, s.domain)
                              : names_check_domain(f, text);
}

/* One try. above: the wildcard that would cover the name, or NULL, and the revision that it has. */
static int domain_write(struct api *a, const char *name, const json_t *doc, const char *above,
                        int64_t above_revision, struct deis_err *err)
{
    change_auto struct change c = { 0 };
    char key[DEIS_KEY_MAX];

    api_change(a, &c, "domain.add", "app/%s/domain/%s", a->app_id, name);
    deis_etcd_if_absent(c.txn, deis_key(key, "domains/%s", name));
    change_put(&c, key, doc);
    change_put_text(&c, deis_key(key, "index/domain/%s/%s", a->app_id, name), "{}");
    deis_etcd_if_mod(c.txn, deis_key(key, "apps/%s", a->app_id), a->app_revision);
    if (above) {
        deis_etcd_if_mod(c.txn, deis_key(key, "domains/%s", above), above_revision);
    }
    quota_guard(a, &c);
    return change_commit(a->ctl, &c, err);
}

/* Write a name. DEIS_CONFLICT with *ret_other: somebody has it. DEIS_DENIED: it lies within a
 * wildcard of another owner. */
static int name_add(struct api *a, const char *name, const json_t *doc, json_t **ret_other,
                    struct deis_err *err)
{
    const char *owner = json_string_value(json_object_get(a->app, "owner"));
    deis_autofree char *above = names_wildcard_above(name);
    char key[DEIS_KEY_MAX];
    int64_t revision = 0;
    int r = domain_write(a, name, doc, above, 0, err);

    if (r != DEIS_CONFLICT) {
        return r;
    }
    r = store_get(a->ctl, deis_key(key, "domains/%s", name), ret_other, NULL, err);
    if (r != DEIS_NOT_FOUND) {
        return r == DEIS_OK ? DEIS_CONFLICT : r;
    }
    r = above ? wildcards_above(a->ctl, owner, above, &revision, err) : DEIS_OK;
    if (r == DEIS_OK && revision > 0) {
        r = domain_write(a, name, doc, above, revision, err);
    } else if (r == DEIS_OK) {
        r = DEIS_CONFLICT;
    }
    return r;
}

static int domain_delete(struct api *a, const char *name, int64_t revision, struct deis_err *err)
{
    change_auto struct change c = { 0 };
    char key[DEIS_KEY_MAX];

    api_change(a, &c, "domain.remove", "app/%s/domain/%s", a->app_id, name);
    deis_etcd_if_mod(c.txn, deis_key(key, "domains/%s", name), revision);
    deis_etcd_then_delete(c.txn, key);
    deis_etcd_then_delete(c.txn, deis_key(key, "index/domain/%s/%s", a->app_id, name));
    return change_commit(a->ctl, &c, err);
}

/* Write a wildcard. A name of another owner that came within it at the same moment is seen
 * afterwards: from then on each new one meets the wildcard. */
static int wildcard_add(struct api *a, const char *name, const json_t *doc, json_t **ret_other,
                        struct deis_err *err)
{
    const char *owner = json_string_value(json_object_get(a->app, "owner"));
    deis_autojson json_t *written = NULL;
    struct deis_err undo;
    char key[DEIS_KEY_MAX];
    int64_t revision;
    int r = wildcards_below(a->ctl, owner, NULL, name, err);

    if (r == DEIS_OK) {
        r = name_add(a, name, doc, ret_other, err);
    }
    if (r < 0) {
        return r;
    }
    r = wildcards_below(a->ctl, owner, NULL, name, err);
    if (r == DEIS_DENIED &&
        store_get(a->ctl, deis_key(key, "domains/%s", name), &written, &revision, &undo) == 0 &&
        domain_delete(a, name, revision, &undo) < 0) {
        deis_warn("wildcard around a name of another owner not taken back", KV_S("domain", name),
                  KV_ERR(&undo));
    }
    return r == DEIS_DENIED ? r : DEIS_OK;
}

static void domain_add(struct api *a, struct fields *f)
{
    struct deis_err err = DEIS_ERR_INIT;
    char now[32];
    deis_autofree char *text = fields_text(f, "domain", FIELD_REQUIRED, 4096);
    deis_autofree char *domain = text ? check_domain(a, f, text) : NULL;
    deis_autojson json_t *other = NULL;

    if (!domain) {
        api_invalid(a, f);
        return;
    }
    deis_autofree char *name = lower(domain);
    if (apps_refuse_destroyed(a) || !quota_has_room(a, QUOTA_DOMAINS, name)) {
        return;
    }
    store_now(now);
    deis_autojson json_t *doc = json_pack("{s:s, s:s, s:s, s:s, s:s}", "owner", a->user, "created",
                                          now, "updated", now, "app", a->app_id, "domain", domain);
    int r = name[0] == '*' ? wildcard_add(a, name, doc, &other, &err)
                           : name_add(a, name, doc, &other, &err);
    if (other) {
        refuse_taken(a, text, json_string_value(json_object_get(other, "domain")), domain);
    } else if (r == DEIS_DENIED) {
        api_json(a, 400, json_pack("{s:[s]}", "domain", err.msg));
    } else if (r == DEIS_CONFLICT) {
        deis_err_set(&err, DEIS_CONFLICT, "The app was changed at the same moment, try again");
        api_error(a, &err);
    } else if (r < 0) {
        api_error(a, &err);
    } else {
        applog_write(a->ctl, a->app_id, "domain %s added", domain);
        api_json(a, 201, json_incref(doc));
    }
}

void handle_domains_add(struct api *a)
{
    struct fields f;

    fields_init(&f, a->body);
    domain_add(a, &f);
    fields_clear(&f);
}

void handle_domains_remove(struct api *a)
{
    struct deis_err err = DEIS_ERR_INIT;
    deis_autojson json_t *doc = NULL;
    deis_autofree char *name = lower(api_param(a, "domain"));
    char key[DEIS_KEY_MAX];
    int64_t revision;
    struct fields unused;

    fields_init(&unused, a->body);
    deis_autofree char *valid = name[0] == '*' ? names_check_wildcard(&unused, name, "")
                                               : names_check_domain(&unused, name);
    fields_clear(&unused);
    if (!valid) {
        api_not_found(a);
        return;
    }
    int r = store_get(a->ctl, deis_key(key, "domains/%s", valid), &doc, &revision, &err);
    const char *app = json_string_value(json_object_get(doc, "app"));
    if (r == DEIS_OK && (!app || strcmp(app, a->app_id) != 0)) {
        r = deis_err_set(&err, DEIS_NOT_FOUND, "Not found");
    }
    if (r < 0) {
        api_error(a, &err);
        return;
    }
    r = domain_delete(a, valid, revision, &err);
    if (r < 0) {
        api_error(a, &err);
        return;
    }
    applog_write(a->ctl, a->app_id, "domain %s removed", valid);
    acme_poke(a->ctl); /* its certificate may go, too */
    api_empty(a, 204);
}

/* --- collaborators: apps/<app>/perms/<user>, by user in index/shared/ --- */

void handle_perms_list(struct api *a)
{
    struct deis_err err = DEIS_ERR_INIT;
    char prefix[DEIS_KEY_MAX];
    json_t *names = NULL;

    if (store_names(a->ctl, deis_key(prefix, "apps/%s/perms/", a->app_id), &names, &err) < 0) {
        api_error(a, &err);
        return;
    }
    api_json(a, 200, json_pack("{s:o}", "users", names));
}

static void grant(struct api *a, const char *name)
{
    struct deis_err err = DEIS_ERR_INIT;
    change_auto struct change c = { 0 };
    deis_autojson json_t *user = NULL;
    char key[DEIS_KEY_MAX];

    if (users_get(a->ctl, name, &user, NULL, &err) < 0) {
        api_error(a, &err);
        return;
    }
    if (apps_refuse_destroyed(a) || !quota_has_room(a, QUOTA_USERS, name)) {
        return;
    }
    api_change(a, &c, "perms.grant", "app/%s to user/%s", a->app_id, name);
    change_of_apps(&c);
    deis_etcd_if_exists(c.txn, deis_key(key, "users/%s", name));
    deis_etcd_if_mod(c.txn, deis_key(key, "apps/%s", a->app_id), a->app_revision);
    change_put_text(&c, deis_key(key, "apps/%s/perms/%s", a->app_id, name), "{}");
    change_put_text(&c, deis_key(key, "index/shared/%s/%s", name, a->app_id), "{}");
    quota_guard(a, &c);
    if (api_commit(a, &c)) {
        applog_write(a->ctl, a->app_id, "User %s was granted access to %s", name, a->app_id);
        api_empty(a, 201);
    }
}

void handle_perms_add(struct api *a)
{
    struct fields f;

    fields_init(&f, a->body);
    deis_autofree char *name = fields_text(&f, "username", FIELD_REQUIRED, 200);
    if (name) {
        grant(a, name);
    } else {
        api_invalid(a, &f);
    }
    fields_clear(&f);
}

void handle_perms_remove(struct api *a)
{
    struct deis_err err = DEIS_ERR_INIT;
    change_auto struct change c = { 0 };
    deis_autojson json_t *user = NULL;
    deis_autojson json_t *given = NULL;
    const char *name = api_param(a, "user");
    char key[DEIS_KEY_MAX];

    if (users_get(a->ctl, name, &user, NULL, &err) < 0) {
        api_error(a, &err);
        return;
    }
    deis_key(key, "apps/%s/perms/%s", a->app_id, name);
    int r = store_get(a->ctl, key, &given, NULL, &err);
    if (r == DEIS_NOT_FOUND) {
        api_forbidden(a);
        return;
    }
    if (r < 0) {
        api_error(a, &err);
        return;
    }
    api_change(a, &c, "perms.revoke", "app/%s from user/%s", a->app_id, name);
    change_of_apps(&c);
    deis_etcd_if_exists(c.txn, key);
    deis_etcd_then_delete(c.txn, key);
    deis_etcd_then_delete(c.txn, deis_key(key, "index/shared/%s/%s", name, a->app_id));
    if (api_commit(a, &c)) {
        applog_write(a->ctl, a->app_id, "User %s was revoked access to %s", name, a->app_id);
        api_empty(a, 204);
    }
}
