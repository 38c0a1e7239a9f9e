/* SPDX-License-Identifier: MIT */
#include "controller/routings.h"

#include "controller/apps.h"
#include "controller/core/appconfig.h"
#include "controller/core/routing.h"

#include "lib/net/log.h"

int routings_get(struct ctl *ctl, const char *app, json_t **ret, int64_t *ret_revision,
                 struct deis_err *err)
{
    char key[DEIS_KEY_MAX];
    int r = store_get(ctl, deis_key(key, "routing/%s", app), ret, ret_revision, err);

    if (r == DEIS_NOT_FOUND) {
        *ret = routing_empty();
        *ret_revision = 0;
        r = DEIS_OK;
    }
    return r;
}

void routings_put(struct change *c, const char *app, const json_t *doc, int64_t revision)
{
    char key[DEIS_KEY_MAX], now[32];

    deis_etcd_if_mod(c->txn, deis_key(key, "routing/%s", app), revision);
    if (routing_is_empty(doc)) {
        deis_etcd_then_delete(c->txn, key);
        return;
    }
    deis_autojson json_t *stamped = json_deep_copy(doc);
    store_now(now);
    json_object_set_new(stamped, "updated", json_string(now));
    change_put(c, key, stamped);
}

/* The config of a release, opened. */
static int release_config(struct ctl *ctl, const char *app, const char *uuid, json_t *config,
                          json_t **ret, struct deis_err *err)
{
    char key[DEIS_KEY_MAX];
    deis_autojson json_t *kept = NULL;

    if (config) {
        return config_open(ctl, config, ret, err);
    }
    int r = store_get(ctl, deis_key(key, "apps/%s/configs/%s", app, uuid), &kept, NULL, err);
    return r < 0 ? r : config_open(ctl, kept, ret, err);
}

int routings_follow_release(struct ctl *ctl, struct change *c, const json_t *app_doc,
                            const struct routing_kept *kept, const json_t *release, json_t *config,
                            struct deis_err *err)
{
    const char *app = json_string_value(json_object_get(app_doc, "id"));
    const char *before = json_string_value(json_object_get(app_doc, "config"));
    const char *uuid = json_string_value(json_object_get(release, "config"));
    deis_autojson json_t *opened = NULL;
    deis_autojson json_t *doc = kept->doc ? json_incref(kept->doc) : routing_empty();

    if (!app || !uuid || (before && strcmp(before, uuid) == 0)) {
        return DEIS_OK;
    }
    int r = release_config(ctl, app, uuid, config, &opened, err);
    if (r < 0) {
        return r;
    }
    deis_autojson json_t *now =
        routing_with_config(doc, appconfig_value(opened, "DEIS_WHITELIST", NULL), err);
    if (!now) {
        /* Of an old release, from before such values were refused: the list in effect stays. */
        deis_warn("whitelist of a config not used", KV_S("app", app), KV_ERR(err));
    } else if (!json_equal(now, doc)) {
        routings_put(c, app, now, kept->revision);
    }
    return DEIS_OK;
}
