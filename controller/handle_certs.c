/* SPDX-License-Identifier: MIT */
/* Certificates: certs/<common name>, the key sealed; by owner in index/cert/. */
#include "controller/api.h"
#include "controller/core/autocert.h"
#include "controller/quota.h"
#include "controller/wildcards.h"

#include "lib/base/clock.h"
#include "lib/crypto/asn1.h"
#include "lib/crypto/pem.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#define PEM_MAX ((size_t)65536)
#define CN_MAX  255

#define LIST_STEP 20 /* of up to 160 KB each */

struct pair {
    char *name;       /* common name of the certificate */
    char expires[32]; /* in the layout of the API */
};

static json_t *show(json_t *doc)
{
    json_t *out = json_copy(doc);

    json_object_del(out, "certificate");
    json_object_del(out, "key");
    return out;
}

void handle_certs_list(struct api *a)
{
    struct deis_err err = DEIS_ERR_INIT;
    char prefix[DEIS_KEY_MAX];
    json_t *names = NULL;

    if (store_names(a->ctl, deis_key(prefix, "index/cert/%s/", a->user), &names, &err) < 0) {
        api_error(a, &err);
        return;
    }
    api_page_large(a, "/deis/certs/", names, LIST_STEP, show);
}

static bool name_fits(const char *name)
{
    size_t len = strlen(name);

    return len > 0 && len <= CN_MAX &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_*") ==
               len;
}

/* The caller's document <prefix>/<name in the path>; NULL: err. */
static json_t *own(struct api *a, const char *prefix, int64_t *ret_revision, struct deis_err *err)
{
    const char *name = api_param(a, "cn");
    deis_autojson json_t *doc = NULL;
    char key[DEIS_KEY_MAX];
    int r = name_fits(name)
                ? store_get(a->ctl, deis_key(key, "%s/%s", prefix, name), &doc, ret_revision, err)
                : deis_err_set(err, DEIS_NOT_FOUND, "Not found");
    const char *owner = json_string_value(json_object_get(doc, "owner"));

    if (r == DEIS_OK && (!owner || strcmp(owner, a->user) != 0)) {
        r = deis_err_set(err, DEIS_NOT_FOUND, "Not found");
    }
    return r < 0 ? NULL : DEIS_TAKE(doc);
}

/* The caller's certificate of that name; NULL: answered. */
static json_t *own_cert(struct api *a, int64_t *ret_revision)
{
    struct deis_err err = DEIS_ERR_INIT;
    json_t *doc = own(a, "certs", ret_revision, &err);

    if (!doc) {
        api_error(a, &err);
    }
    return doc;
}

/* With how it stands, when it comes by itself; then there may be no certificate yet. */
void handle_certs_get(struct api *a)
{
    struct deis_err err = DEIS_ERR_INIT;
    int64_t revision;
    deis_autojson json_t *doc = own(a, "certs", &revision, &err);
    deis_autojson json_t *wanted =
        doc || err.code == DEIS_NOT_FOUND ? own(a, "autocerts", &revision, &err) : NULL;

    if (!doc && !wanted) {
        api_error(a, &err);
        return;
    }
    json_t *out =
        doc ? show(doc)
            : json_pack("{s:O, s:O, s:O, s:O, s:O, s:b}", "owner", json_object_get(wanted, "owner"),
                        "common_name", json_object_get(wanted, "domain"), "expires",
                        json_object_get(wanted, "expires"), "created",
                        json_object_get(wanted, "created"), "updated",
                        json_object_get(wanted, "updated"), "auto", 1);
    if (wanted) {
        json_object_set(out, "state", json_object_get(wanted, "state"));
        json_object_set(out, "detail", json_object_get(wanted, "detail"));
        json_object_set(out, "app", json_object_get(wanted, "app"));
    }
    api_json(a, 200, out);
}

