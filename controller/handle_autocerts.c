/* SPDX-License-Identifier: MIT */
/* Domains whose certificates come by themselves: autocerts/<domain>, by owner in index/autocert/.
 */
#include "controller/acme.h"
#include "controller/api.h"
#include "controller/core/autocert.h"
#include "controller/core/names.h"
#include "controller/quota.h"

#include "lib/base/clock.h"

static json_t *show(json_t *doc)
{
    return autocert_show(doc);
}

void handle_autocerts_list(struct api *a)
{
    struct deis_err err = DEIS_ERR_INIT;
    char prefix[DEIS_KEY_MAX];
    json_t *names = NULL;

    if (store_names(a->ctl, deis_key(prefix, "index/autocert/%s/", a->user), &names, &err) < 0) {
        api_error(a, &err);
        return;
    }
    api_page_named(a, "/deis/autocerts/", names, show);
}

/* In lower case; NULL when it is no domain: the faults are in f. */
static char *domain_of(struct fields *f, const char *text)
{
    deis_autofree char *domain = names_check_domain(f, text);

    if (!domain) {
        return NULL;
    }
    if (strchr(domain, '*')) {
        fields_error(f, "domain", "Wildcard certificates are not supported");
        return NULL;
    }
    for (char *p = domain; *p; p++) {
        *p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 'a' - 'A' : *p);
    }
    return DEIS_TAKE(domain);
}

/* The caller's document of the name in the path; NULL: answered. */
static json_t *own(struct api *a, char domain[256], int64_t *ret_revision)
{
    struct deis_err err = DEIS_ERR_INIT;
    deis_autojson json_t *doc = NULL;
    char key[DEIS_KEY_MAX];
    struct fields unused;

    fields_init(&unused, a->body);
    deis_autofree char *name = domain_of(&unused, api_param(a, "domain"));
    fields_clear(&unused);
    int r = name && strlen(name) < 256
                ? store_get(a->ctl, deis_key(key, "autocerts/%s", name), &doc, ret_revision, &err)
                : deis_err_set(&err, DEIS_NOT_FOUND, "Not found");
    const char *owner = json_string_value(json_object_get(doc, "owner"));
    if (r == DEIS_OK && (!owner || strcmp(owner, a->user) != 0)) {
        r = deis_err_set(&err, DEIS_NOT_FOUND, "Not found");
    }
    if (r < 0) {
        api_error(a, &err);
        return NULL;
    }
    (void)snprintf(domain, 256, "%s", name);
    return DEIS_TAKE(doc);
}

void handle_autocerts_get(struct api *a)
{
    char domain[256];
    int64_t revision;
    deis_autojson json_t *doc = own(a, domain, &revision);

    if (doc) {
        api_json(a, 200, show(doc));
    }
}

void handle_autocerts_remove(struct api *a)
{
    change_auto struct change c = { 0 };
    deis_autojson json_t *cert = NULL;
    struct deis_err err = DEIS_ERR_INIT;
    char domain[256], key[DEIS_KEY_MAX];
    int64_t revision, cert_revision = 0;
    deis_autojson json_t *doc = own(a, domain, &revision);

    if (!doc) {
        return;
    }
    api_change(a, &c, "cert.auto.off", "cert/%s", domain);
    deis_etcd_if_mod(c.txn, deis_key(key, "autocerts/%s", domain), revision);
    deis_etcd_then_delete(c.txn, key);
    deis_etcd_then_delete(c.txn, deis_key(key, "index/autocert/%s/%s", a->user, domain));
    int r = store_get(a->ctl, deis_key(key, "certs/%s", domain), &cert, &cert_revision, &err);
    if (r < 0 && r != DEIS_NOT_FOUND) {
        api_error(a, &err);
        return;
    }
    if (cert && json_is_true(json_object_get(cert, "auto"))) {
        deis_etcd_if_mod(c.txn, key, cert_revision);
        deis_etcd_then_delete(c.txn, key);
        deis_etcd_then_delete(c.txn, deis_key(key, "index/cert/%s/%s", a->user, domain));
    }
    if (api_commit(a, &c)) {
        api_empty(a, 204);
    }
}

/* --- turning on --- */

/* The app that the domain leads to, "" for the API's own name; NULL: answered. The caller may use
 * it. */
