/* SPDX-License-Identifier: MIT */
#include "controller/store.h"

#include "lib/base/clock.h"
#include "lib/wire/ip.h"

#include <unistd.h>

#define GETS_MAX      100 /* in one transaction */
#define READ_BACK_MAX 4

void store_time(uint64_t ms, char out[32])
{
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(32);

    deis_time_format_model(ms, &text);
    snprintf(out, 32, "%s", text.data);
}

void store_now(char out[32])
{
    store_time(deis_wall_ms(), out);
}

int store_parse(const struct deis_etcd_kv *kv, json_t **ret, struct deis_err *err)
{
    *ret = deis_json_parse(kv->value, err);
    if (!*ret) {
        deis_err_wrap(err, "key '%s'", kv->key);
        err->code = DEIS_INTERNAL;
        return DEIS_INTERNAL;
    }
    return DEIS_OK;
}

int store_get(struct ctl *ctl, const char *key, json_t **ret, int64_t *ret_revision,
              struct deis_err *err)
{
    deis_autorange struct deis_etcd_range range = { 0 };
    int r = deis_etcd_get(ctl->etcd, key, &range, err);

    if (r < 0) {
        return r;
    }
    if (ret_revision) {
        *ret_revision = range.kvs[0].mod_revision;
    }
    return store_parse(&range.kvs[0], ret, err);
}

int store_get_all(struct ctl *ctl, const char *const *keys, size_t count, json_t **rets,
                  int64_t *revisions, struct deis_err *err)
{
    struct deis_etcd_range ranges[GETS_MAX] = { 0 };
    deis_autotxn struct deis_etcd_txn *txn = deis_etcd_txn_new();
    int r;

    for (size_t i = 0; i < count; i++) {
        rets[i] = NULL;
        deis_etcd_then_get(txn, keys[i], false);
    }
    if (count > GETS_MAX) {
        return deis_err_set(err, DEIS_INTERNAL, "too many keys");
    }
    r = deis_etcd_commit(ctl->etcd, txn, ranges, NULL, err);
    for (size_t i = 0; i < count; i++) {
        if (revisions) {
            revisions[i] = r == DEIS_OK && ranges[i].count > 0 ? ranges[i].kvs[0].mod_revision : 0;
        }
        if (r == DEIS_OK && ranges[i].count > 0) {
            r = store_parse(&ranges[i].kvs[0], &rets[i], err);
        }
        deis_etcd_range_clear(&ranges[i]);
    }
    for (size_t i = 0; r < 0 && i < count; i++) {
        json_decref(rets[i]);
        rets[i] = NULL;
    }
    return r;
}

int store_list(struct ctl *ctl, const char *prefix, json_t **ret, struct deis_err *err)
{
    deis_autorange struct deis_etcd_range range = { 0 };
    deis_autojson json_t *out = json_array();
    int r = deis_etcd_list(ctl->etcd, prefix, 0, &range, err);

    for (size_t i = 0; r == DEIS_OK && i < range.count; i++) {
        json_t *doc = NULL;
        r = store_parse(&range.kvs[i], &doc, err);
        if (r == DEIS_OK) {
            json_array_append_new(out, doc);
        }
    }
    if (r == DEIS_OK) {
        *ret = DEIS_TAKE(out);
    }
    return r;
}

static int by_creation(const void *a, const void *b)
{
    const struct deis_etcd_kv *x = a;
    const struct deis_etcd_kv *y = b;

    if (x->create_revision != y->create_revision) {
        return x->create_revision < y->create_revision ? -1 : 1;
    }
    return strcmp(x->key, y->key);
}

int store_names_at(struct ctl *ctl, const char *prefix, json_t **ret, int64_t *ret_revision,
                   struct deis_err *err)
{
    deis_autorange struct deis_etcd_range range = { 0 };
    int r = deis_etcd_list_keys(ctl->etcd, prefix, &range, err);

    if (r < 0) {
        return r;
    }
    if (range.count > 1) {
        qsort(range.kvs, range.count, sizeof(range.kvs[0]), by_creation);
    }
    *ret = json_array();
    for (size_t i = 0; i < range.count; i++) {
        json_array_append_new(*ret, json_string(range.kvs[i].key + strlen(prefix)));
    }
    *ret_revision = range.revision;
    return DEIS_OK;
}

int store_names(struct ctl *ctl, const char *prefix, json_t **ret, struct deis_err *err)
{
    int64_t revision;

    return store_names_at(ctl, prefix, ret, &revision, err);
}

/* The documents of names[first .. first + count), GETS_MAX at most; fewer where names end. */
static int some_named(struct ctl *ctl, const char *prefix, const json_t *names, size_t first,
                      size_t count, void (*each)(const struct deis_etcd_kv *kv, void *arg), void *arg,
                      struct deis_err *err)
{
    struct deis_etcd_range ranges[GETS_MAX] = { 0 };
    deis_autotxn struct deis_etcd_txn *txn = deis_etcd_txn_new();
    size_t left = json_array_size(names) - first;

