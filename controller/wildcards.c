/* SPDX-License-Identifier: MIT */
#include "controller/wildcards.h"

#include "controller/api.h"

#define IN_USE "The domain %s is already in use by another app"

/* Does the app of this domain's document belong to owner? An app that is gone belongs to nobody. */
static int belongs(struct ctl *ctl, const char *owner, const json_t *domain, bool *ret,
                   struct deis_err *err)
{
    const char *app = json_string_value(json_object_get(domain, "app"));
    deis_autojson json_t *doc = NULL;
    char key[DEIS_KEY_MAX];
    int r = store_get(ctl, deis_key(key, "apps/%s", app ? app : ""), &doc, NULL, err);
    const char *other = json_string_value(json_object_get(doc, "owner"));

    *ret = r == DEIS_NOT_FOUND || (other && strcmp(other, owner) == 0);
    return r == DEIS_NOT_FOUND ? DEIS_OK : r;
}

int wildcards_above(struct ctl *ctl, const char *owner, const char *wildcard, int64_t *ret_revision,
                    struct deis_err *err)
{
    deis_autojson json_t *doc = NULL;
    char key[DEIS_KEY_MAX];
    bool same;
    int r = store_get(ctl, deis_key(key, "domains/%s", wildcard), &doc, ret_revision, err);

    if (r == DEIS_NOT_FOUND) {
        *ret_revision = 0;
        return DEIS_OK;
    }
    if (r == DEIS_OK) {
        r = belongs(ctl, owner, doc, &same, err);
    }
    if (r == DEIS_OK && !same) {
        r = deis_err_set(err, DEIS_DENIED, IN_USE, wildcard);
    }
    return r;
}

/* user: NULL, or who may use the app. */
static int judge(struct ctl *ctl, const char *owner, const char *user, const char *name,
                 struct deis_err *err)
{
    deis_autojson json_t *doc = NULL;
    char key[DEIS_KEY_MAX];
    bool same = true;
    int r = store_get(ctl, deis_key(key, "domains/%s", name), &doc, NULL, err);

    if (r == DEIS_OK) {
        r = belongs(ctl, owner, doc, &same, err);
    }
    const char *app = json_string_value(json_object_get(doc, "app"));
    if (r == DEIS_OK && !same && user && app) {
        r = auth_app_user(ctl, user, app, ACCESS_APP_USE, NULL, err);
        same = r == DEIS_OK;
    }
    if (r == DEIS_OK && !same) {
        r = deis_err_set(err, DEIS_DENIED, IN_USE, name);
    }
    return r == DEIS_NOT_FOUND ? DEIS_OK : r;
}

int wildcards_below(struct ctl *ctl, const char *owner, const char *user, const char *wildcard,
                    struct deis_err *err)
{
    deis_autorange struct deis_etcd_range range = { 0 };
    int r = deis_etcd_list_keys(ctl->etcd, "/deis/domains/", &range, err);

    for (size_t i = 0; r == DEIS_OK && i < range.count; i++) {
        struct deis_str name = deis_key_below(range.kvs[i].key, "domains/");
        ptrdiff_t dot = deis_str_find(name, '.');
        if (dot > 0 && name.ptr[0] != '*' &&
            deis_str_eq_cstr(deis_str_skip(name, (size_t)dot), wildcard + 1)) {
            r = judge(ctl, owner, user, name.ptr, err);
        }
    }
    return r;
}
