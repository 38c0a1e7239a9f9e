/* SPDX-License-Identifier: MIT */
#include "controller/tokens.h"

#include "controller/api.h"

/* Delete the oldest tokens of the user so that `keep` remain. */
static int revoke_beyond(struct ctl *ctl, struct change *c, const char *user, size_t keep,
                         struct deis_err *err)
{
    char prefix[DEIS_KEY_MAX], key[DEIS_KEY_MAX];
    deis_autojson json_t *hashes = NULL;

    deis_key(prefix, "index/token/%s/", user);
    int r = store_names(ctl, prefix, &hashes, err);
    if (r < 0) {
        return r;
    }
    size_t count = json_array_size(hashes);
    for (size_t i = 0; count > keep && i < count - keep; i++) {
        const char *hash = json_string_value(json_array_get(hashes, i));
        deis_etcd_then_delete(c->txn, deis_key(key, "tokens/%s", hash));
        deis_etcd_then_delete(c->txn, deis_key(key, "index/token/%s/%s", user, hash));
    }
    return DEIS_OK;
}

int tokens_revoke(struct ctl *ctl, struct change *c, const char *user, struct deis_err *err)
{
    return revoke_beyond(ctl, c, user, 0, err);
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
    deis_autojson json_t *doc = json_pack("{s:s, s:s}", "user", user, "created", now);
    change_put(c, deis_key(key, "tokens/%s", hash), doc);
    change_put_text(c, deis_key(key, "index/token/%s/%s", user, hash), "{}");
    return DEIS_OK;
}