void handle_certs_remove(struct api *a)
{
    change_auto struct change c = { 0 };
    int64_t revision;
    deis_autojson json_t *doc = own_cert(a, &revision);
    const char *name = api_param(a, "cn");
    char key[DEIS_KEY_MAX];

    if (!doc) {
        return;
    }
    api_change(a, &c, "cert.remove", "cert/%s", name);
    deis_etcd_if_mod(c.txn, deis_key(key, "certs/%s", name), revision);
    deis_etcd_then_delete(c.txn, key);
    deis_etcd_then_delete(c.txn, deis_key(key, "index/cert/%s/%s", a->user, name));
    if (json_is_true(json_object_get(doc, "auto"))) { /* or it would come again */
        deis_etcd_then_delete(c.txn, deis_key(key, "autocerts/%s", name));
        deis_etcd_then_delete(c.txn, deis_key(key, "index/autocert/%s/%s", a->user, name));
    }
    if (api_commit(a, &c)) {
        api_empty(a, 204);
    }
}

static const char *ssl_reason(void)
{
    const char *text = ERR_reason_error_string(ERR_get_error());

    ERR_clear_error();
    return text ? text : "not PEM";
}

static void read_times(X509 *cert, struct pair *ret)
{
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(sizeof(ret->expires));

    deis_time_format_model(deis_asn1_time_ms(X509_get0_notAfter(cert)), &text);
    snprintf(ret->expires, sizeof(ret->expires), "%s", text.data);
}

static char *common_name(X509 *cert)
{
    char text[CN_MAX + 1] = "";
    int len =
        X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, text, sizeof(text));

    return len > 0 && (size_t)len == strlen(text) ? deis_strdup(text) : NULL;
}

/* Does the pair hold together? Faults go to f. */
static void check_pair(struct fields *f, const char *certificate, const char *key, struct pair *ret)
{
    X509 *cert = deis_pem_certificate(deis_str(certificate));

    if (!cert) {
        fields_error(f, "certificate", "Could not load certificate: %s", ssl_reason());
    } else {
        EVP_PKEY *pkey = deis_pem_key(deis_str(key));
        if (!pkey) {
            fields_error(f, "key", "Could not load key: %s", ssl_reason());
        } else if (X509_check_private_key(cert, pkey) != 1) {
            fields_error(f, "key", "The key does not fit the certificate");
        } else if (!deis_pem_key_is_quick(pkey)) {
            fields_error(f, "key", "RSA keys may have %d bits", DEIS_RSA_BITS_MAX);
        }
        EVP_PKEY_free(pkey);
        ret->name = common_name(cert);
        read_times(cert, ret);
    }
    ERR_clear_error();
    X509_free(cert);
}

/* What is there under a name that a certificate is to be added for. */
struct standing {
    char domain_keys[2][DEIS_KEY_MAX]; /* the name, and the wildcard that covers it */
    int64_t domain_revisions[2];       /* 0: it is nobody's domain */
    int64_t cert_revision;             /* 0: there is no certificate */
    char *former;                      /* whose certificate gives way; NULL: nobody's */
    bool is_platform;                  /* the API's name, or all names of apps */
};

/* The app that a name below the platform's domain is of, yours; NULL: it is none such. */
static char *app_of_name(struct api *a, const char *domain, bool *ret_is_platform)
{
    settings_auto struct settings s = { 0 };
    struct deis_str label;

    settings_get(a->ctl->settings, &s);
    enum autocert_kind kind = autocert_kind(domain, s.domain, s.subdomain, &label);
    *ret_is_platform = kind == AUTOCERT_API || (strncmp(domain, "*.", 2) == 0 && *s.domain &&
                                                strcmp(domain + 2, s.domain) == 0);
    return kind == AUTOCERT_APP ? deis_str_dup(label) : NULL;
}

/* A domain belongs to its app, and so does the app's name below the platform's domain; the
 * platform's own names belong to administrators: who may not use that can't add a certificate that
 * its visitors would get to see, and what such a one has added before the domain was there gives
 * way to one of the app's. DEIS_DENIED; DEIS_CONFLICT: there is a certificate that stays. */
