/* SPDX-License-Identifier: MIT */
#include "controller/tokens.h"

#include "controller/api.h"

#include "lib/base/clock.h"
#include "lib/net/log.h"

#define USE_EVERY_MS 3600000
#define LIST_MAX     100 /* read at once; a user has TOKENS_MAX */
#define ID_LEN       16  /* of a token in the API: that much of its hash */

bool tokens_expired(struct ctl *ctl, const json_t *doc)
{
    uint64_t life = settings_token_life_ms(ctl->settings);
    uint64_t now = deis_wall_ms();
    const char *created = json_string_value(json_object_get(doc, "created"));
    char oldest[32];

    if (life == 0 || life > now || !created) {
        return false;
    }
    store_time(now - life, oldest);
    return strcmp(created, oldest) < 0;
}

void tokens_note_use(struct ctl *ctl, const char *hash, const json_t *doc, int64_t revision)
{
    const char *last = json_string_value(json_object_get(doc, "last_used"));
    struct deis_err err = DEIS_ERR_INIT;
    char recent[32], now[32], key[DEIS_KEY_MAX];

    store_time(deis_wall_ms() - USE_EVERY_MS, recent);
    if (last && strcmp(last, recent) >= 0) {
        return;
    }
    store_now(now);
    deis_autojson json_t *fresh = json_deep_copy(doc);
    json_object_set_new(fresh, "last_used", json_string(now));
    deis_autofree char *text = deis_json_dump(fresh);
    deis_autotxn struct deis_etcd_txn *txn = deis_etcd_txn_new();
    deis_etcd_if_mod(txn, deis_key(key, "tokens/%s", hash), revision);
    deis_etcd_then_put(txn, key, deis_str(text), 0);
    int r = deis_etcd_commit(ctl->etcd, txn, NULL, NULL, &err);
    if (r < 0 && r != DEIS_CONFLICT) {
        deis_debug("use of a token not noted", KV_ERR(&err));
    }
}

/* Delete the oldest tokens of the user so that `keep` remain. */
static int revoke_beyond(struct ctl *ctl, struct change *c, const char *user, size_t keep,
                         struct deis_err *err)
{
    char prefix[DEIS_KEY_MAX], key[DEIS_KEY_MAX];
    deis_autojson json_t *hashes = NULL;
    int64_t revision;

    deis_key(prefix, "index/token/%s/", user);
    int r = store_names_at(ctl, prefix, &hashes, &revision, err);
    if (r < 0) {
        return r;
    }
    size_t count = json_array_size(hashes);
    for (size_t i = 0; count > keep && i < count - keep; i++) {
        const char *hash = json_string_value(json_array_get(hashes, i));
        deis_etcd_then_delete(c->txn, deis_key(key, "tokens/%s", hash));
        deis_etcd_then_delete(c->txn, deis_key(key, "index/token/%s/%s", user, hash));
    }
    deis_etcd_if_prefix_unchanged(c->txn, prefix, revision);
    return DEIS_OK;
}

int tokens_issue(struct ctl *ctl, struct change *c, const char *user, bool all,
                 char out[TOKEN_LEN + 1], struct deis_err *err)
{
    char hash[65], key[DEIS_KEY_MAX], now[32];
    int r = revoke_beyond(ctl, c, user, all ? 0 : TOKENS_MAX - 1, err);

    if (r < 0) {
        return r;
    }
    deis_random_hex(out, TOKEN_LEN / 2);
    auth_token_hash(out, hash);
    store_now(now);
    deis_autojson json_t *doc =
        json_pack("{s:s, s:s, s:n}", "user", user, "created", now, "last_used");
    change_put(c, deis_key(key, "tokens/%s", hash), doc);
    change_put_text(c, deis_key(key, "index/token/%s/%s", user, hash), "{}");
    return DEIS_OK;
}

/* The caller's tokens, newest first: their hashes and documents (NULL where one just went). */
static int load_tokens(struct api *a, json_t **ret_hashes, json_t *docs[LIST_MAX],
                       struct deis_err *err)
{
    char prefix[DEIS_KEY_MAX], keys[LIST_MAX][DEIS_KEY_MAX];
    const char *list[LIST_MAX];
    deis_autojson json_t *hashes = NULL;
    int r = store_names(a->ctl, deis_key(prefix, "index/token/%s/", a->user), &hashes, err);

    if (r < 0) {
        return r;
    }
    size_t all = json_array_size(hashes);
    size_t count = all < LIST_MAX ? all : LIST_MAX;
    deis_autojson json_t *newest = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *hash = json_array_get(hashes, all - 1 - i);
        json_array_append(newest, hash);
        list[i] = deis_key(keys[i], "tokens/%s", json_string_value(hash));
    }
    r = count > 0 ? store_get_all(a->ctl, list, count, docs, NULL, err) : DEIS_OK;
    if (r == DEIS_OK) {
        *ret_hashes = DEIS_TAKE(newest);
    }
    return r;
}

void handle_tokens_list(struct api *a)
{
    struct deis_err err = DEIS_ERR_INIT;
    deis_autojson json_t *hashes = NULL;
    json_t *docs[LIST_MAX] = { NULL };

    if (load_tokens(a, &hashes, docs, &err) < 0) {
        api_error(a, &err);
        return;
    }
    json_t *rows = json_array();
    for (size_t i = 0; i < json_array_size(hashes); i++) {
        const char *hash = json_string_value(json_array_get(hashes, i));
        if (docs[i] && !tokens_expired(a->ctl, docs[i])) {
            json_array_append_new(rows,
                                  json_pack("{s:s%, s:O, s:O?, s:b}", "id", hash, (size_t)ID_LEN,
                                            "created", json_object_get(docs[i], "created"),
                                            "last_used", json_object_get(docs[i], "last_used"),
                                            "current", strcmp(hash, a->token) == 0));
        }
        json_decref(docs[i]);
    }
    api_page(a, rows);
}

static void revoke_one(struct api *a, const char *hash)
{
    change_auto struct change c = { 0 };
    char key[DEIS_KEY_MAX];

    api_change(a, &c, "token.revoke", "user/%s/token/%.*s", a->user, ID_LEN, hash);
    deis_etcd_then_delete(c.txn, deis_key(key, "tokens/%s", hash));
    deis_etcd_then_delete(c.txn, deis_key(key, "index/token/%s/%s", a->user, hash));
    if (api_commit(a, &c)) {
        api_empty(a, 204);
    }
}

void handle_tokens_remove(struct api *a)
{
    struct deis_err err = DEIS_ERR_INIT;
    deis_autojson json_t *hashes = NULL;
    const char *id = api_param(a, "token");
    char prefix[DEIS_KEY_MAX];

    if (store_names(a->ctl, deis_key(prefix, "index/token/%s/", a->user), &hashes, &err) < 0) {
        api_error(a, &err);
        return;
    }
    for (size_t i = 0; strlen(id) == ID_LEN && i < json_array_size(hashes); i++) {
        const char *hash = json_string_value(json_array_get(hashes, i));
        if (strncmp(hash, id, ID_LEN) == 0) {
            revoke_one(a, hash);
            return;
        }
    }
    api_not_found(a);
}
