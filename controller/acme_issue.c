/* SPDX-License-Identifier: MIT */
/* One certificate: the account, the client's run, its challenges, what comes of it. */
#include "controller/acme.h"
#include "controller/acme_client.h"

#include "lib/base/clock.h"
#include "lib/crypto/asn1.h"
#include "lib/crypto/pem.h"
#include "lib/net/httpc.h"
#include "lib/net/log.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <poll.h>

#define ACCOUNT_KEY "/deis/acme/account"
#define PEM_MAX     ((size_t)65536)

enum {
    ROUTERS_WAIT_MS = 5000,
    ROUTER_CALL_MS = 1000,
    ROUTER_AGAIN_MS = 20,
};

struct pair {
    struct deis_buf certificate;
    struct deis_buf key;
    uint64_t from_ms;
    uint64_t until_ms;
};

static void pair_clear(struct pair *p)
{
    deis_buf_clear(&p->certificate);
    if (p->key.len > 0) {
        explicit_bzero(p->key.data, p->key.len);
    }
    deis_buf_clear(&p->key);
}

/* --- challenges --- */

/* Does this router answer it? Wildcard addresses are this machine's. */
static bool router_answers(const struct acme_turn *t, struct deis_httpc *http, const char *address,
                           const struct autocert_hook *h)
{
    const char *port = strrchr(address, ':');
    bool anywhere = strncmp(address, "0.0.0.0:", 8) == 0;
    deis_autofree char *url =
        deis_asprintf("http://%s%s/.well-known/acme-challenge/%s", anywhere ? "127.0.0.1" : address,
                      anywhere ? port : "", h->token);
    deis_autofree char *host = deis_asprintf("Host: %s", t->domain);
    const char *const headers[] = { host, NULL };
    const struct deis_httpc_request req = {
        .url = url, .headers = headers, .timeout_ms = ROUTER_CALL_MS, .answer_max = PEM_MAX
    };
    deis_autoanswer struct deis_httpc_answer answer = { 0 };
    struct deis_err err;

    return deis_httpc_call(http, &req, &answer, &err) == 0 && answer.status == 200 &&
           deis_str_eq_cstr(deis_buf_str(&answer.body), h->answer);
}

/* The authority may come by any router: wait until all answer, those that can be reached from here
 * within the time. */
static void await_routers(struct acme_turn *t, const struct autocert_hook *h)
{
    deis_autorange struct deis_etcd_range range = { 0 };
    struct deis_httpc *http = deis_httpc_new();
    uint64_t until_ms = deis_now_ms() + ROUTERS_WAIT_MS;
    struct deis_err err = DEIS_ERR_INIT;

    if (deis_etcd_list(t->ctl->etcd, "/deis/services/router/", 0, &range, &err) < 0) {
        range.count = 0;
    }
    for (size_t i = 0; i < range.count; i++) {
        struct deis_service where;
        if (deis_service_parse(range.kvs[i].value, &where, &err) < 0) {
            continue;
        }
        bool there = !where.http;
        while (!there && deis_now_ms() < until_ms && acme_go_on(t)) {
            there = router_answers(t, http, where.http, h);
            if (!there) {
                (void)poll(NULL, 0, ROUTER_AGAIN_MS);
            }
        }
        if (!there) {
            deis_warn("a router does not answer the challenge", KV_S("router", range.kvs[i].key));
        }
        deis_service_clear(&where);
    }
    deis_httpc_free(http);
}

static bool challenge_begin(struct acme_turn *t, const struct autocert_hook *h)
{
    deis_autotxn struct deis_etcd_txn *txn = deis_etcd_txn_new();
    deis_autojson json_t *doc = json_pack("{s:s, s:s}", "domain", t->domain, "answer", h->answer);
    deis_autofree char *text = deis_json_dump(doc);
    struct deis_err err = DEIS_ERR_INIT;
    char key[DEIS_KEY_MAX];

    deis_etcd_if_create(txn, "/deis/leader/acme", t->epoch);
    deis_etcd_then_put(txn, deis_key(key, "challenges/%s", h->token), deis_str(text), t->lease);
    int r = deis_etcd_commit(t->ctl->etcd, txn, NULL, NULL, &err);
    if (r < 0 && r != DEIS_TIMEOUT) {
        deis_warn("challenge not written", KV_S("domain", t->domain), KV_ERR(&err));
        return false;
    }
    await_routers(t, h);
    return true;
}

static bool on_hook(const struct autocert_hook *h, void *arg)
{
    struct acme_turn *t = arg;
    struct deis_err err = DEIS_ERR_INIT;
    char key[DEIS_KEY_MAX];

    if (strcmp(h->type, "http-01") != 0 || strcmp(h->ident, t->domain) != 0) {
        return false;
    }
    if (strcmp(h->method, "begin") == 0) {
        return challenge_begin(t, h);
    }
    if (deis_etcd_delete(t->ctl->etcd, deis_key(key, "challenges/%s", h->token), &err) < 0) {
        deis_debug("the challenge goes with the lease", KV_ERR(&err));
    }
    return true;
}