static int look_up(struct api *a, const char *name, struct standing *ret, struct deis_err *err)
{
    char key[DEIS_KEY_MAX], domain[CN_MAX + 1];
    const char *list[] = { ret->domain_keys[0], ret->domain_keys[1], key };
    json_t *docs[3] = { NULL };
    int64_t revisions[3];
    size_t len = strlen(name);

    for (size_t i = 0; i <= len; i++) {
        domain[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] + 32) : name[i];
    }
    const char *dot = strchr(domain, '.');
    deis_key(ret->domain_keys[0], "domains/%s", domain);
    deis_key(ret->domain_keys[1], "domains/*%s", dot ? dot : "");
    deis_key(key, "certs/%s", name);
    int r = store_get_all(a->ctl, list, 3, docs, revisions, err);
    if (r < 0) {
        return r;
    }
    deis_autojson json_t *exact = docs[0];
    deis_autojson json_t *wildcard = docs[1];
    deis_autojson json_t *cert = docs[2];
    deis_autofree char *named = app_of_name(a, domain, &ret->is_platform);
    const char *app = json_string_value(json_object_get(exact ? exact : wildcard, "app"));
    const char *owner = json_string_value(json_object_get(cert, "owner"));
    ret->domain_revisions[0] = revisions[0];
    ret->domain_revisions[1] = revisions[1];
    ret->cert_revision = revisions[2];
    if (ret->is_platform && !a->caller.admin) {
        return deis_err_set(err, DEIS_DENIED, "a name of the platform");
    }
    const char *apps[] = { app, named };
    for (size_t i = 0; i < DEIS_COUNT(apps) && r == DEIS_OK; i++) {
        r = apps[i] ? auth_app_user(a->ctl, a->user, apps[i], ACCESS_APP_USE, NULL, err) : DEIS_OK;
        r = r == DEIS_NOT_FOUND ? DEIS_OK : r; /* there is none, or it is just being destroyed */
    }
    /* Routers give it to all names below, too. */
    if (r == DEIS_OK && domain[0] == '*' && !exact && !a->caller.admin) {
        r = wildcards_below(a->ctl, a->user, a->user, domain, err);
    }
    app = exact || !named ? app : named;
    if (r == DEIS_OK && cert && app && owner && !json_is_true(json_object_get(cert, "auto"))) {
        struct deis_err why = DEIS_ERR_INIT;
        r = auth_app_user(a->ctl, owner, app, ACCESS_APP_USE, NULL, &why);
        if (r == DEIS_DENIED) {
            ret->former = deis_strdup(owner);
            return DEIS_OK;
        }
    }
    if (r == DEIS_OK && cert) {
        r = deis_err_set(err, DEIS_CONFLICT, "there is a certificate of this name");
    }
    return r;
}

static void answer_unique(struct api *a)
{
    api_json(a, 400, json_pack("{s:[s]}", "common_name", "This field must be unique."));
}

