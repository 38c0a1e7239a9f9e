/* SPDX-License-Identifier: MIT */
#include "deisctl/core/routes.h"

#include <stdio.h>

/* Name -> app. */
static json_t *index_apps(const json_t *apps)
{
    json_t *index = json_object();
    const char *name;
    json_t *app;
    size_t i;

    json_array_foreach(apps, i, app)
    {
        if (deis_json_get_str(app, "app", &name, NULL) == 0) {
            json_object_set(index, name, app);
        }
    }
    return index;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char **sorted_keys(json_t *hosts, size_t *ret_count)
{
    size_t n = 0;
    const char **names = deis_realloc_array(NULL, json_object_size(hosts) + 1, sizeof(*names));
    const char *host;
    json_t *value;

    json_object_foreach(hosts, host, value)
    {
        names[n++] = host;
    }
    qsort(names, n, sizeof(*names), by_name);
    *ret_count = n;
    return names;
}

/* An app's part of a route; NULL: the document is not a router's. */
static json_t *one_route(const char *host, const char *name, const json_t *app,
                         struct deis_err *err)
{
    json_t *units;
    uint64_t wanted;

    if (deis_json_get_array(app, "endpoints", &units, err) < 0 ||
        deis_json_get_u64(app, "wanted", &wanted, err) < 0) {
        return NULL;
    }
    return json_pack("{s:s, s:s, s:I, s:O}", "host", host, "app", name, "wanted",
                     (json_int_t)wanted, "units", units);
}

static int add_routes(json_t *out, json_t *hosts, const json_t *apps, const char *only,
                      struct deis_err *err)
{
    size_t count;
    deis_autofree const char **names = sorted_keys(hosts, &count);
    deis_autojson json_t *index = index_apps(apps);

    for (size_t i = 0; i < count; i++) {
        const char *name = json_string_value(json_object_get(hosts, names[i]));
        const json_t *app = name ? json_object_get(index, name) : NULL;
        if (!app) {
            return deis_err_set(err, DEIS_PROTOCOL, "host '%.64s' has no app", names[i]);
        }
        if (only && strcmp(only, names[i]) != 0 && strcmp(only, name) != 0) {
            continue;
        }
        json_t *route = one_route(names[i], name, app, err);
        if (!route) {
            return DEIS_PROTOCOL;
        }
        json_array_append_new(out, route);
    }
    return DEIS_OK;
}

json_t *routes_read(struct deis_str text, const char *only, struct deis_err *err)
{
    deis_autojson json_t *doc = deis_json_parse(text, err);
    deis_autojson json_t *out = json_array();
    json_t *hosts;
    json_t *apps;

    if (!doc || deis_json_get_object(doc, "hosts", &hosts, err) < 0 ||
        deis_json_get_array(doc, "apps", &apps, err) < 0 ||
        add_routes(out, hosts, apps, only, err) < 0) {
        err->code = DEIS_PROTOCOL;
        deis_err_wrap(err, "the answer is not a router's");
        return NULL;
    }
    return DEIS_TAKE(out);
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

static void add_units(struct table *t, const json_t *route)
{
    const json_t *units = json_object_get(route, "units");
    const json_t *unit;
    size_t i;
    char busy[24];

    json_array_foreach(units, i, unit)
    {
        snprintf(busy, sizeof(busy), "%lld",
                 (long long)json_integer_value(json_object_get(unit, "in_flight")));
        table_add(t, (const char *[]){ text_of(route, "host"), text_of(route, "app"),
                                       text_of(unit, "unit"), text_of(unit, "address"),
                                       text_of(unit, "state"), busy });
    }
}

void routes_tabulate(const json_t *routes, struct table *t)
{
    static const char *const titles[] = { "HOST", "APP", "UNIT", "ADDRESS", "STATE", "BUSY" };
    const json_t *route;
    size_t i;

    table_init(t, titles, DEIS_COUNT(titles));
    json_array_foreach(routes, i, route)
    {
        bool wanted = json_integer_value(json_object_get(route, "wanted")) > 0;
        if (json_array_size(json_object_get(route, "units")) > 0) {
            add_units(t, route);
        } else {
            table_add(t,
                      (const char *[]){ text_of(route, "host"), text_of(route, "app"), "-", "-",
                                        wanted ? "none is ready (503)" : "none runs (503)", "-" });
        }
    }
}
