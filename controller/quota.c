/* SPDX-License-Identifier: MIT */
#include "controller/quota.h"

#include <stddef.h>

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

static bool is_among(const struct deis_etcd_range *range, const char *prefix, const char *name)
{
    for (size_t i = 0; name && i < range->count; i++) {
        if (strcmp(range->kvs[i].key + strlen(prefix), name) == 0) {
            return true;
        }
    }
    return false;
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
    if (deis_etcd_list_keys(a->ctl->etcd, prefix, &range, &err) < 0) {
        api_error(a, &err);
        return false;
    }
    if (range.count < max || is_among(&range, prefix, name)) {
        return true;
    }
    api_detail(a, 413, "%s %zu %s; that is the limit",
               rows[quota].of_app ? "The app has" : "You have", range.count, rows[quota].what);
    return false;
}
