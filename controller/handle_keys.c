/* SPDX-License-Identifier: MIT */
/* SSH keys: keys/<fingerprint>/<owner>, and by owner in index/key/. */
#include "controller/api.h"
#include "controller/core/sshkey.h"
#include "controller/quota.h"

#include "lib/wire/b64.h"

#include <openssl/evp.h>

/* SHA-256 of a public key's blob in base64url without padding: its name in etcd, and what OpenSSH
 * prints after "SHA256:" but for the alphabet. */
static void fingerprint_key(struct deis_str blob, char out[48])
{
    deis_autobuf struct deis_buf b64 = DEIS_BUF_INIT(64);
    uint8_t digest[32];

    deis_sha256(blob, digest);
    deis_b64_encode(deis_str_n((const char *)digest, sizeof(digest)), &b64);
    size_t i;
    for (i = 0; i < b64.len && b64.data[i] != '='; i++) {
        char c = b64.data[i];
        out[i] = (char)(c == '+' ? '-' : c == '/' ? '_' : c);
    }
    out[i] = '\0';
}

/* The caller's key documents. False: answered. */
static bool own_keys(struct api *a, json_t **ret)
{
    struct deis_err err = DEIS_ERR_INIT;
    char prefix[DEIS_KEY_MAX];
    deis_autojson json_t *prints = NULL;
    deis_autojson json_t *names = json_array();
    json_t *print;
    size_t i;

    int r = store_names(a->ctl, deis_key(prefix, "index/key/%s/", a->user), &prints, &err);
    json_array_foreach(prints, i, print)
    {
        char *name = deis_asprintf("%s/%s", json_string_value(print), a->user);
        json_array_append_new(names, json_string(name));
        free(name);
    }
    if (r == DEIS_OK) {
        r = store_get_named(a->ctl, "/deis/keys/", names, STORE_SMALL_STEP, ret, &err);
    }
    if (r < 0) {
        api_error(a, &err);
    }
    return r == DEIS_OK;
}

void handle_keys_list(struct api *a)
{
    json_t *docs = NULL;

    if (own_keys(a, &docs)) {
        api_page(a, docs);
    }
}

/* The caller's key with the id of the path, a new reference; NULL: answered. */
static json_t *named_key(struct api *a)
{
    deis_autojson json_t *docs = NULL;
    json_t *doc;
    size_t i;

    if (!own_keys(a, &docs)) {
        return NULL;
    }
    json_array_foreach(docs, i, doc)
    {
        const char *id = json_string_value(json_object_get(doc, "id"));
        if (id && strcmp(id, api_param(a, "key")) == 0) {
            return json_incref(doc);
        }
    }
    api_not_found(a);
    return NULL;
}

void handle_keys_get(struct api *a)
{
    json_t *doc = named_key(a);

    if (doc) {
        api_json(a, 200, doc);
    }
}

void handle_keys_remove(struct api *a)
{
    deis_autobuf struct deis_buf blob = DEIS_BUF_INIT(SSHKEY_TEXT_MAX);
    deis_autofree char *plain = NULL;
    deis_autojson json_t *doc = named_key(a);
    change_auto struct change c = { 0 };
    char print[48], key[DEIS_KEY_MAX];

    if (!doc) {
        return;
    }
    if (sshkey_parse(json_string_value(json_object_get(doc, "public")), &blob, &plain, NULL) < 0) {
        api_detail(a, 500, "The stored key is damaged");
        return;
    }
    fingerprint_key(deis_buf_str(&blob), print);
    api_change(a, &c, "key.remove", "user/%s/key/%s", a->user, print);
    deis_etcd_if_exists(c.txn, deis_key(key, "keys/%s/%s", print, a->user));
    deis_etcd_then_delete(c.txn, key);
    deis_etcd_then_delete(c.txn, deis_key(key, "index/key/%s/%s", a->user, print));
    if (api_commit(a, &c)) {
        api_empty(a, 204);
    }
}

static void md5_fingerprint(struct deis_str blob, char out[48])
{
    uint8_t digest[16] = { 0 };
    unsigned len = sizeof(digest);

    EVP_Digest(blob.ptr, blob.len, digest, &len, EVP_md5(), NULL);
    sshkey_format_md5(digest, out);
}

/* Is the same key there already, of this user or with the same text? False: answered. */
static bool key_is_new(struct api *a, const char *prefix, const char *text, bool *ret_first)
{
    struct deis_err err = DEIS_ERR_INIT;
    deis_autojson json_t *same = NULL;
    json_t *doc;
    size_t i;

    if (store_list(a->ctl, prefix, &same, &err) < 0) {
        api_error(a, &err);
        return false;
    }
    *ret_first = json_array_size(same) == 0;
    json_array_foreach(same, i, doc)
    {
        const char *owner = json_string_value(json_object_get(doc, "owner"));
        const char *public = json_string_value(json_object_get(doc, "public"));
        if ((owner && strcmp(owner, a->user) == 0) || (public && strcmp(public, text) == 0)) {
            api_json(a, 400, json_pack("{s:[s]}", "public", "This field must be unique."));
            return false;
        }
    }
    return true;
}

static void key_write(struct api *a, const char *id, const char *text, struct deis_str blob)
{
    change_auto struct change c = { 0 };
    char print[48], md5[48], uuid[37], now[32], prefix[DEIS_KEY_MAX], key[DEIS_KEY_MAX];
    bool first = false;

    fingerprint_key(blob, print);
    md5_fingerprint(blob, md5);
    deis_uuid(uuid);
    store_now(now);
    if (!key_is_new(a, deis_key(prefix, "keys/%s/", print), text, &first) ||
        !quota_has_room(a, QUOTA_KEYS, NULL)) {
        return;
    }
    deis_autojson json_t *doc =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "uuid", uuid, "owner", a->user,
                  "fingerprint", md5, "id", id, "public", text, "created", now, "updated", now);
    api_change(a, &c, "key.add", "user/%s/key/%s", a->user, print);
    deis_key(key, "keys/%s/%s", print, a->user);
    if (first) {
        deis_etcd_if_prefix_empty(c.txn, prefix);
    } else {
        deis_etcd_if_absent(c.txn, key);
    }
    change_put(&c, key, doc);
    change_put_text(&c, deis_key(key, "index/key/%s/%s", a->user, print), "{}");
    deis_etcd_if_exists(c.txn, deis_key(key, "users/%s", a->user));
    quota_guard(a, &c);
    if (api_commit(a, &c)) {
        api_json(a, 201, json_incref(doc));
    }
}

void handle_keys_add(struct api *a)
{
    struct deis_err err = DEIS_ERR_INIT;
    deis_autobuf struct deis_buf blob = DEIS_BUF_INIT(SSHKEY_TEXT_MAX);
    deis_autofree char *plain = NULL;
    struct fields f;

    fields_init(&f, a->body);
    deis_autofree char *id = fields_text(&f, "id", FIELD_REQUIRED, 128);
    deis_autofree char *text = fields_text(&f, "public", FIELD_REQUIRED, SSHKEY_TEXT_MAX);
    if (text && sshkey_parse(text, &blob, &plain, &err) < 0) {
        fields_error(&f, "public", "%s", err.msg);
    }
    if (!id || !text || fields_failed(&f)) {
        api_invalid(a, &f);
    } else {
        key_write(a, id, text, deis_buf_str(&blob));
    }
    fields_clear(&f);
}
