/* SPDX-License-Identifier: MIT */
/* Who issues, and what is to be done. */
#include "controller/acme.h"

#include "controller/core/autocert.h"

#include "lib/base/clock.h"
#include "lib/net/log.h"

#include <stdatomic.h>

#define LEADER_KEY "/deis/leader/acme"

enum {
    TICK_MS = 10 * 1000,
    SOON_MS = 100,
    LEASE_S = 30,
    RENEW_MS = 8000,
    SWEEP_MS = 60 * 1000,
};

struct acme {
    struct ctl *ctl;
    struct deis_workers *worker;
    struct deis_timer *timer;
    bool busy;
    bool again;
    atomic_bool poked;
    uint64_t swept_ms; /* thread: the worker */
    atomic_bool stop;
};

/* --- the turn --- */

bool acme_go_on(struct acme_turn *t)
{
    struct deis_err err = DEIS_ERR_INIT;
    uint64_t now_ms = deis_now_ms();
    unsigned ttl_s = 0;

    if (atomic_load(&t->acme->stop)) {
        return false;
    }
    if (now_ms < t->renewed_ms + RENEW_MS) {
        return true;
    }
    if (deis_etcd_lease_keepalive(t->ctl->etcd, t->lease, &ttl_s, &err) == 0 && ttl_s > 0) {
        t->renewed_ms = now_ms;
        return true;
    }
    /* What is written is guarded anyway; the lease may outlive a short failure. */
    return now_ms < t->renewed_ms + (uint64_t)LEASE_S * 1000;
}

void acme_change(struct acme_turn *t, struct change *c, const char *action, const char *domain,
                 const char *result)
{
    deis_autofree char *object = deis_asprintf("cert/%s", domain);

    change_begin(c, "", action, object, result, t->ctl->instance, NULL);
    deis_etcd_if_create(c->txn, LEADER_KEY, t->epoch);
}

static void turn_end(struct acme_turn *t)
{
    struct deis_err err = DEIS_ERR_INIT;

    if (deis_etcd_lease_revoke(t->ctl->etcd, t->lease, &err) < 0) {
        deis_warn("the issuer's lease has to expire by itself", KV_ERR(&err));
    }
}

static bool turn_begin(struct acme_turn *t)
{
    deis_autotxn struct deis_etcd_txn *txn = deis_etcd_txn_new();
    deis_autojson json_t *value =
        json_pack("{s:s, s:s}", "instance", t->ctl->instance, "token", t->ctl->boot);
    deis_autofree char *text = deis_json_dump(value);
    struct deis_err err = DEIS_ERR_INIT;

    if (deis_etcd_lease_grant(t->ctl->etcd, LEASE_S, &t->lease, &err) < 0) {
        return false;
    }
    t->renewed_ms = deis_now_ms();
    deis_etcd_if_absent(txn, LEADER_KEY);
    deis_etcd_then_put(txn, LEADER_KEY, deis_str(text), t->lease);
    if (deis_etcd_commit(t->ctl->etcd, txn, NULL, &t->epoch, &err) == 0) {
        return true;
    }
    /* Somebody else issues, or nobody knows: then the lease takes the key along. */
    turn_end(t);
    return false;
}

/* --- what is wanted --- */

