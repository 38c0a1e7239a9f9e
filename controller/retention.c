/* SPDX-License-Identifier: MIT */
#include "controller/retention.h"

#include "controller/core/keep.h"
#include "controller/core/operation.h"
#include "controller/gate.h"
#include "controller/store.h"

#include "lib/base/clock.h"
#include "lib/net/log.h"

#define OUTCOME_KEEP_MS 86400000
#define OUTCOMES_MAX    10000
#define OUTCOMES_PAGE   50
#define DELETES_MAX     100 /* in one transaction */
#define GATE_MS         1000

/* A deletion of keys of an app's past. It fails when the app changes, and makes changes that were
 * prepared before it fail: one of them might be about to use what goes (a rollback). */
static int delete_of_app(struct ctl *ctl, const char *app, char *const *keys, size_t count,
                         struct deis_err *err)
{
    char key[DEIS_KEY_MAX];
    int r = DEIS_OK;

    for (size_t i = 0; r == DEIS_OK && i < count;) {
        deis_autorange struct deis_etcd_range range = { 0 };
        deis_autotxn struct deis_etcd_txn *txn = deis_etcd_txn_new();
        r = deis_etcd_get(ctl->etcd, deis_key(key, "apps/%s", app), &range, err);
        if (r < 0) {
            return r;
        }
        deis_etcd_if_mod(txn, key, range.kvs[0].mod_revision);
        deis_etcd_then_put(txn, key, range.kvs[0].value, 0);
        deis_etcd_if_absent(txn, deis_key(key, "operations/%s", app));
        for (size_t n = 0; n < DELETES_MAX && i < count; n++, i++) {
            deis_etcd_then_delete(txn, keys[i]);
        }
        r = deis_etcd_commit(ctl->etcd, txn, NULL, NULL, err);
    }
    return r;
}

/* The oldest releases beyond what is to be kept. */
static int drop_releases(struct ctl *ctl, const char *app, uint32_t kept, size_t slack,
                         bool *ret_tidy, struct deis_err *err)
{
    deis_autorange struct deis_etcd_range range = { 0 };
    char prefix[DEIS_KEY_MAX];
    int r = deis_etcd_list_keys(ctl->etcd, deis_key(prefix, "apps/%s/releases/", app), &range, err);
    size_t surplus = r == DEIS_OK ? keep_surplus(range.count, kept) : 0;

    *ret_tidy = surplus == 0;
    if (r < 0 || surplus == 0 || surplus < slack) {
        return r;
    }
    char **keys = deis_alloc((surplus + 1) * sizeof(*keys));
    for (size_t i = 0; i < surplus; i++) {
        keys[i] = deis_strdup(range.kvs[i].key);
    }
    r = delete_of_app(ctl, app, keys, surplus, err);
    deis_strv_free(keys);
    *ret_tidy = r == DEIS_OK;
    return r;
}

/* Configs or builds that no release needs. What a change under way may still use hangs on a release
 * that is listed here: releases only go together with a new revision of the app. */
static int drop_unused(struct ctl *ctl, const char *app, const char *folder, const char *member,
                       struct deis_err *err)
{
    deis_autojson json_t *names = NULL;
    deis_autojson json_t *releases = NULL;
    deis_autojson json_t *doc = NULL;
    char prefix[DEIS_KEY_MAX], key[DEIS_KEY_MAX];

    /* Names first: what is written after that is not among them. */
    int r = store_names(ctl, deis_key(prefix, "apps/%s/%s/", app, folder), &names, err);
    if (r == DEIS_OK) {
        r = store_list(ctl, deis_key(key, "apps/%s/releases/", app), &releases, err);
    }
    if (r == DEIS_OK) {
        r = store_get(ctl, deis_key(key, "apps/%s", app), &doc, NULL, err);
    }
    if (r < 0) {
        return r;
    }
    deis_autojson json_t *unused = keep_unused(names, doc, releases, member);
    size_t count = json_array_size(unused);
    char **keys = deis_alloc((count + 1) * sizeof(*keys));
    for (size_t i = 0; i < count; i++) {
        keys[i] = deis_asprintf("%s%s", prefix, json_string_value(json_array_get(unused, i)));
    }
    r = delete_of_app(ctl, app, keys, count, err);
    deis_strv_free(keys);
    return r;
}

/* slack: leave it when fewer than so many releases are too many. */
static int tidy_app(struct ctl *ctl, const char *app, uint32_t kept, size_t slack,
                    struct deis_err *err)
{
    bool dropped = false;
    int r = drop_releases(ctl, app, kept, slack, &dropped, err);

    if (r == DEIS_OK && dropped) {
        r = drop_unused(ctl, app, "configs", "config", err);
    }
    if (r == DEIS_OK && dropped) {
        r = drop_unused(ctl, app, "builds", "build", err);
    }
    return r;
}

static void tidy_app_alone(struct ctl *ctl, const char *app, uint32_t kept, size_t slack)
{
    struct deis_err err = DEIS_ERR_INIT;

    if (!gate_enter(ctl->apps, app, GATE_MS)) {
        return; /* it changes just now */
    }
    int r = tidy_app(ctl, app, kept, slack, &err);
    gate_leave(ctl->apps, app);
    if (r < 0 && r != DEIS_CONFLICT && r != DEIS_NOT_FOUND) {
        deis_warn("old releases not deleted", KV_S("app", app), KV_ERR(&err));
    }
}

