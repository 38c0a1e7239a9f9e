/* SPDX-License-Identifier: MIT */
#include "router/certs.h"

#include "router/core/challenges.h"
#include "router/core/kept_doc.h"
#include "router/ocsp.h"
#include "router/saved.h"
#include "router/tls_server.h"

#include "lib/net/file.h"
#include "lib/net/log.h"
#include "lib/wire/json.h"

#define PLATFORM "@platform"

enum {
    CHANGED_MAX = 512,  /* more certificates at once are worth a snapshot made anew */
    BEYOND_BASE = 1024, /* certificates of a snapshot that its base lacks */
};

struct known {
    uint64_t sum; /* of the document */
    struct tls_cert *cert;
};

struct certs {
    const struct settings *settings;
    struct deis_keys *keys; /* open what is sealed */
    struct deis_loop *loop;
    struct tls_server *server;
    struct tls_terms terms; /* those of ctx */
    SSL_CTX *ctx;
    struct deis_map *certs; /* name -> known */
    struct deis_map *challenges;
    struct tls_cert *platform;
    bool fixed; /* the platform's comes from files */
    char *platform_cert;
    char *platform_key;
    bool platform_changed;
    char *domain;
    bool dirty;                 /* all of the snapshot is to be made anew */
    bool stale;                 /* what is not about names */
    bool odd_names;             /* of documents: one may stand in the way of another */
    char *changed[CHANGED_MAX]; /* names, if no others have changed */
    size_t changed_count;
    struct tls_snapshot *last;
    struct ocsp *ocsp; /* NULL: none */
    void (*on_changed)(void *arg);
    void *arg;
};

static void on_free_known(void *value)
{
    struct known *k = value;

    tls_cert_unref(k->cert);
    free(k);
}

static struct tls_cert *known_cert(const struct certs *c, struct deis_str name)
{
    const struct known *k = deis_map_get(c->certs, name);

    return k ? k->cert : NULL;
}

static void on_free_snapshot(struct route_https *h)
{
    struct tls_snapshot *s = (struct tls_snapshot *)(void *)h;

    for (size_t i = 0; i < s->count; i++) {
        tls_cert_unref(s->certs[i]);
    }
    if (s->base) {
        route_https_unref(&s->base->https);
    }
    tls_cert_unref(s->platform);
    SSL_CTX_free(s->ctx);
    tls_names_free(s->names);
    deis_map_free(h->challenges);
    free(s);
}

static void forget_changed(struct certs *c)
{
    while (c->changed_count > 0) {
        free(c->changed[--c->changed_count]);
    }
}

static void touch(struct certs *c, struct deis_str name)
{
    c->odd_names = c->odd_names || !tls_names_is_plain(name);
    c->dirty = c->dirty || c->odd_names || c->changed_count == CHANGED_MAX;
    if (!c->dirty) {
        c->changed[c->changed_count++] = deis_str_dup(name);
    }
}

static void warn_if_expired(const struct tls_cert *cert, struct deis_str name)
{
    if (tls_cert_expired(cert)) {
        deis_warn("certificate has expired", KV_V("name", name));
    }
}

static int load_files(struct certs *c, struct deis_err *err)
{
    const char *paths[2] = { c->settings->cert, c->settings->key };
    struct deis_buf texts[2] = { DEIS_BUF_INIT(TLS_PEM_MAX), DEIS_BUF_INIT(TLS_PEM_MAX) };
    int code = 0;

    for (int i = 0; i < 2 && code == 0; i++) {
        code = deis_file_read(paths[i], &texts[i], err);
    }
    if (code == 0) {
        c->platform = tls_cert_new(c->server, PLATFORM, deis_buf_str(&texts[0]),
                                   deis_buf_str(&texts[1]), err);
        c->fixed = true;
        code = c->platform ? 0 : deis_err_wrap(err, "--cert '%s', --key '%s'", paths[0], paths[1]);
    }
    if (texts[1].data) {
        explicit_bzero(texts[1].data, texts[1].len);
    }
    deis_buf_clear(&texts[0]);
    deis_buf_clear(&texts[1]);
    return code;
}

static void on_opened(struct tls_cert *cert, void *arg);

struct certs *certs_new(const struct settings *settings, struct deis_keys *keys,
                        struct deis_loop *loop, struct deis_err *err)
{
    struct certs *c = deis_alloc(sizeof(*c));

