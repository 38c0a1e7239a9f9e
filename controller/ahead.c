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

static size_t ask_changed(struct deis_etcd_txn *txn)
{
    char key[DEIS_KEY_MAX];

    deis_etcd_then_get(txn, deis_key(key, STORE_CHANGED), false);
    deis_etcd_then_get(txn, deis_key(key, STORE_CHANGED_APPS), false);
    return 2;
}

static struct deis_str value_of(const struct api *a, size_t i)
{
    const struct deis_etcd_range *range = &a->ahead.ranges[i];

    return i < a->ahead.count && range->count == 1 ? range->kvs[0].value : DEIS_STR_NONE;
}

struct deis_str ahead_changed(const struct api *a)
{
    return value_of(a, 0);
}

struct deis_str ahead_changed_apps(const struct api *a)
{
    return value_of(a, 1);
}

size_t ahead_ask(struct api *a, struct deis_etcd_txn *txn)
{
    const struct route *route = a->match.route;

    if (route && route->id == ROUTE_apps_list) {
        return ask_changed(txn);
    }
    if (route && a->app_id && route->id == ROUTE_config_get) {
        return ask_config(a, txn);
    }
    if (route && a->app_id && route->id == ROUTE_releases_list) {
        return ask_releases(a, txn);
    }
    return 0;
}
