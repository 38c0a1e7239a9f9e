/* SPDX-License-Identifier: MIT */
#include "controller/reseal.h"

#include "lib/base/clock.h"
#include "lib/model/sealed.h"
#include "lib/net/log.h"

#define VALUE_MAX_BYTES ((size_t)1024 * 1024)
/* After a pass that found nothing the next one has time: a deploy that was under way may still
 * write what it has sealed before. */
#define QUIET_MIN_MS 4000
#define QUIET_MAX_MS 60000

/* What is written by others: they do it themselves. */
static bool is_ours(const char *prefix)
{
    return strcmp(prefix, "units/") != 0;
}

/* 0: something was sealed anew, 1: nothing was to be done. */
static int seal_place(const struct deis_keyring *ring, const struct deis_sealed_place *p,
                      struct deis_err *err)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(VALUE_MAX_BYTES);
    const char *sealed = json_string_value(json_object_get(p->object, p->member));
    int r = deis_keyring_reseal(ring, deis_str(p->aad), deis_str(sealed), &out, err);

    if (r == 0 && deis_buf_failed(&out)) {
        return deis_err_set(err, DEIS_LIMIT, "sealed value is too large");
    }
    if (r == 0) {
        json_object_set_new(p->object, p->member, json_string(out.data));
    }
    return r;
}

/* 0: nothing was to be done, 1: the document was written or has changed meanwhile. */
static int seal_document(struct ctl *ctl, const struct deis_keyring *ring,
                         const struct deis_etcd_kv *kv, struct deis_err *err)
{
    struct deis_sealed_place places[DEIS_SEALED_PER_DOC];
    deis_autojson json_t *doc = deis_json_parse(kv->value, err);
    bool changed = false;
    int r = doc ? 0 : err->code;

    size_t count = doc ? deis_sealed_places(kv->key, doc, places) : 0;
    for (size_t i = 0; r >= 0 && i < count; i++) {
        r = seal_place(ring, &places[i], err);
        changed |= r == 0;
    }
    if (r < 0 || !changed) {
        return r < 0 ? r : 0;
    }
    deis_autofree char *text = deis_json_dump(doc);
    deis_autotxn struct deis_etcd_txn *txn = deis_etcd_txn_new();
    deis_etcd_if_mod(txn, kv->key, kv->mod_revision);
    deis_etcd_then_put(txn, kv->key, deis_str(text), 0);
    r = deis_etcd_commit(ctl->etcd, txn, NULL, NULL, err);
    /* Unknown outcomes and conflicts: the next pass sees. */
    return r == 0 || r == DEIS_CONFLICT || r == DEIS_TIMEOUT ? 1 : r;
}

static int seal_key(struct ctl *ctl, const struct deis_keyring *ring, const char *key,
                    struct deis_err *err)
{
    deis_autorange struct deis_etcd_range range = { 0 };
    int r = deis_etcd_get(ctl->etcd, key, &range, err);

    if (r == DEIS_NOT_FOUND) {
        return 0;
    }
    return r < 0 ? r : seal_document(ctl, ring, &range.kvs[0], err);
}

/* What one document's trouble is must not keep the others from being sealed. Returns how many were
 * written, negative when etcd is away. */
static int seal_below(struct ctl *ctl, const struct deis_keyring *ring, const char *prefix)
{
    deis_autorange struct deis_etcd_range names = { 0 };
    struct deis_err err = DEIS_ERR_INIT;
    char key[DEIS_KEY_MAX];
    int written = 0;
    int r = deis_etcd_list_keys(ctl->etcd, deis_key(key, "%s", prefix), &names, &err);

    for (size_t i = 0; r >= 0 && i < names.count; i++) {
        if (!deis_sealed_holds(names.kvs[i].key)) {
            continue;
        }
        r = seal_key(ctl, ring, names.kvs[i].key, &err);
        written += r > 0;
        if (r < 0 && r != DEIS_UNAVAILABLE) {
            deis_warn("a value can't be sealed anew", KV_S("key", names.kvs[i].key), KV_ERR(&err));
            r = 0;
        }
    }
    return r < 0 ? r : written;
}

static int pass(struct ctl *ctl, const struct deis_keyring *ring)
{
    int written = 0;

    for (const char *const *prefix = deis_sealed_prefixes; *prefix; prefix++) {
        int r = is_ours(*prefix) ? seal_below(ctl, ring, *prefix) : 0;
        if (r < 0) {
            return r;
        }
        written += r;
    }
    return written;
}

void reseal_tick(struct ctl *ctl)
{
    struct reseal_pace *pace = &ctl->reseal;
    struct deis_keyring ring;
    char id[DEIS_KEY_ID_TEXT];
    unsigned version = deis_keys_get(ctl->keys, &ring);
    uint64_t now = deis_now_ms();

    deis_key_id_text(&ring.keys[0], id);
    if (version != pace->version) {
        *pace = (struct reseal_pace){ .version = version };
    }
    if (ring.count > 1 && now >= pace->next_ms &&
        deis_directory_all_seal_with(ctl->directory, id)) {
        int written = pass(ctl, &ring);
        if (written > 0) {
            deis_info("values were sealed anew", KV_S("key", id), KV_I("documents", written));
        }
        uint64_t quiet = written != 0 ? 0 : pace->quiet_ms == 0 ? QUIET_MIN_MS : 2 * pace->quiet_ms;
        pace->quiet_ms = quiet < QUIET_MAX_MS ? quiet : QUIET_MAX_MS;
        pace->next_ms = deis_now_ms() + pace->quiet_ms;
    }
    deis_keyring_clear(&ring);
}