static bool go_on(void *arg)
{
    return acme_go_on(arg);
}

/* --- the account --- */

static int account_write(struct acme_turn *t, const char *dir, struct deis_err *err)
{
    deis_autobuf struct deis_buf sealed = DEIS_BUF_INIT(2 * PEM_MAX);
    deis_autotxn struct deis_etcd_txn *txn = deis_etcd_txn_new();
    struct deis_buf key;
    char now[32];
    int r = acme_files_read(dir, "private/key.pem", PEM_MAX, &key, err);

    if (r == 0) {
        deis_keys_seal(t->ctl->keys, DEIS_STR("acme/account"), deis_buf_str(&key), &sealed);
        store_now(now);
        deis_autojson json_t *doc =
            json_pack("{s:s, s:s, s:s, s:s}", "directory", t->settings.acme_directory, "contact",
                      t->settings.acme_contact, "key", sealed.data, "created", now);
        deis_autofree char *text = deis_json_dump(doc);
        deis_etcd_if_create(txn, "/deis/leader/acme", t->epoch);
        deis_etcd_then_put(txn, ACCOUNT_KEY, deis_str(text), 0);
        r = deis_etcd_commit(t->ctl->etcd, txn, NULL, NULL, err);
        deis_info("account at the certificate authority made",
                  KV_S("directory", t->settings.acme_directory));
    }
    if (key.len > 0) {
        explicit_bzero(key.data, key.len);
    }
    deis_buf_clear(&key);
    return r;
}

/* The account's key into the client's folder. DEIS_NOT_FOUND: there is none for this authority. */
static int account_read(struct acme_turn *t, const char *dir, bool *ret_contact,
                        struct deis_err *err)
{
    deis_autobuf struct deis_buf key = DEIS_BUF_INIT(PEM_MAX);
    deis_autojson json_t *doc = NULL;
    int r = store_get(t->ctl, ACCOUNT_KEY, &doc, NULL, err);

    if (r == 0 && strcmp(autocert_text(doc, "directory"), t->settings.acme_directory) != 0) {
        r = deis_err_set(err, DEIS_NOT_FOUND, "the account is another authority's");
    }
    if (r == 0) {
        *ret_contact = strcmp(autocert_text(doc, "contact"), t->settings.acme_contact) == 0;
        r = deis_keys_unseal(t->ctl->keys, DEIS_STR("acme/account"),
                             deis_str(autocert_text(doc, "key")), &key, err);
    }
    if (r == 0) {
        r = acme_files_write(dir, "private/key.pem", deis_buf_str(&key), err);
    }
    if (key.len > 0) {
        explicit_bzero(key.data, key.len);
    }
    return r;
}

static int account_ready(struct acme_turn *t, const struct acme_client *client,
                         struct deis_err *err)
{
    const char *contact = t->settings.acme_contact[0] ? t->settings.acme_contact : NULL;
    const char *const make[] = { "-y", "new", contact, NULL };
    const char *const update[] = { "update", contact, NULL };
    bool same_contact = false;
    int r = account_read(t, client->dir, &same_contact, err);

    if (r == 0 && same_contact) {
        return 0;
    }
    if (r < 0 && r != DEIS_NOT_FOUND) {
        return r;
    }
    r = acme_client_run(client, r == 0 ? update : make, err);
    return r == 0 ? account_write(t, client->dir, err) : r;
}

/* Ask for the certificate. An account that the authority forgot is made anew, with its key. */
static int account_use(struct acme_turn *t, const struct acme_client *client, struct deis_err *err)
{
    const char *contact = t->settings.acme_contact[0] ? t->settings.acme_contact : NULL;
    const char *const make[] = { "-y", "new", contact, NULL };
    const char *const issue[] = { "-t", "EC", "issue", t->domain, NULL };
    struct deis_err unused;
    int r = acme_client_run(client, issue, err);

    if (r == DEIS_INVALID && strcasestr(err->msg, "account") &&
        acme_client_run(client, make, &unused) == 0) {
        r = acme_client_run(client, issue, err);
    }
    return r;
}

/* --- the certificate --- */

/* Is it what was asked for? */
static int inspect(struct pair *p, const char *domain, struct deis_err *err)
{
    X509 *cert = deis_pem_certificate(deis_buf_str(&p->certificate));
    EVP_PKEY *key = deis_pem_key(deis_buf_str(&p->key));
    int r = 0;

    if (!cert || !key || X509_check_private_key(cert, key) != 1 ||
        X509_check_host(cert, domain, 0, 0, NULL) != 1) {
        r = deis_err_set(err, DEIS_INVALID, "the authority's certificate is not for this name");
    } else {
        p->from_ms = deis_asn1_time_ms(X509_get0_notBefore(cert));
        p->until_ms = deis_asn1_time_ms(X509_get0_notAfter(cert));
    }
    ERR_clear_error();
    X509_free(cert);
    EVP_PKEY_free(key);
    return r;
}