/* Does its domain still lead to its app, and does its owner exist? On failure: yes. */
static bool is_wanted(struct acme_turn *t, const json_t *doc)
{
    const char *domain = autocert_text(doc, "domain");
    const char *app = autocert_text(doc, "app");
    struct deis_err err = DEIS_ERR_INIT;
    char domain_key[DEIS_KEY_MAX], user_key[DEIS_KEY_MAX], app_key[DEIS_KEY_MAX];
    const char *keys[] = { deis_key(domain_key, "domains/%s", domain),
                           deis_key(user_key, "users/%s", autocert_text(doc, "owner")),
                           deis_key(app_key, "apps/%s", app) };
    json_t *found[3] = { NULL, NULL, NULL };
    struct deis_str label;

    if (store_get_all(t->ctl, keys, 3, found, NULL, &err) < 0) {
        return true;
    }
    bool wanted = found[1] != NULL;
    switch (autocert_kind(domain, t->settings.domain, t->settings.subdomain, &label)) {
    case AUTOCERT_CUSTOM:
        wanted = wanted && strcmp(autocert_text(found[0], "app"), app) == 0;
        break;
    case AUTOCERT_APP: wanted = wanted && deis_str_eq_cstr(label, app) && found[2]; break;
    case AUTOCERT_API: wanted = wanted && app[0] == '\0'; break;
    }
    for (size_t i = 0; i < DEIS_COUNT(found); i++) {
        json_decref(found[i]);
    }
    return wanted;
}

static void take_away(struct acme_turn *t, const json_t *doc, int64_t revision)
{
    const char *domain = autocert_text(doc, "domain");
    change_auto struct change c = { 0 };
    deis_autojson json_t *cert = NULL;
    struct deis_err err = DEIS_ERR_INIT;
    char key[DEIS_KEY_MAX];
    int64_t cert_revision = 0;

    acme_change(t, &c, "cert.auto.end", domain, "done");
    deis_etcd_if_mod(c.txn, deis_key(key, "autocerts/%s", domain), revision);
    deis_etcd_then_delete(c.txn, key);
    deis_etcd_then_delete(
        c.txn, deis_key(key, "index/autocert/%s/%s", autocert_text(doc, "owner"), domain));
    deis_key(key, "certs/%s", domain);
    if (store_get(t->ctl, key, &cert, &cert_revision, &err) == 0 &&
        json_is_true(json_object_get(cert, "auto"))) {
        deis_etcd_if_mod(c.txn, key, cert_revision);
        deis_etcd_then_delete(c.txn, key);
        deis_etcd_then_delete(
            c.txn, deis_key(key, "index/cert/%s/%s", autocert_text(cert, "owner"), domain));
    }
    if (change_commit(t->ctl, &c, &err) < 0) {
        deis_warn("certificate not taken away", KV_S("domain", domain), KV_ERR(&err));
    } else {
        deis_info("certificate taken away", KV_S("domain", domain));
    }
}

/* Note that it failed. */
static void give_up(struct acme_turn *t, json_t *doc, int64_t revision, const struct deis_err *why)
{
    const char *domain = autocert_text(doc, "domain");
    change_auto struct change c = { 0 };
    struct deis_err err = DEIS_ERR_INIT;
    char key[DEIS_KEY_MAX], now[32];
    uint32_t random;

    deis_warn("no certificate", KV_S("domain", domain), KV_ERR(why));
    deis_random(&random, sizeof(random));
    autocert_failed(doc, why->msg, t->settings.acme_retry_ms, random, deis_wall_ms());
    store_now(now);
    json_object_set_new(doc, "updated", json_string(now));
    acme_change(t, &c, "cert.auto", domain, "failed");
    deis_etcd_if_mod(c.txn, deis_key(key, "autocerts/%s", domain), revision);
    change_put(&c, key, doc);
    if (change_commit(t->ctl, &c, &err) < 0) {
        deis_warn("failure not noted", KV_S("domain", domain), KV_ERR(&err));
    }
}

/* One document. False: the turn is over. */
static bool look_at(struct acme_turn *t, const struct deis_etcd_kv *kv)
{
    struct deis_err err = DEIS_ERR_INIT;
    deis_autojson json_t *doc = NULL;

    if (store_parse(kv, &doc, &err) < 0) {
        deis_warn("document ignored", KV_S("key", kv->key), KV_ERR(&err));
        return true;
    }
    if (!is_wanted(t, doc)) {
        take_away(t, doc, kv->mod_revision);
        return acme_go_on(t);
    }
    if (!t->settings.acme_agree || !autocert_is_due(doc, deis_wall_ms())) {
        return acme_go_on(t);
    }
    t->domain = autocert_text(doc, "domain");
    int r = acme_issue(t, doc, kv->mod_revision, &err);
    if (r < 0 && r != DEIS_CANCELLED && r != DEIS_UNAVAILABLE && r != DEIS_CONFLICT) {
        give_up(t, doc, kv->mod_revision, &err);
    } else if (r < 0) {
        deis_warn("certificate not asked for", KV_S("domain", t->domain), KV_ERR(&err));
    }
    return acme_go_on(t);
}