static void cert_write(struct api *a, const char *name, const struct standing *s,
                       const char *expires, const char *certificate, const char *private_key)
{
    struct deis_err err = DEIS_ERR_INIT;
    deis_autobuf struct deis_buf sealed = DEIS_BUF_INIT(2 * PEM_MAX);
    change_auto struct change c = { 0 };
    char key[DEIS_KEY_MAX], place[DEIS_KEY_MAX], now[32];
    uint32_t id;

    deis_random(&id, sizeof(id));
    store_now(now);
    snprintf(place, sizeof(place), "cert/%s", name);
    deis_keys_seal(a->ctl->keys, deis_str(place), deis_str(private_key), &sealed);
    deis_autojson json_t *doc =
        json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "id", (json_int_t)(id >> 1), "owner",
                  a->user, "expires", expires, "common_name", name, "created", now, "updated", now,
                  "certificate", certificate, "key", sealed.data);
    api_change(a, &c, "cert.add", "cert/%s", name);
    for (size_t i = 0; i < DEIS_COUNT(s->domain_keys); i++) {
        deis_etcd_if_mod(c.txn, s->domain_keys[i], s->domain_revisions[i]);
    }
    deis_etcd_if_mod(c.txn, deis_key(key, "certs/%s", name), s->cert_revision);
    change_put(&c, key, doc);
    if (s->former) {
        deis_etcd_then_delete(c.txn, deis_key(key, "index/cert/%s/%s", s->former, name));
    }
    change_put_text(&c, deis_key(key, "index/cert/%s/%s", a->user, name), "{}");
    deis_etcd_if_exists(c.txn, deis_key(key, "users/%s", a->user));
    quota_guard(a, &c);
    int r = change_commit(a->ctl, &c, &err);
    if (r == DEIS_OK) {
        api_json(a, 201, show(doc));
    } else if (r == DEIS_CONFLICT) {
        answer_unique(a);
    } else {
        api_error(a, &err);
    }
}

/* A star anywhere but as the first of several labels, or a final dot, which routers leave away:
 * that would be a second name for the same host. */
static bool is_odd(const char *name)
{
    const char *last = strrchr(name, '*');

    return (last && (last > name || name[1] != '.')) || name[strlen(name) - 1] == '.';
}

static bool takes_wildcards(struct api *a)
{
    settings_auto struct settings s = { 0 };

    settings_get(a->ctl->settings, &s);
    return s.wildcard_domains;
}

static void cert_judge(struct api *a, const char *name, const char *expires,
                       const char *certificate, const char *private_key)
{
    struct deis_err err = DEIS_ERR_INIT;
    struct standing s = { 0 };
    int r = look_up(a, name, &s, &err);

    if (r == DEIS_OK) {
        cert_write(a, name, &s, expires, certificate, private_key);
    } else if (r == DEIS_DENIED) {
        api_detail(a, 403,
                   s.is_platform ? "%s is a name of the platform: it is for administrators."
                                 : "%s is a domain of an app that you may not use.",
                   name);
    } else if (r == DEIS_CONFLICT) {
        answer_unique(a);
    } else {
        api_error(a, &err);
    }
    free(s.former);
}

/* A PEM text, PEM_MAX bytes at most: what follows counts in bytes. */
static char *pem_field(struct fields *f, const char *name)
{
    char *text = fields_text(f, name, FIELD_REQUIRED, PEM_MAX);

    if (text && strlen(text) > PEM_MAX) {
        fields_error(f, name, "Ensure this field has no more than %zu bytes.", PEM_MAX);
        explicit_bzero(text, strlen(text));
        free(text);
        return NULL;
    }
    return text;
}

static void cert_add(struct api *a, struct fields *f)
{
    struct pair pair = { 0 };
    deis_autofree char *certificate = pem_field(f, "certificate");
    deis_autofree char *key = pem_field(f, "key");
    deis_autofree char *given = fields_text(f, "common_name", 0, CN_MAX);

    if (certificate && key) {
        check_pair(f, certificate, key, &pair);
    }
    deis_autofree char *own = pair.name;
    const char *name = given ? given : own;
    if (name && strchr(name, '*') && !takes_wildcards(a)) {
        fields_error(f, "common_name", "Wildcard certificates are not supported");
    } else if (!fields_failed(f) && (!name || !name_fits(name) || is_odd(name))) {
        fields_error(f, "common_name", "Enter a valid common name.");
    }
    if (fields_failed(f)) {
        api_invalid(a, f);
    } else if (quota_has_room(a, QUOTA_CERTS, name)) {
        cert_judge(a, name, pair.expires, certificate, key);
    }
    if (key) {
        explicit_bzero(key, strlen(key));
    }
}

void handle_certs_add(struct api *a)
{
    struct fields f;

    fields_init(&f, a->body);
    cert_add(a, &f);
    fields_clear(&f);
}