static int get_pair(struct acme_turn *t, struct pair *p, struct deis_err *err)
{
    deis_autofree char *dir =
        deis_asprintf("%s/deis-acme-%s", t->settings.acme_dir, t->ctl->instance);
    deis_autofree char *cert = deis_asprintf("%s/cert.pem", t->domain);
    deis_autofree char *key = deis_asprintf("private/%s/key.pem", t->domain);
    const struct acme_client client = { .program = t->settings.acme_client,
                                        .dir = dir,
                                        .directory = t->settings.acme_directory,
                                        .on_hook = on_hook,
                                        .go_on = go_on,
                                        .arg = t };
    int r = acme_files_make(dir, err);

    r = r < 0 ? r : acme_trust_begin(t->settings.acme_dir, t->settings.acme_ca, err);
    r = r < 0 ? r : account_ready(t, &client, err);
    r = r < 0 ? r : account_use(t, &client, err);
    r = r < 0 ? r : acme_files_read(dir, cert, PEM_MAX, &p->certificate, err);
    r = r < 0 ? r : acme_files_read(dir, key, PEM_MAX, &p->key, err);
    r = r < 0 ? r : inspect(p, t->domain, err);
    acme_trust_end(t->settings.acme_dir);
    acme_files_remove(dir);
    return r;
}

static json_t *cert_doc(struct acme_turn *t, const struct pair *p, const char *owner,
                        const char *expires, const json_t *former)
{
    deis_autobuf struct deis_buf sealed = DEIS_BUF_INIT(2 * PEM_MAX);
    deis_autofree char *place = deis_asprintf("cert/%s", t->domain);
    const json_t *id = json_object_get(former, "id");
    const char *created = autocert_text(former, "created");
    char now[32];
    uint32_t random;

    deis_random(&random, sizeof(random));
    store_now(now);
    deis_keys_seal(t->ctl->keys, deis_str(place), deis_buf_str(&p->key), &sealed);
    return json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b}", "id",
                     id ? json_integer_value(id) : (json_int_t)(random >> 1), "owner", owner,
                     "expires", expires, "common_name", t->domain, "created",
                     created[0] ? created : now, "updated", now, "certificate", p->certificate.data,
                     "key", sealed.data, "auto", 1);
}

static int write_pair(struct acme_turn *t, const struct pair *p, json_t *doc, int64_t revision,
                      struct deis_err *err)
{
    deis_autobuf struct deis_buf expires = DEIS_BUF_INIT(64);
    const char *owner = autocert_text(doc, "owner");
    change_auto struct change c = { 0 };
    deis_autojson json_t *former = NULL;
    char key[DEIS_KEY_MAX], domain_key[DEIS_KEY_MAX], now[32];
    struct deis_str label;
    int64_t former_revision = 0;

    deis_key(key, "certs/%s", t->domain);
    int r = store_get(t->ctl, key, &former, &former_revision, err);
    if (r < 0 && r != DEIS_NOT_FOUND) {
        return r;
    }
    if (former && !json_is_true(json_object_get(former, "auto"))) {
        return deis_err_set(err, DEIS_INVALID,
                            "a certificate of this name was added by hand: remove it, or this");
    }
    deis_time_format_model(p->until_ms, &expires);
    deis_autojson json_t *cert = cert_doc(t, p, owner, expires.data, former);
    autocert_issued(doc, expires.data, p->from_ms, p->until_ms, deis_wall_ms());
    store_now(now);
    json_object_set_new(doc, "updated", json_string(now));
    acme_change(t, &c, "cert.auto", t->domain, "done");
    if (autocert_kind(t->domain, t->settings.domain, t->settings.subdomain, &label) ==
        AUTOCERT_CUSTOM) { /* it may have been removed meanwhile */
        deis_etcd_if_exists(c.txn, deis_key(domain_key, "domains/%s", t->domain));
    }
    deis_etcd_if_mod(c.txn, key, former_revision);
    change_put(&c, key, cert);
    change_put_text(&c, deis_key(key, "index/cert/%s/%s", owner, t->domain), "{}");
    deis_etcd_if_mod(c.txn, deis_key(key, "autocerts/%s", t->domain), revision);
    change_put(&c, key, doc);
    return change_commit(t->ctl, &c, err);
}

int acme_issue(struct acme_turn *t, json_t *doc, int64_t revision, struct deis_err *err)
{
    struct pair p = { DEIS_BUF_INIT(PEM_MAX), DEIS_BUF_INIT(PEM_MAX), 0, 0 };
    int r = get_pair(t, &p, err);

    r = r < 0 ? r : write_pair(t, &p, doc, revision, err);
    pair_clear(&p);
    if (r == 0) {
        deis_info("certificate issued", KV_S("domain", t->domain));
    }
    return r;
}