    c->settings = settings;
    c->loop = loop;
    c->certs = deis_map_new(on_free_known);
    c->challenges = deis_map_new(free);
    c->domain = deis_strdup(settings->routes ? "" : "localhost");
    c->dirty = true;
    c->keys = keys;
    tls_terms_read(settings, &c->terms);
    c->server = tls_server_new(&c->terms, keys, err);
    c->ctx = c->server ? tls_context_new(&c->terms, err) : NULL;
    if (!c->ctx || (settings->cert && load_files(c, err) < 0)) {
        certs_free(c);
        return NULL;
    }
    tls_server_on_opened(c->server, on_opened, c);
    if (c->platform) {
        warn_if_expired(c->platform, deis_str(settings->cert));
    }
    return c;
}

static void watch(struct certs *c, struct deis_str name, struct tls_cert *cert)
{
    if (c->ocsp) {
        deis_autofree char *text = deis_str_dup(name);
        ocsp_watch(c->ocsp, text, cert);
    }
}

struct opened {
    struct certs *certs;
    struct tls_cert *cert;
};

/* It is in use now. */
static void take_opened(void *arg)
{
    struct opened *o = arg;
    struct deis_str name = deis_str(tls_cert_name(o->cert));

    if (known_cert(o->certs, name) == o->cert) {
        warn_if_expired(o->cert, name);
        watch(o->certs, name, o->cert);
    }
    tls_cert_unref(o->cert);
    free(o);
}

/* thread: any */
static void on_opened(struct tls_cert *cert, void *arg)
{
    struct opened *o = deis_alloc(sizeof(*o));

    o->certs = arg;
    o->cert = tls_cert_ref(cert);
    deis_loop_post(o->certs->loop, take_opened, o);
}

static void on_staple(const char *name, struct tls_cert *cert, void *arg)
{
    struct certs *c = arg;

    if (strcmp(name, PLATFORM) == 0) {
        tls_cert_unref(c->platform);
        c->platform = cert;
        c->dirty = true;
    } else {
        struct known *k = deis_map_get(c->certs, deis_str(name));
        tls_cert_unref(k->cert);
        k->cert = cert;
        touch(c, deis_str(name));
    }
    c->on_changed(c->arg);
}

void certs_start_ocsp(struct certs *c, void (*on_changed)(void *arg), void *arg)
{
    size_t cursor = 0;
    struct deis_str name;
    void *value;

    if (!c->settings->ocsp_ca) {
        return;
    }
    c->on_changed = on_changed;
    c->arg = arg;
    c->ocsp = ocsp_new(c->loop, c->settings->ocsp_ca, on_staple, c);
    while (deis_map_next(c->certs, &cursor, &name, &value)) {
        struct tls_cert *cert = ((struct known *)value)->cert;
        if (tls_cert_is_open(cert)) {
            watch(c, name, cert);
        }
    }
    if (c->platform) {
        watch(c, DEIS_STR(PLATFORM), c->platform);
    }
}

void certs_stop_ocsp(struct certs *c)
{
    if (c) {
        ocsp_free(DEIS_TAKE(c->ocsp));
    }
}

const struct ocsp *certs_ocsp(const struct certs *c)
{
    return c ? c->ocsp : NULL;
}

void certs_free(struct certs *c)
{
    if (!c) {
        return;
    }
    route_https_unref(c->last ? &c->last->https : NULL);
    forget_changed(c);
    deis_map_free(c->certs);
    deis_map_free(c->challenges);
    tls_cert_unref(c->platform);
    SSL_CTX_free(c->ctx);
    tls_terms_clear(&c->terms);
    tls_server_free(c->server);
    if (c->platform_key) {
        explicit_bzero(c->platform_key, strlen(c->platform_key));
    }
    free(c->platform_cert);
    free(c->platform_key);
    free(c->domain);
    free(c);
}

struct tls_server *certs_server(struct certs *c)
{
    return c->server;
}

static struct tls_cert *read_document(struct certs *c, struct deis_str name, struct deis_str value,
                                      struct deis_err *err)
{
    deis_autofree char *serves = deis_str_dup(name);
    deis_autojson json_t *doc = deis_json_parse(value, err);
    const char *certificate;
    const char *sealed;

    if (!doc || deis_json_get_str(doc, "certificate", &certificate, err) < 0 ||
        deis_json_get_str(doc, "key", &sealed, err) < 0) {
        return NULL;
    }
    return tls_cert_sealed(c->server, serves, deis_str(certificate), deis_str(sealed), err);
}