    count = left < count ? left : count;
    for (size_t i = 0; i < count; i++) {
        deis_autofree char *key =
            deis_asprintf("%s%s", prefix, json_string_value(json_array_get(names, first + i)));
        deis_etcd_then_get(txn, key, false);
    }
    int r = deis_etcd_commit(ctl->etcd, txn, ranges, NULL, err);
    for (size_t i = 0; i < count; i++) {
        if (r == DEIS_OK && ranges[i].count > 0) {
            each(&ranges[i].kvs[0], arg);
        }
        deis_etcd_range_clear(&ranges[i]);
    }
    return r;
}

int store_each_named(struct ctl *ctl, const char *prefix, const json_t *names,
                     void (*each)(const struct deis_etcd_kv *kv, void *arg), void *arg,
                     struct deis_err *err)
{
    int r = DEIS_OK;

    for (size_t first = 0; r == DEIS_OK && first < json_array_size(names); first += GETS_MAX) {
        r = some_named(ctl, prefix, names, first, GETS_MAX, each, arg, err);
    }
    return r;
}

struct parsed {
    json_t *docs;
    size_t bytes; /* of their texts */
    int failed; /* what the first one that is none came to */
    struct deis_err *err;
};

static void parse_one(const struct deis_etcd_kv *kv, void *arg)
{
    struct parsed *p = arg;

    p->bytes += kv->value.len;
    if (p->failed == DEIS_OK && p->bytes > STORE_LIST_MAX) {
        p->failed = deis_err_set(p->err, DEIS_LIMIT,
                                 "The page is too large, ask for a smaller page_size");
    }
    json_t *value = p->failed == DEIS_OK ? deis_json_parse(kv->value, p->err) : NULL;

    if (value) {
        json_array_append_new(p->docs, value);
    } else if (p->failed == DEIS_OK) {
        p->failed = deis_err_set(p->err, DEIS_INTERNAL, "a document is no JSON");
    }
}

int store_get_named(struct ctl *ctl, const char *prefix, const json_t *names, size_t step,
                    json_t **ret, struct deis_err *err)
{
    deis_autojson json_t *out = json_array();
    struct parsed parsed = { .docs = out, .err = err };
    size_t count = json_array_size(names);
    int r = DEIS_OK;

    step = step < GETS_MAX ? step : GETS_MAX;
    for (size_t first = 0; r == DEIS_OK && first < count; first += step) {
        r = some_named(ctl, prefix, names, first, step, parse_one, &parsed, err);
        r = r == DEIS_OK ? parsed.failed : r;
    }
    if (r == DEIS_OK) {
        *ret = DEIS_TAKE(out);
    }
    return r;
}

void change_clear(struct change *c)
{
    deis_etcd_txn_free(c->txn);
    c->txn = NULL;
}

void change_begin(struct change *c, const char *user, const char *action, const char *object,
                  const char *result, const char *request, const char *source)
{
    struct deis_ip ip;
    char id[17];
    char now[32];
    char key[DEIS_KEY_MAX];
    uint64_t ms = deis_wall_ms();

    deis_random_hex(id, 8);
    store_now(now);
    deis_key(c->audit, "audit/%013llu-%s", (unsigned long long)ms, id);
    snprintf(c->mark, sizeof(c->mark), "{\"audit\":\"%013llu-%s\"}", (unsigned long long)ms, id);
    c->txn = deis_etcd_txn_new();
    change_put_text(c, deis_key(key, STORE_CHANGED), c->mark);
    deis_autojson json_t *entry =
        json_pack("{s:s, s:s, s:s, s:o, s:s, s:s}", "time", now, "user", user, "action", action,
                  "object", deis_json_text(deis_str(object)), "result", result, "request", request);
    if (deis_ip_parse(deis_str(source), &ip)) {
        json_object_set_new(entry, "source", json_string(source));
    }
    change_put(c, c->audit, entry);
}

void change_of_apps(struct change *c)
{
    char key[DEIS_KEY_MAX];

    change_put_text(c, deis_key(key, STORE_CHANGED_APPS), c->mark);
}

void change_put(struct change *c, const char *key, const json_t *doc)
{
    deis_autofree char *text = deis_json_dump(doc);

    deis_etcd_then_put(c->txn, key, deis_str(text), 0);
}

void change_put_text(struct change *c, const char *key, const char *text)
{
    deis_etcd_then_put(c->txn, key, deis_str(text), 0);
}

int change_commit(struct ctl *ctl, struct change *c, struct deis_err *err)
{
    int r = deis_etcd_commit(ctl->etcd, c->txn, NULL, NULL, err);

    if (r == DEIS_OK || r == DEIS_CONFLICT || r == DEIS_UNAVAILABLE || r == DEIS_LIMIT) {
        return r;
    }
    for (unsigned i = 0; i < READ_BACK_MAX; i++) {
        deis_autorange struct deis_etcd_range range = { 0 };
        struct deis_err read_err = DEIS_ERR_INIT;
        int read = deis_etcd_get(ctl->etcd, c->audit, &range, &read_err);
        if (read == DEIS_OK) {
            return DEIS_OK;
        }
        if (read == DEIS_NOT_FOUND) {
            return deis_err_set(err, DEIS_UNAVAILABLE, "the store did not take the change");
        }
        usleep((useconds_t)deis_backoff_ms(i, 200, 1500) * 1000);
    }
    return deis_err_set(err, DEIS_TIMEOUT, "the store does not say whether the change was made");
}
