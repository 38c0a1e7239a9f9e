/* SPDX-License-Identifier: MIT */
/* What the busiest routes read beside the caller and the app: known before anything was read, so
 * that one question to etcd is enough. */
#include "controller/api.h"
#include "controller/memo.h"
#include "controller/pages.h"

static bool config_key(struct api *a, char out[DEIS_KEY_MAX])
{
    char uuid[MEMO_TEXT_MAX];

    if (!memo_get(a->ctl->configs, a->app_id, uuid)) {
        return false;
    }
    deis_key(out, "apps/%s/configs/%s", a->app_id, uuid);
    return true;
}

bool ahead_key(struct api *a, char out[DEIS_KEY_MAX], bool *ret_prefix)
{
    const struct route *route = a->match.route;

    *ret_prefix = false;
    if (!route || !a->app_id) {
        return false;
    }
    if (route->id == ROUTE_config_get) {
        return config_key(a, out);
    }
    if (route->id == ROUTE_releases_list && !pages_has(a->ctl->releases, a->app_id)) {
        deis_key(out, "apps/%s/releases/", a->app_id);
        *ret_prefix = true;
        return true;
    }
    return false;
}
