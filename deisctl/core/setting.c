/* SPDX-License-Identifier: MIT */
#include "deisctl/core/setting.h"

#include "lib/model/gzip.h"
#include "lib/model/routing.h"

enum kind {
    TRUTH,
    NETWORKS,
    TIME,
    APP,   /* as the setting of apps of the same name */
    LIMIT, /* the same, or 0 */
};

#define DAY_MS UINT64_C(86400000)

static const struct {
    const char *component;
    const char *name;
    enum kind kind;
} settings[] = {
    { "router", "enforceWhitelist", TRUTH },
    { "router", "controller/whitelist", NETWORKS },
    { "router", "controller/timeout/connect", TIME },
    { "router", "controller/timeout/read", TIME },
    { "router", "affinityArg", APP },
    { "router", "maxRequests", LIMIT },
    { "router", "maxConnections", LIMIT },
    { "router", "rateLimit", LIMIT },
    { "router", "rateBurst", LIMIT },
    { "controller", "wildcardDomains", TRUTH },
};

static int check(enum kind kind, const char *name, struct deis_str value, struct deis_err *err)
{
    deis_autojson json_t *text = json_stringn(value.ptr, value.len);
    deis_autojson json_t *good = NULL;
    uint64_t ms;

    if (!text) {
        return deis_err_set(err, DEIS_INVALID, "is no UTF-8");
    }
    switch (kind) {
    case TRUTH: good = deis_routing_value("maintenance", text, err); break;
    case LIMIT:
        if (deis_str_eq_cstr(value, "0")) {
            return DEIS_OK;
        }
        good = deis_routing_value(name, text, err);
        break;
    case APP: good = deis_routing_value(name, text, err); break;
    case NETWORKS: good = deis_routing_value("whitelist", text, err); break;
    case TIME: return deis_str_to_ms(value, DAY_MS, &ms, err);
    }
    return good ? DEIS_OK : DEIS_INVALID;
}

static int check_gzip(struct deis_str name, struct deis_str value, struct deis_err *err)
{
    deis_autofree char *text = deis_str_dup(value);
    struct deis_gzip any;
    int code = deis_gzip_set(&any, name, text, err);
    return code == DEIS_INVALID ? deis_err_wrap(err, "router/%.*s", DEIS_STR_ARG(name)) : DEIS_OK;
}

int setting_check(const char *component, struct deis_str name, struct deis_str value,
                  struct deis_err *err)
{
    for (size_t i = 0; i < DEIS_COUNT(settings); i++) {
        if (strcmp(component, settings[i].component) == 0 &&
            deis_str_eq_cstr(name, settings[i].name)) {
            int r = check(settings[i].kind, settings[i].name, value, err);
            return r < 0 ? deis_err_wrap(err, "%s/%s", component, settings[i].name) : r;
        }
    }
    return strcmp(component, "router") == 0 ? check_gzip(name, value, err) : DEIS_OK;
}
