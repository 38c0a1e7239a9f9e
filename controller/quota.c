/* SPDX-License-Identifier: MIT */
#include "controller/quota.h"

#include "controller/gate.h"

#include <stddef.h>

#define TURN_MAX_MS 10000
#define RETRY_S     2

static const struct {
    const char *index; /* its keys are counted */
    bool of_app;
    size_t max; /* offset in the settings */
    const char *what;
} rows[] = {
    [QUOTA_APPS] = { "index/owner", false, offsetof(struct settings, apps_per_user), "apps" },
    [QUOTA_CERTS] = { "index/cert", false, offsetof(struct settings, certs_per_user),
                      "certificates" },
    [QUOTA_AUTOCERTS] = { "index/autocert", false, offsetof(struct settings, certs_per_user),
                          "certificates that come by themselves" },
    [QUOTA_KEYS] = { "index/key", false, offsetof(struct settings, keys_per_user), "keys" },
    [QUOTA_DOMAINS] = { "index/domain", true, offsetof(struct settings, domains_per_app),
                        "domains" },
    [QUOTA_USERS] = { "", true, offsetof(struct settings, users_per_app), "collaborators" },
};

static void prefix_of(struct api *a, enum quota quota, char out[DEIS_KEY_MAX])
{
    if (quota == QUOTA_USERS) {
        deis_key(out, "apps/%s/perms/", a->app_id);
    } else {
        deis_key(out, "%s/%s/", rows[quota].index, rows[quota].of_app ? a->app_id : a->user);
    }
}

/* Those who count and write take turns. False: answered. */
static bool take_turn(struct api *a, const char *prefix)
{
    if (!gate_enter(a->ctl->quotas, prefix, TURN_MAX_MS)) {
        a->retry_after_s = RETRY_S;
        api_detail(a, 503, "Too many requests of the same kind at once, try again");
        return false;
    }
    a->quota_turn = deis_strdup(prefix);
    return true;
}

void quota_end(struct api *a)
{
    if (a->quota_turn) {
        gate_leave(a->ctl->quotas, a->quota_turn);
        free(DEIS_TAKE(a->quota_turn));
    }
}

static bool is_among(const struct deis_etcd_range *range, const char *prefix, const char *name)
{
    for (size_t i = 0; name && i < range->count; i++) {
        if (strcmp(range->kvs[i].key + strlen(prefix), name) == 0) {
            return true;
        }
    }
    return false;
}

void quota_guard(const struct api *a, struct change *c)
{
    if (a->quota_turn) {
        deis_etcd_if_prefix_unchanged(c->txn, a->quota_turn, a->quota_revision);
    }
}

bool quota_overtaken(const struct api *a)
{
    deis_autorange struct deis_etcd_range range = { 0 };
    struct deis_err err = DEIS_ERR_INIT;
    bool refused = a->status == 400 || a->status == 409;
    bool put = false;

    if (!a->quota_turn || !refused ||
        deis_etcd_list_keys(a->ctl->etcd, a->quota_turn, &range, &err) < 0) {
        return false;
    }
    for (size_t i = 0; i < range.count && !put; i++) {
        put = range.kvs[i].mod_revision > a->quota_revision;
    }
    return put;
}

bool quota_has_room(struct api *a, enum quota quota, const char *name)
{
    settings_auto struct settings s = { 0 };
    deis_autorange struct deis_etcd_range range = { 0 };
    struct deis_err err = DEIS_ERR_INIT;
    char prefix[DEIS_KEY_MAX];
    uint32_t max;

    if (a->caller.admin) {
        return true;
    }
    settings_get(a->ctl->settings, &s);
    memcpy(&max, (const char *)&s + rows[quota].max, sizeof(max));
    prefix_of(a, quota, prefix);
    if (!take_turn(a, prefix)) {
        return false;
    }
    if (deis_etcd_list_keys(a->ctl->etcd, prefix, &range, &err) < 0) {
        api_error(a, &err);
        return false;
    }
    a->quota_revision = range.revision;
    if (range.count < max || is_among(&range, prefix, name)) {
        return true;
    }
    api_detail(a, 413, "%s %zu %s; that is the limit",
               rows[quota].of_app ? "The app has" : "You have", range.count, rows[quota].what);
    return false;
}
