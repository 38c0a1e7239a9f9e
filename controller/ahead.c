/* SPDX-License-Identifier: MIT */
/* What the busiest routes read beside the caller and the app: known before anything was read, so
 * that one question to etcd is enough. */
#include "controller/api.h"
#include "controller/memo.h"
#include "controller/pages.h"

static size_t ask_config(struct api *a, struct deis_etcd_txn *txn)
{
    char uuid[MEMO_TEXT_MAX], key[DEIS_KEY_MAX];

    if (!memo_get(a->ctl->configs, a->app_id, uuid)) {
        return 0;
    }
    deis_etcd_then_get(txn, deis_key(key, "apps/%s/configs/%s", a->app_id, uuid), false);
    return 1;
}

static size_t ask_releases(struct api *a, struct deis_etcd_txn *txn)
{
    char key[DEIS_KEY_MAX];

    if (pages_has(a->ctl->releases, a->app_id)) {
        return 0;
    }
    deis_etcd_then_get(txn, deis_key(key, "apps/%s/releases/", a->app_id), true);
    return 1;
}

/* Does the list of apps that is known still hold? Who asks is a guess: that the caller is an
 * administrator is read only now. */
static size_t ask_names(struct api *a, const char *user, struct deis_etcd_txn *txn)
{
    struct ahead *h = &a->ahead;
    char prefix[DEIS_KEY_MAX];
    size_t count = 0;

    h->all = !namelists_since(a->ctl->namelists, user, h->since);
    if (h->all && !namelists_since(a->ctl->namelists, "", h->since)) {
        return 0;
    }
    for (size_t i = 0; i < NAMELIST_PARTS && h->since[i] > 0; i++, count++) {
        deis_etcd_then_changed(txn, ahead_index(prefix, h->all ? NULL : user, i), h->since[i]);
    }
    return count;
}

const char *ahead_index(char out[DEIS_KEY_MAX], const char *user, size_t part)
{
    static const char *const parts[NAMELIST_PARTS] = { "owner", "shared" };

    return user ? deis_key(out, "index/%s/%s/", parts[part], user) : deis_key(out, "index/app/");
}

size_t ahead_ask(struct api *a, const char *user, struct deis_etcd_txn *txn)
{
    const struct route *route = a->match.route;

    if (route && route->id == ROUTE_apps_list) {
        return ask_names(a, user, txn);
    }
    if (route && a->app_id && route->id == ROUTE_config_get) {
        return ask_config(a, txn);
    }
    if (route && a->app_id && route->id == ROUTE_releases_list) {
        return ask_releases(a, txn);
    }
    return 0;
}
