/* SPDX-License-Identifier: MIT */
#include "deisctl/core/setting.h"

#include "deisctl/core/setting_table.h"

#include "lib/model/firewall.h"
#include "lib/model/gzip.h"
#include "lib/model/routing.h"
#include "lib/model/tls_versions.h"
#include "lib/wire/ip.h"

#define DAY_MS    UINT64_C(86400000)
#define MS_MAX    (3650 * DAY_MS)
#define BYTES_MAX (UINT64_C(1) << 60)

/* As the setting of apps of this name. */
static int check_as_routing(const char *name, struct deis_str value, struct deis_err *err)
{
    deis_autojson json_t *text = json_stringn(value.ptr, value.len);
    deis_autojson json_t *good = text ? deis_routing_value(name, text, err) : NULL;

    if (!text) {
        return deis_err_set(err, DEIS_INVALID, "is no UTF-8");
    }
    return good ? DEIS_OK : DEIS_INVALID;
}

static int check_text(struct deis_str value, struct deis_err *err)
{
    return deis_str_is_utf8(value) ? DEIS_OK : deis_err_set(err, DEIS_INVALID, "is no UTF-8");
}

static int check_gzip(const char *name, struct deis_str value, struct deis_err *err)
{
    deis_autofree char *text = deis_str_dup(value);
    struct deis_gzip any;

    return deis_gzip_set(&any, deis_str(name), text, err);
}

static int check_choice(const char *choices, struct deis_str value, struct deis_err *err)
{
    struct deis_str rest = deis_str(choices);
    struct deis_str choice;

    while (deis_str_split(&rest, '|', &choice)) {
        if (deis_str_eq(choice, value)) {
            return DEIS_OK;
        }
    }
    return deis_err_set(err, DEIS_INVALID, "must be one of %s", choices);
}

static int check_ranges(struct deis_str value, struct deis_err *err)
{
    struct deis_cidrs *list = NULL;
    int r = deis_cidrs_parse(value, &list, err);

    free(list);
    return r;
}

static int check_some_time(struct deis_str value, struct deis_err *err)
{
    uint64_t ms;
    int r = deis_str_to_ms(value, MS_MAX, &ms, err);

    return r == DEIS_OK && ms == 0 ? deis_err_set(err, DEIS_INVALID, "must be more than 0") : r;
}

static int check_value(const struct setting *s, struct deis_str value, struct deis_err *err)
{
    struct deis_tls_versions versions;
    uint64_t number;

    switch (s->kind) {
    case SETTING_TEXT: return check_text(value, err);
    case SETTING_TRUTH: return check_as_routing("maintenance", value, err);
    case SETTING_NUMBER: return deis_str_to_u64(value, 0, UINT32_MAX, &number, err);
    case SETTING_PORT: return deis_str_to_u64(value, 1, UINT16_MAX, &number, err);
    case SETTING_CHOICE: return check_choice(s->more, value, err);
    case SETTING_SIZE: return deis_str_to_bytes(value, BYTES_MAX, &number, err);
    case SETTING_TIME: return deis_str_to_ms(value, MS_MAX, &number, err);
    case SETTING_TIME_OF_DAY: return deis_str_to_ms(value, DAY_MS, &number, err);
    case SETTING_TIME_SOME: return check_some_time(value, err);
    case SETTING_NETWORKS: return check_as_routing("whitelist", value, err);
    case SETTING_RANGES: return check_ranges(value, err);
    case SETTING_LIMIT:
        return deis_str_eq_cstr(value, "0") ? DEIS_OK : check_as_routing(s->name, value, err);
    case SETTING_OF_APPS: return check_as_routing(s->name, value, err);
    case SETTING_GZIP: return check_gzip(s->name, value, err);
    case SETTING_VERSIONS: return deis_tls_versions_parse(value, &versions, err);
    case SETTING_FIREWALL: return deis_firewall_check(deis_str(s->name), value, err);
    case SETTING_WORKERS:
        return deis_str_eq_cstr(value, "auto") ? DEIS_OK
                                               : deis_str_to_u64(value, 0, 256, &number, err);
    case SETTING_ABSENT: return deis_err_set(err, DEIS_INVALID, "there is none here: %s", s->more);
    }
    return DEIS_OK;
}

static int complain_of_component(const char *component, struct deis_err *err)
{
    return deis_err_set(
        err, DEIS_INVALID,
        "'%.64s' has no settings; there are some of controller, builder, router and platform",
        component);
}

static int complain_of_name(const char *component, struct deis_str name, struct deis_err *err)
{
    const struct setting *s = setting_like(component, name);
    int shown = (int)(name.len < 64 ? name.len : 64);

    return s ? deis_err_set(err, DEIS_INVALID, "%s/%.*s: there is no such setting, but '%s'",
                            component, shown, name.ptr, s->name)
             : deis_err_set(err, DEIS_INVALID,
                            "%s/%.*s: there is no such setting (docs/OPERATIONS.md has them all)",
                            component, shown, name.ptr);
}

int setting_check(const char *component, struct deis_str name, struct deis_str value,
                  struct deis_err *err)
{
    const struct setting *s = setting_find(component, name);

    if (s) {
        int r = check_value(s, value, err);
        return r < 0 ? deis_err_wrap(err, "%s/%s", component, s->name) : r;
    }
    return setting_has_component(component) ? complain_of_name(component, name, err)
                                            : complain_of_component(component, err);
}