/* Is anything due, or is it time to look for what nobody wants any more? */
static bool has_work(struct acme *a, const struct deis_etcd_range *range, bool agreed)
{
    uint64_t now_ms = deis_now_ms();
    struct deis_err err = DEIS_ERR_INIT;
    bool due =
        atomic_exchange(&a->poked, false) || a->swept_ms == 0 || now_ms >= a->swept_ms + SWEEP_MS;

    for (size_t i = 0; i < range->count && agreed && !due; i++) {
        deis_autojson json_t *doc = NULL;
        due = store_parse(&range->kvs[i], &doc, &err) == 0 && autocert_is_due(doc, deis_wall_ms());
    }
    if (due) {
        a->swept_ms = now_ms;
    }
    return due && range->count > 0;
}

static void work(void *arg)
{
    struct acme *a = arg;
    struct acme_turn t = { .acme = a, .ctl = a->ctl };
    deis_autorange struct deis_etcd_range range = { 0 };
    struct deis_err err = DEIS_ERR_INIT;

    if (!settings_await(a->ctl->settings) ||
        deis_etcd_list(a->ctl->etcd, "/deis/autocerts/", 0, &range, &err) < 0) {
        return;
    }
    settings_get(a->ctl->settings, &t.settings);
    if (!has_work(a, &range, t.settings.acme_agree) || !turn_begin(&t)) {
        settings_clear(&t.settings);
        return;
    }
    /* What was read before the turn may be another's work meanwhile. */
    deis_etcd_range_clear(&range);
    if (deis_etcd_list(a->ctl->etcd, "/deis/autocerts/", 0, &range, &err) == 0) {
        for (size_t i = 0; i < range.count && look_at(&t, &range.kvs[i]); i++) {
        }
    }
    settings_clear(&t.settings);
    turn_end(&t);
}

/* --- the loop's side --- */

static void done(void *arg)
{
    struct acme *a = arg;

    a->busy = false;
    if (!atomic_load(&a->stop)) {
        deis_timer_after(a->timer, a->again ? SOON_MS : TICK_MS);
    }
    a->again = false;
}

static void on_timer(void *arg)
{
    struct acme *a = arg;
    struct deis_err err = DEIS_ERR_INIT;

    if (a->busy) {
        a->again = true;
        return;
    }
    a->busy = true;
    if (deis_workers_run(a->worker, work, done, a, &err) < 0) {
        done(a);
    }
}

struct acme *acme_start(struct ctl *ctl)
{
    struct acme *a = deis_alloc(sizeof(*a));

    a->ctl = ctl;
    a->worker = deis_workers_new(ctl->loop, 1, 1);
    a->timer = deis_timer_new(ctl->loop, on_timer, a);
    deis_timer_after(a->timer, TICK_MS);
    return a;
}

void acme_stop(struct acme *a)
{
    if (a) {
        atomic_store(&a->stop, true);
        deis_workers_free(a->worker);
        deis_timer_free(a->timer);
        free(a);
    }
}

static void on_poke(void *arg)
{
    struct ctl *ctl = arg;

    if (ctl->acme && !atomic_load(&ctl->acme->stop)) {
        atomic_store(&ctl->acme->poked, true);
        on_timer(ctl->acme);
    }
}

void acme_poke(struct ctl *ctl)
{
    deis_loop_post(ctl->loop, on_poke, ctl);
}