/* What replaces another has to prove good first. */
static struct tls_cert *read_better(struct certs *c, struct deis_str name, struct deis_str value,
                                    struct deis_err *err)
{
    struct tls_cert *cert = read_document(c, name, value, err);

    if (cert && known_cert(c, name) && tls_cert_open(c->server, cert, err) < 0) {
        tls_cert_unref(cert);
        return NULL;
    }
    return cert;
}

void certs_set(struct certs *c, struct deis_str name, struct deis_str value)
{
    struct known *k = deis_map_get(c->certs, name);
    uint64_t sum = kept_doc_sum(value);
    struct deis_err err;

    if (!value.ptr) {
        if (deis_map_remove(c->certs, name)) {
            touch(c, name);
            watch(c, name, NULL);
        }
        return;
    }
    if (k && k->sum == sum) {
        return;
    }
    struct tls_cert *cert = read_better(c, name, value, &err);
    if (!cert) {
        /* One that served until now goes on. */
        deis_warn(TLS_CERT_USELESS, KV_V("name", name), KV_ERR(&err));
        return;
    }
    watch(c, name, NULL); /* until it is in use */
    k = deis_alloc(sizeof(*k));
    k->sum = sum;
    k->cert = cert;
    deis_map_set(c->certs, name, k);
    touch(c, name);
}

void certs_set_challenge(struct certs *c, struct deis_str token, struct deis_str value)
{
    struct deis_err err;

    if (challenges_set(c->challenges, token, value, &err)) {
        c->stale = true;
    } else {
        deis_warn("challenge ignored", KV_V("token", token), KV_ERR(&err));
    }
}

/* The platform's key is sealed; one that was stored in clear by an earlier version still serves. */
static char *open_setting(struct certs *c, const char *value)
{
    struct deis_buf plain = DEIS_BUF_INIT(TLS_PEM_MAX);
    struct deis_err err = DEIS_ERR_INIT;
    char id[DEIS_KEY_ID_TEXT];

    if (!deis_sealed_key(deis_str(value), id)) {
        return deis_strdup(value);
    }
    if (deis_keys_unseal(c->keys, DEIS_STR("config/router/sslKey"), deis_str(value), &plain, &err) <
        0) {
        deis_warn("the platform's key can't be opened (router/sslKey)", KV_ERR(&err));
    }
    char *text = deis_str_dup(deis_buf_str(&plain));
    if (plain.data) {
        explicit_bzero(plain.data, plain.len);
    }
    deis_buf_clear(&plain);
    return text;
}

bool certs_set_platform(struct certs *c, struct deis_str key, const char *value)
{
    bool is_key = deis_str_eq_cstr(key, "sslKey");

    if (!is_key && !deis_str_eq_cstr(key, "sslCert")) {
        return false;
    }
    if (!c) {
        return true;
    }
    char **field = is_key ? &c->platform_key : &c->platform_cert;
    if (is_key && *field) {
        explicit_bzero(*field, strlen(*field));
    }
    free(*field);
    *field = value && is_key ? open_setting(c, value) : value ? deis_strdup(value) : NULL;
    c->platform_changed = true;
    return true;
}

void certs_set_domain(struct certs *c, const char *domain)
{
    free(c->domain);
    c->domain = deis_strdup(domain);
    c->dirty = true;
}

/* Connections of before keep their context. */
static void take_terms(struct certs *c)
{
    struct tls_terms terms;
    struct deis_err err;

    tls_terms_read(c->settings, &terms);
    if (!tls_terms_equal(&terms, &c->terms)) {
        SSL_CTX *ctx = tls_context_new(&terms, &err);
        if (ctx) {
            SSL_CTX_free(c->ctx);
            c->ctx = ctx;
            tls_terms_clear(&c->terms);
            c->terms = terms;
            return;
        }
        deis_warn("the settings of TLS can't be used; those of before stay", KV_ERR(&err));
    }
    tls_terms_clear(&terms);
}

void certs_set_policy(struct certs *c)
{
    take_terms(c);
    c->stale = true;
}

/* Both halves have to be there and fit; while they don't, the last pair stays. */
static void take_platform(struct certs *c)
{
    struct deis_err err;

    c->platform_changed = false;
    if (c->fixed) {
        return;
    }
    if (!c->platform_cert || !c->platform_key) {
        if (!c->platform_cert && !c->platform_key && c->platform) {
            tls_cert_unref(DEIS_TAKE(c->platform));
            watch(c, DEIS_STR(PLATFORM), NULL);
            c->dirty = true;
        }
        return;
    }
    struct tls_cert *cert = tls_cert_new(c->server, PLATFORM, deis_str(c->platform_cert),
                                         deis_str(c->platform_key), &err);
    if (!cert) {
        deis_warn("the platform's certificate can't be used (router/sslCert, sslKey)",
                  KV_ERR(&err));
        return;
    }
    warn_if_expired(cert, DEIS_STR("router/sslCert"));
    tls_cert_unref(c->platform);
    c->platform = cert;
    watch(c, DEIS_STR(PLATFORM), cert);
    c->dirty = true;
}

