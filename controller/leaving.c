/* SPDX-License-Identifier: MIT */
#include "controller/leaving.h"

#include "lib/net/log.h"

#define STEP_MAX  50  /* things in one transaction: one guard and two deletions each */
#define RACES_MAX 100 /* steps that meet another writer */

/* What hangs on a user, each kind by an index. */
static const char *const kinds[] = { "shared", "key", "cert", "autocert", "token" };

/* The key of what an index entry of a user names. */
static void owned_key(char out[DEIS_KEY_MAX], const char *kind, const char *thing, const char *user)
{
    if (strcmp(kind, "shared") == 0) {
        deis_key(out, "apps/%s/perms/%s", thing, user);
    } else if (strcmp(kind, "key") == 0) {
        deis_key(out, "keys/%s/%s", thing, user);
    } else {
        deis_key(out, "%ss/%s", kind, thing);
    }
}

int leaving_begin(struct api *a, const char *user, struct deis_err *err)
{
    change_auto struct change c = { 0 };
    char key[DEIS_KEY_MAX], now[32];

    store_now(now);
    deis_autojson json_t *doc = json_pack("{s:s, s:s}", "since", now, "request", a->id);
    api_change(a, &c, "user.cancel", "user/%s", user);
    change_of_apps(&c);
    deis_etcd_if_prefix_empty(c.txn, deis_key(key, "index/owner/%s/", user));
    deis_etcd_if_exists(c.txn, deis_key(key, "users/%s", user));
    deis_etcd_then_delete(c.txn, key);
    deis_etcd_then_delete(c.txn, deis_key(key, "index/admin/%s", user));
    change_put(&c, deis_key(key, "leaving/%s", user), doc);
    return change_commit(a->ctl, &c, err);
}

/* The index entries of a kind, as many as there is room for: they go, and what they name. One that
 * went meanwhile may have been given to somebody else. */
static size_t take_away(struct deis_etcd_txn *txn, const char *user, const char *kind,
                        const char *prefix, const struct deis_etcd_range *index, size_t room)
{
    size_t count = index->count < room ? index->count : room;
    char key[DEIS_KEY_MAX];

    for (size_t i = 0; i < count; i++) {
        const char *entry = index->kvs[i].key;
        owned_key(key, kind, entry + strlen(prefix), user);
        deis_etcd_if_exists(txn, entry);
        deis_etcd_then_delete(txn, entry);
        deis_etcd_then_delete(txn, key);
    }
    return count;
}

/* *ret_more: something may be left. DEIS_CONFLICT: somebody else wrote at the same moment. */
static int step(struct ctl *ctl, const char *user, bool *ret_more, struct deis_err *err)
{
    deis_autotxn struct deis_etcd_txn *ask = deis_etcd_txn_new();
    deis_autotxn struct deis_etcd_txn *txn = deis_etcd_txn_new();
    struct deis_etcd_range ranges[DEIS_COUNT(kinds)] = { 0 };
    char prefixes[DEIS_COUNT(kinds)][DEIS_KEY_MAX], key[DEIS_KEY_MAX];
    size_t taken = 0;

    for (size_t k = 0; k < DEIS_COUNT(kinds); k++) {
        deis_key(prefixes[k], "index/%s/%s/", kinds[k], user);
        deis_etcd_then_get(ask, prefixes[k], true);
    }
    int r = deis_etcd_commit(ctl->etcd, ask, ranges, NULL, err);
    for (size_t k = 0; k < DEIS_COUNT(kinds); k++) {
        taken += take_away(txn, user, kinds[k], prefixes[k], &ranges[k], STEP_MAX - taken);
        deis_etcd_range_clear(&ranges[k]);
    }
    if (r < 0) {
        return r;
    }
    *ret_more = taken > 0;
    if (taken == 0) {
        for (size_t k = 0; k < DEIS_COUNT(kinds); k++) {
            deis_etcd_if_prefix_empty(txn, prefixes[k]);
        }
        deis_etcd_then_delete(txn, deis_key(key, "leaving/%s", user));
    }
    return deis_etcd_commit(ctl->etcd, txn, NULL, NULL, err);
}

int leaving_finish(struct ctl *ctl, const char *user, struct deis_err *err)
{
    bool more = true;
    unsigned races = 0;
    int r = DEIS_OK;

    while (more && (r == DEIS_OK || (r == DEIS_CONFLICT && races++ < RACES_MAX))) {
        r = step(ctl, user, &more, err);
        more = more || r < 0;
    }
    return r;
}

int leaving_check(struct ctl *ctl, const char *user, struct deis_err *err)
{
    deis_autorange struct deis_etcd_range range = { 0 };
    char key[DEIS_KEY_MAX];
    int r = deis_etcd_get(ctl->etcd, deis_key(key, "leaving/%s", user), &range, err);

    if (r == DEIS_OK) {
        return deis_err_set(err, DEIS_CONFLICT, "The account %s is just being removed, try again",
                            user);
    }
    return r == DEIS_NOT_FOUND ? DEIS_OK : r;
}

void leaving_look_after(struct ctl *ctl)
{
    deis_autorange struct deis_etcd_range range = { 0 };
    struct deis_err err = DEIS_ERR_INIT;

    if (deis_etcd_list_keys(ctl->etcd, "/deis/leaving/", &range, &err) < 0) {
        deis_debug("departures not listed", KV_ERR(&err));
        return;
    }
    for (size_t i = 0; i < range.count; i++) {
        struct deis_str user = deis_key_below(range.kvs[i].key, "leaving/");
        if (leaving_finish(ctl, user.ptr, &err) < 0) {
            deis_warn("departure not finished yet", KV_S("user", user.ptr), KV_ERR(&err));
        }
    }
}
