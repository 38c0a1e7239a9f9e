/* SPDX-License-Identifier: MIT */
#include "router/core/route_docs.h"

#include "lib/model/model.h"
#include "lib/wire/ip.h"

const char *const route_docs_prefixes[ROUTE_DOCS_PREFIXES] = {
    "config/platform/", "config/controller/", "config/router/", "apps/",    "domains/", "units/",
    "states/",          "verdicts/",          "services/",      "routing/",
};

/* The member `name` of a JSON object, copied; NULL with err when it is missing. */
static char *member(struct deis_str text, const char *name, struct deis_err *err)
{
    deis_autojson json_t *doc = deis_json_parse(text, err);
    const char *value;

    if (!doc || deis_json_get_str(doc, name, &value, err) < 0) {
        return NULL;
    }
    return deis_strdup(value);
}

static int apply_domain(struct route_model *m, const char *name, struct deis_str value,
                        struct deis_err *err)
{
    char host[ROUTE_HOST_MAX + 1];

    /* Otherwise two documents would be for one host. */
    if (route_host_normalise(deis_str(name), host) == 0 || strcmp(host, name) != 0) {
        return value.ptr ? deis_err_set(err, DEIS_INVALID, "no name of a host") : 0;
    }
    if (!value.ptr) {
        route_model_set_host(m, name, NULL);
        return 0;
    }
    deis_autofree char *app = member(value, "app", err);
    if (!app) {
        return DEIS_INVALID;
    }
    route_model_set_host(m, name, app);
    return 0;
}

static int apply_unit(struct route_model *m, const char *name, struct deis_str value,
                      struct deis_err *err)
{
    struct deis_unit u;

    if (!value.ptr) {
        route_model_set_unit(m, name, NULL);
        return 0;
    }
    if (deis_unit_parse(value, &u, err) < 0) {
        return DEIS_INVALID;
    }
    enum route_desired desired = ROUTE_STOP;
    switch (u.desired) {
    case DEIS_DESIRED_RUN: desired = ROUTE_RUN; break;
    case DEIS_DESIRED_DRAIN: desired = ROUTE_DRAIN; break;
    case DEIS_DESIRED_STOP: desired = ROUTE_STOP; break;
    }
    route_model_set_unit(m, name, &(struct route_unit){ u.app, u.machine, desired, u.routable });
    deis_unit_clear(&u);
    return 0;
}

static int apply_state(struct route_model *m, struct deis_str rest, struct deis_str value,
                       struct deis_err *err)
{
    struct deis_unit_state s;
    struct deis_str unit = rest;
    struct deis_str part;

    if (!deis_str_split(&unit, '/', &part) || !unit.ptr) {
        return 0;
    }
    deis_autofree char *machine = deis_str_dup(part);
    deis_autofree char *name = deis_str_dup(unit);
    if (!value.ptr) {
        route_model_set_state(m, machine, name, NULL);
        return 0;
    }
    if (deis_unit_state_parse(value, &s, err) < 0) {
        return DEIS_INVALID;
    }
    route_model_set_state(m, machine, name, s.ready ? s.address : NULL);
    deis_unit_state_clear(&s);
    return 0;
}

static int apply_verdict(struct route_model *m, const char *machine, struct deis_str value,
                         struct deis_err *err)
{
    if (!value.ptr) {
        route_model_set_machine_lost(m, machine, false);
        return 0;
    }
    deis_autofree char *state = member(value, "state", err);
    if (!state) {
        return DEIS_INVALID;
    }
    route_model_set_machine_lost(m, machine, strcmp(state, "lost") == 0);
    return 0;
}

/* What the router can't read, it does not go by. Yours, without blanks; or NULL. */
static char *ranges_of(const char *proxy_from)
{
    struct deis_cidrs *list = NULL;
    struct deis_err err;

    if (!proxy_from || deis_cidrs_parse(deis_str(proxy_from), &list, &err) < 0 || !list) {
        return NULL;
    }
    free(list);
    char *text = deis_strdup(proxy_from);
    for (char *p = text; (p = strchr(p, ' '));) {
        *p = ',';
    }
    return text;
}

static int apply_service(struct route_model *m, struct deis_str rest, struct deis_str value,
                         struct deis_err *err)
{
    struct deis_service s;
    struct deis_str instance = rest;
    struct deis_str component;

    if (!deis_str_split(&instance, '/', &component) || !instance.ptr) {
        return 0;
    }
    bool controller = deis_str_eq_cstr(component, "controller");
    if (!controller && !deis_str_eq_cstr(component, "builder")) {
        return 0;
    }
    const char *app = controller ? ROUTE_CONTROLLER : ROUTE_BUILDER;
    deis_autofree char *name = deis_str_dup(instance);
    if (!value.ptr) {
        route_model_set_service(m, app, name, NULL, NULL);
        return 0;
    }
    if (deis_service_parse(value, &s, err) < 0) {
        return DEIS_INVALID;
    }
    const char *address = controller ? s.http : s.ssh;
    if (address) {
        deis_autofree char *proxy_from = ranges_of(s.proxy_from);
        route_model_set_service(m, app, name, address, proxy_from);
    }
    deis_service_clear(&s);
    return 0;
}

static int apply_setting(struct route_model *m, const char *key, struct deis_str value,
                         struct deis_err *err)
{
    deis_autofree char *text = value.ptr ? deis_str_dup(value) : NULL;

    if (strcmp(key, "platform/domain") == 0) {
        route_model_set_domain(m, text ? text : "localhost");
    } else if (strcmp(key, "controller/subdomain") == 0) {
        if (text && !deis_str_is_label(value)) {
            return deis_err_set(err, DEIS_INVALID, "controller/subdomain '%s' is no host label",
                                text);
        }
        route_model_set_subdomain(m, text ? text : "deis");
    }
    return 0;
}

int route_docs_apply(struct route_model *m, const char *key, struct deis_str value,
                     struct deis_err *err)
{
    struct deis_str rest;

    if ((rest = deis_key_below(key, "apps/")).ptr) {
        if (deis_str_find(rest, '/') < 0 && rest.len > 0) {
            route_model_set_app(m, rest.ptr, value.ptr != NULL);
        }
        return 0;
    }
    if ((rest = deis_key_below(key, "routing/")).ptr) {
        return route_model_set_routing(m, rest.ptr, value, err);
    }
    if ((rest = deis_key_below(key, "domains/")).ptr) {
        return apply_domain(m, rest.ptr, value, err);
    }
    if ((rest = deis_key_below(key, "units/")).ptr) {
        return apply_unit(m, rest.ptr, value, err);
    }
    if ((rest = deis_key_below(key, "states/")).ptr) {
        return apply_state(m, rest, value, err);
    }
    if ((rest = deis_key_below(key, "verdicts/")).ptr) {
        return apply_verdict(m, rest.ptr, value, err);
    }
    if ((rest = deis_key_below(key, "services/")).ptr) {
        return apply_service(m, rest, value, err);
    }
    if ((rest = deis_key_below(key, "config/")).ptr) {
        return apply_setting(m, rest.ptr, value, err);
    }
    return 0;
}