static uint32_t releases_kept(struct ctl *ctl)
{
    settings_auto struct settings s = { 0 };

    settings_get(ctl->settings, &s);
    return s.releases_kept;
}

void retention_after_release(struct ctl *ctl, const char *app, uint32_t version)
{
    uint32_t kept = releases_kept(ctl);

    if (settings_synced(ctl->settings) && keep_surplus(version, kept) >= KEEP_RELEASES_SLACK) {
        tidy_app_alone(ctl, app, kept, KEEP_RELEASES_SLACK);
    }
}

static void tidy_apps(struct ctl *ctl)
{
    struct deis_err err = DEIS_ERR_INIT;
    deis_autojson json_t *apps = NULL;
    uint32_t kept = releases_kept(ctl);

    if (store_names(ctl, "/deis/index/app/", &apps, &err) < 0) {
        deis_warn("apps not listed", KV_ERR(&err));
        return;
    }
    for (size_t i = 0; i < json_array_size(apps); i++) {
        tidy_app_alone(ctl, json_string_value(json_array_get(apps, i)), kept, 1);
    }
}

static int delete_keys(struct ctl *ctl, const struct deis_etcd_kv *kvs, size_t count,
                       struct deis_err *err)
{
    int r = DEIS_OK;

    for (size_t i = 0; r == DEIS_OK && i < count;) {
        deis_autotxn struct deis_etcd_txn *txn = deis_etcd_txn_new();
        for (unsigned n = 0; n < DELETES_MAX && i < count; n++, i++) {
            deis_etcd_then_delete(txn, kvs[i].key);
        }
        r = deis_etcd_commit(ctl->etcd, txn, NULL, NULL, err);
    }
    return r;
}

static int by_creation(const void *a, const void *b)
{
    const struct deis_etcd_kv *x = a;
    const struct deis_etcd_kv *y = b;

    return x->create_revision < y->create_revision ? -1 : x->create_revision > y->create_revision;
}

/* How many of the outcomes, oldest first, are past their time; a page is looked at. */
static int count_expired(struct ctl *ctl, const struct deis_etcd_kv *kvs, size_t count, size_t *ret,
                         struct deis_err *err)
{
    struct deis_etcd_range ranges[OUTCOMES_PAGE] = { 0 };
    deis_autotxn struct deis_etcd_txn *txn = deis_etcd_txn_new();
    uint64_t now = deis_wall_ms();
    bool old = true;

    count = count < OUTCOMES_PAGE ? count : OUTCOMES_PAGE;
    for (size_t i = 0; i < count; i++) {
        deis_etcd_then_get(txn, kvs[i].key, false);
    }
    int r = deis_etcd_commit(ctl->etcd, txn, ranges, NULL, err);
    *ret = 0;
    for (size_t i = 0; i < count; i++) {
        struct outcome o = { 0 };
        if (r == DEIS_OK && ranges[i].count > 0 &&
            outcome_parse(ranges[i].kvs[0].value, &o, NULL) == DEIS_OK) {
            old = old && o.at_ms + OUTCOME_KEEP_MS < now;
            outcome_clear(&o);
        }
        *ret += r == DEIS_OK && old;
        deis_etcd_range_clear(&ranges[i]);
    }
    return r;
}

static void tidy_outcomes(struct ctl *ctl)
{
    deis_autorange struct deis_etcd_range range = { 0 };
    struct deis_err err = DEIS_ERR_INIT;
    int r = deis_etcd_list_keys(ctl->etcd, "/deis/outcomes/", &range, &err);

    if (r == DEIS_OK && range.count > 1) {
        qsort(range.kvs, range.count, sizeof(range.kvs[0]), by_creation);
    }
    size_t gone = r == DEIS_OK && range.count > OUTCOMES_MAX ? range.count - OUTCOMES_MAX : 0;
    if (gone > 0) {
        r = delete_keys(ctl, range.kvs, gone, &err);
    }
    for (size_t expired = 1; r == DEIS_OK && expired > 0 && gone < range.count; gone += expired) {
        r = count_expired(ctl, range.kvs + gone, range.count - gone, &expired, &err);
        if (r == DEIS_OK) {
            r = delete_keys(ctl, range.kvs + gone, expired, &err);
        }
    }
    if (r < 0) {
        deis_warn("outcomes not trimmed", KV_ERR(&err));
    }
}

/* Keys sort by time: the first ones are the oldest. */
static void tidy_audit(struct ctl *ctl)
{
    settings_auto struct settings s = { 0 };
    deis_autorange struct deis_etcd_range range = { 0 };
    struct deis_err err = DEIS_ERR_INIT;

    settings_get(ctl->settings, &s);
    if (deis_etcd_list_keys(ctl->etcd, "/deis/audit/", &range, &err) == DEIS_OK &&
        range.count > s.audit_kept &&
        delete_keys(ctl, range.kvs, range.count - s.audit_kept, &err) < 0) {
        deis_warn("audit not trimmed", KV_ERR(&err));
    }
}

void retention_all(struct ctl *ctl)
{
    tidy_apps(ctl);
    tidy_outcomes(ctl);
    tidy_audit(ctl);
}
