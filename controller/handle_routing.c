/* SPDX-License-Identifier: MIT */
/* How routers treat an app: routing/<app>. */
#include "controller/api.h"
#include "controller/applog.h"
#include "controller/core/routing.h"
#include "controller/routings.h"

enum { TRIES = 8 };

void handle_routing_get(struct api *a)
{
    struct deis_err err = DEIS_ERR_INIT;
    deis_autojson json_t *doc = NULL;
    int64_t revision;

    if (routings_get(a->ctl, a->app_id, &doc, &revision, &err) < 0) {
        api_error(a, &err);
    } else {
        api_json(a, 200, routing_show(a->app_id, doc));
    }
}

/* One try. DEIS_CONFLICT: others changed it at the same moment. *ret_doc: as it is now. */
static int set_once(struct api *a, json_t *change, struct fields *f, json_t **ret_doc,
                    struct deis_err *err)
{
    change_auto struct change c = { 0 };
    deis_autojson json_t *doc = NULL;
    char key[DEIS_KEY_MAX];
    int64_t revision;
    int r = routings_get(a->ctl, a->app_id, &doc, &revision, err);

    if (r < 0) {
        return r;
    }
    deis_autojson json_t *now = routing_merge(doc, change, f);
    if (!now) {
        return deis_err_set(err, DEIS_INVALID, "settings refused");
    }
    if (!json_equal(now, doc)) {
        deis_autofree char *names = routing_names(change);
        api_change(a, &c, "routing.set", "app/%s/routing (%s)", a->app_id, names);
        deis_etcd_if_exists(c.txn, deis_key(key, "apps/%s", a->app_id));
        routings_put(&c, a->app_id, now, revision);
        r = change_commit(a->ctl, &c, err);
        if (r == DEIS_OK) {
            applog_write(a->ctl, a->app_id, "%s changed the routing: %s", a->user, names);
            json_decref(DEIS_TAKE(now));
            r = routings_get(a->ctl, a->app_id, &now, &revision, err);
        }
    }
    if (r == DEIS_OK) {
        *ret_doc = DEIS_TAKE(now);
    }
    return r;
}

static void routing_set(struct api *a, struct fields *f)
{
    struct deis_err err = DEIS_ERR_INIT;
    deis_autojson json_t *change = fields_map(f, "settings");
    deis_autojson json_t *doc = NULL;
    int r = DEIS_CONFLICT;

    if (!change && !fields_failed(f)) {
        fields_error(f, "settings", "This field is required.");
    }
    if (fields_failed(f)) {
        api_invalid(a, f);
        return;
    }
    for (unsigned i = 0; i < TRIES && r == DEIS_CONFLICT; i++) {
        r = set_once(a, change, f, &doc, &err);
    }
    if (r == DEIS_OK) {
        api_json(a, 200, routing_show(a->app_id, doc));
    } else if (r == DEIS_INVALID && fields_failed(f)) {
        api_invalid(a, f);
    } else {
        api_error(a, &err);
    }
}

void handle_routing_set(struct api *a)
{
    struct fields f;

    fields_init(&f, a->body);
    routing_set(a, &f);
    fields_clear(&f);
}