static void add_platform_name(struct deis_str name, void *arg)
{
    (void)tls_names_add_platform(arg, name);
}

static void set_policy(const struct settings *s, struct route_https *h)
{
    h->enforce = settings_enforce_https(s);
    h->hsts_app_len = (size_t)snprintf(
        h->hsts, sizeof(h->hsts), "Strict-Transport-Security: max-age=%u%s%s\r\n", s->hsts_max_age,
        s->hsts_subdomains ? "; includeSubDomains" : "", s->hsts_preload ? "; preload" : "");
    h->hsts_len = s->hsts ? h->hsts_app_len : 0;
}

static struct tls_snapshot *snapshot_new(const struct certs *c, size_t count)
{
    struct tls_snapshot *s = deis_alloc(sizeof(*s) + count * sizeof(s->certs[0]));

    atomic_init(&s->https.refs, 1);
    s->https.on_free = on_free_snapshot;
    SSL_CTX_up_ref(c->ctx);
    s->ctx = c->ctx;
    set_policy(c->settings, &s->https);
    s->https.challenges = challenges_copy(c->challenges);
    return s;
}

static void snapshot_add(struct tls_snapshot *s, struct deis_str name, struct tls_cert *cert)
{
    size_t number = s->count + (s->base ? s->base->count : 0);

    if (tls_names_add(s->names, name, (uint32_t)number)) {
        s->certs[s->count++] = tls_cert_ref(cert);
    } else {
        deis_warn("certificate for no name of a host, or for one twice", KV_V("name", name));
    }
}

/* The last one with what was changed since, which shares the certificates of its base. */
static struct tls_snapshot *snapshot_changed(struct certs *c)
{
    struct tls_snapshot *last = c->last;
    size_t kept = last->base ? last->count : 0;
    struct tls_snapshot *s = snapshot_new(c, kept + c->changed_count);

    s->base = last->base ? last->base : last;
    atomic_fetch_add(&s->base->https.refs, 1);
    s->names = tls_names_copy(last->names);
    s->platform = last->platform ? tls_cert_ref(last->platform) : NULL;
    for (; s->count < kept; s->count++) {
        s->certs[s->count] = tls_cert_ref(last->certs[s->count]);
    }
    for (size_t i = 0; i < c->changed_count; i++) {
        struct deis_str name = deis_str(c->changed[i]);
        struct tls_cert *cert = known_cert(c, name);
        tls_names_remove(s->names, name);
        if (cert) {
            snapshot_add(s, name, cert);
        }
    }
    return s;
}

static struct tls_snapshot *snapshot_all(struct certs *c)
{
    size_t count = deis_map_count(c->certs);
    struct tls_snapshot *s = snapshot_new(c, count);
    size_t cursor = 0;
    struct deis_str name;
    void *value;

    s->names = tls_names_new(c->domain, count);
    /* One in other letters takes no name from one that has it as it is. */
    for (int plain = 1; plain >= 0; plain--, cursor = 0) {
        while (deis_map_next(c->certs, &cursor, &name, &value)) {
            if (tls_names_is_plain(name) == plain) {
                snapshot_add(s, name, ((struct known *)value)->cert);
            }
        }
    }
    if (c->platform) {
        s->platform = tls_cert_ref(c->platform);
        tls_names_set_default(s->names);
        tls_cert_names(c->platform, add_platform_name, s->names);
    }
    return s;
}

void certs_publish(struct certs *c, struct route_model *m)
{
    if (c->platform_changed) {
        take_platform(c);
    }
    if (c->dirty || c->stale || c->changed_count > 0) {
        bool all = c->dirty || !c->last || (c->last->base && c->last->count > BEYOND_BASE);
        struct tls_snapshot *s = all ? snapshot_all(c) : snapshot_changed(c);
        c->dirty = false;
        c->stale = false;
        forget_changed(c);
        route_https_unref(c->last ? &c->last->https : NULL);
        c->last = s;
    }
    route_model_set_https(m, &c->last->https);
}