static char *app_of(struct api *a, const char *domain)
{
    settings_auto struct settings s = { 0 };
    struct deis_err err = DEIS_ERR_INIT;
    deis_autojson json_t *doc = NULL;
    deis_autofree char *app = NULL;
    char key[DEIS_KEY_MAX];
    struct deis_str label;

    settings_get(a->ctl->settings, &s);
    switch (autocert_kind(domain, s.domain, s.subdomain, &label)) {
    case AUTOCERT_API:
        if (!a->caller.admin) {
            api_forbidden(a);
            return NULL;
        }
        return deis_strdup("");
    case AUTOCERT_APP: app = deis_str_dup(label); break;
    case AUTOCERT_CUSTOM:
        if (store_get(a->ctl, deis_key(key, "domains/%s", domain), &doc, NULL, &err) == 0) {
            const char *name = json_string_value(json_object_get(doc, "app"));
            app = deis_strdup(name ? name : "");
        } else if (err.code != DEIS_NOT_FOUND) {
            api_error(a, &err);
            return NULL;
        }
        break;
    }
    int r = app && app[0] ? auth_app_user(a->ctl, a->user, app, ACCESS_APP_USE, NULL, &err)
                          : DEIS_NOT_FOUND;
    if (r == DEIS_NOT_FOUND || r == DEIS_DENIED) {
        /* Whose domain it is is nobody else's business. */
        api_json(a, 400,
                 json_pack("{s:[s]}", "domain",
                           "It is no domain of an app of yours; add it first: "
                           "deis domains:add"));
        return NULL;
    }
    if (r < 0) {
        api_error(a, &err);
        return NULL;
    }
    return DEIS_TAKE(app);
}

/* It is there already: its owner may ask for a try. */
static void ask_again(struct api *a, const char *domain)
{
    struct deis_err err = DEIS_ERR_INIT;
    change_auto struct change c = { 0 };
    deis_autojson json_t *doc = NULL;
    char key[DEIS_KEY_MAX];
    int64_t revision = 0;

    int r = store_get(a->ctl, deis_key(key, "autocerts/%s", domain), &doc, &revision, &err);
    if (r == DEIS_NOT_FOUND) {
        api_json(a, 400,
                 json_pack("{s:[s]}", "domain",
                           "A certificate of that name was added by hand: remove it first"));
        return;
    }
    if (r < 0) {
        api_error(a, &err);
        return;
    }
    const char *owner = json_string_value(json_object_get(doc, "owner"));
    if (!owner || strcmp(owner, a->user) != 0) {
        api_json(a, 400, json_pack("{s:[s]}", "domain", "Another user has asked for it already"));
        return;
    }
    if (autocert_again(doc, deis_wall_ms())) {
        api_change(a, &c, "cert.auto.again", "cert/%s", domain);
        deis_etcd_if_mod(c.txn, key, revision);
        change_put(&c, key, doc);
        if (!api_commit(a, &c)) {
            return;
        }
        acme_poke(a->ctl);
    }
    api_json(a, 200, show(doc));
}

static void turn_on(struct api *a, const char *domain, const char *app)
{
    struct deis_err err = DEIS_ERR_INIT;
    change_auto struct change c = { 0 };
    char key[DEIS_KEY_MAX], now[32];

    store_now(now);
    deis_autojson json_t *doc = autocert_new(domain, app, a->user, now);
    api_change(a, &c, "cert.auto.on", "cert/%s", domain);
    deis_etcd_if_absent(c.txn, deis_key(key, "certs/%s", domain));
    deis_etcd_if_absent(c.txn, deis_key(key, "autocerts/%s", domain));
    change_put(&c, key, doc);
    change_put_text(&c, deis_key(key, "index/autocert/%s/%s", a->user, domain), "{}");
    deis_etcd_if_exists(c.txn, deis_key(key, "users/%s", a->user));
    quota_guard(a, &c);
    int r = change_commit(a->ctl, &c, &err);
    if (r == DEIS_CONFLICT) {
        ask_again(a, domain);
    } else if (r < 0) {
        api_error(a, &err);
    } else {
        acme_poke(a->ctl);
        api_json(a, 201, show(doc));
    }
}

static bool is_on(struct api *a)
{
    settings_auto struct settings s = { 0 };

    settings_get(a->ctl->settings, &s);
    if (!s.acme_agree) {
        api_detail(a, 409,
                   "Certificates by themselves are off on this platform. Its operator turns them "
                   "on: deisctl config controller set acme/agree=true acme/contact=MAIL");
    }
    return s.acme_agree;
}

void handle_autocerts_add(struct api *a)
{
    struct fields f;

    fields_init(&f, a->body);
    deis_autofree char *text = fields_text(&f, "domain", FIELD_REQUIRED, 253);
    deis_autofree char *domain = text ? domain_of(&f, text) : NULL;
    if (!domain) {
        api_invalid(a, &f);
    } else if (is_on(a)) {
        deis_autofree char *app = app_of(a, domain);
        if (app && quota_has_room(a, QUOTA_AUTOCERTS, NULL)) {
            turn_on(a, domain, app);
        }
    }
    fields_clear(&f);
}
