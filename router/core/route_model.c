/* SPDX-License-Identifier: MIT */
/* The model takes up what is fed to it, and marks what of the table is to be made anew. */
#include "router/core/route_model.h"

#include "router/core/route_model_priv.h"

void route_model_forget_changed(struct route_model *m)
{
    while (m->changed_count > 0) {
        free(m->changed[--m->changed_count]);
    }
}

static bool is_leaving(const struct m_unit *u)
{
    return u->routable && u->desired != ROUTE_RUN;
}

static void fixed_clear(struct m_app *a)
{
    for (size_t i = 0; i < a->fixed_count; i++) {
        free(a->fixed[i].unit);
        free(a->fixed[i].address);
        free(a->fixed[i].proxy_from);
    }
    free(a->fixed);
    a->fixed = NULL;
    a->fixed_count = 0;
}

static void on_free_app(void *value)
{
    struct m_app *a = value;

    route_model_release_app(a->built);
    fixed_clear(a);
    free(a->name);
    free(a);
}

static void on_free_unit(void *value)
{
    struct m_unit *u = value;

    free(u->name);
    free(u->machine);
    free(u);
}

struct route_model *route_model_new(struct route_registry *registry)
{
    struct route_model *m = deis_alloc(sizeof(*m));

    m->registry = registry;
    m->apps = deis_map_new(on_free_app);
    m->units = deis_map_new(on_free_unit);
    m->states = deis_map_new(free);
    m->lost = deis_map_new(NULL);
    m->hosts = deis_map_new(free);
    m->policy = route_policy_new();
    m->domain = deis_strdup("localhost");
    m->subdomain = deis_strdup("deis");
    m->limits = (struct route_limits){ UINT64_C(100) << 20, 1300000 };
    deis_gzip_default(&m->gzip);
    m->firewall = (struct route_firewall){ false, 400, 128 * 1024 };
    m->hosts_dirty = true;
    return m;
}

void route_model_free(struct route_model *m)
{
    if (!m) {
        return;
    }
    route_table_unref(m->last);
    route_https_unref(m->https);
    route_registry_mark(m->registry);
    deis_map_free(m->apps);
    deis_map_free(m->units);
    deis_map_free(m->states);
    deis_map_free(m->lost);
    deis_map_free(m->hosts);
    route_model_forget_changed(m);
    route_policy_free(m->policy);
    free(m->domain);
    free(m->subdomain);
    free(m);
}

static void set_text(struct route_model *m, char **field, const char *value)
{
    if (strcmp(*field, value) != 0) {
        free(*field);
        *field = deis_strdup(value);
        m->hosts_dirty = true;
    }
}

void route_model_set_domain(struct route_model *m, const char *domain)
{
    set_text(m, &m->domain, domain);
}

void route_model_set_subdomain(struct route_model *m, const char *subdomain)
{
    set_text(m, &m->subdomain, subdomain);
}

void route_model_set_limits(struct route_model *m, const struct route_limits *limits)
{
    if (limits->body_max != m->limits.body_max ||
        limits->answer_timeout_ms != m->limits.answer_timeout_ms) {
        m->limits = *limits;
        m->limits_dirty = true;
    }
}

void route_model_set_gzip(struct route_model *m, const struct deis_gzip *gzip)
{
    if (!deis_gzip_equal(gzip, &m->gzip)) {
        m->gzip = *gzip;
        m->limits_dirty = true;
    }
}

void route_model_set_firewall(struct route_model *m, const struct route_firewall *firewall)
{
    const struct route_firewall *old = &m->firewall;

    if (firewall->on != old->on || firewall->status != old->status ||
        firewall->body_max != old->body_max) {
        m->firewall = *firewall;
        m->limits_dirty = true;
    }
}

void route_model_set_https(struct route_model *m, struct route_https *https)
{
    if (https != m->https) {
        atomic_fetch_add(&https->refs, 1);
        route_https_unref(m->https);
        m->https = https;
        m->limits_dirty = true;
    }
}

static void app_touch(struct route_model *m, struct m_app *a)
{
    if (!a->dirty) {
        a->dirty = true;
        a->dirty_next = m->dirty;
        m->dirty = a;
    }
}

static struct m_app *app_get(struct route_model *m, const char *name)
{
    struct m_app *a = deis_map_get(m->apps, deis_str(name));

    if (!a) {
        a = deis_alloc(sizeof(*a));
        a->name = deis_strdup(name);
        deis_map_set(m->apps, deis_str(name), a);
    }
    return a;
}

static void dirty_unlink(struct route_model *m, const struct m_app *a)
{
    for (struct m_app **p = &m->dirty; *p; p = &(*p)->dirty_next) {
        if (*p == a) {
            *p = a->dirty_next;
            return;
        }
    }
}

static void app_forget_if_empty(struct route_model *m, struct m_app *a)
{
    if (!a->known && !a->units) {
        deis_autofree char *name = deis_strdup(a->name);
        dirty_unlink(m, a);
        route_registry_mark(m->registry);
        deis_map_remove(m->apps, deis_str(name));
    }
}

void route_model_set_app(struct route_model *m, const char *app, bool known)
{
    if (!known && !deis_map_get(m->apps, deis_str(app))) {
        return;
    }
    struct m_app *a = app_get(m, app);
    if (a->known != known) {
        a->known = known;
        m->hosts_dirty = true;
        app_touch(m, a);
        app_forget_if_empty(m, a);
    }
}

int route_model_set_routing(struct route_model *m, const char *app, struct deis_str text,
                            struct deis_err *err)
{
    int code = route_policy_set(m->policy, app, text, err);
    struct m_app *a = deis_map_get(m->apps, deis_str(app));

    if (a) {
        app_touch(m, a);
    }
    return code;
}

void route_model_set_defaults(struct route_model *m, const struct route_defaults *d,
                              struct deis_err *err)
{
    size_t cursor = 0;
    struct deis_str key;
    void *value;

    if (!route_policy_set_defaults(m->policy, d, err)) {
        return;
    }
    while (deis_map_next(m->apps, &cursor, &key, &value)) {
        app_touch(m, value);
    }
}

static void host_touch(struct route_model *m, struct deis_str host)
{
    m->hosts_dirty = m->hosts_dirty || m->changed_count == MODEL_CHANGED_MAX;
    if (!m->hosts_dirty) {
        m->changed[m->changed_count++] = deis_str_dup(host);
    }
}

void route_model_set_host(struct route_model *m, const char *host, const char *app)
{
    char name[ROUTE_HOST_MAX + 1];
    size_t len = route_host_normalise(deis_str(host), name);
    struct deis_str key = { name, len };
    const char *old = len > 0 ? deis_map_get(m->hosts, key) : NULL;

    if (len == 0 || (app && old ? strcmp(old, app) == 0 : app == old)) {
        return;
    }
    if (app) {
        deis_map_set(m->hosts, key, deis_strdup(app));
    } else {
        deis_map_remove(m->hosts, key);
    }
    host_touch(m, key);
}

static void unit_unlink(struct route_model *m, struct m_unit *u)
{
    for (struct m_unit **p = &u->app->units; *p; p = &(*p)->next) {
        if (*p == u) {
            *p = u->next;
            break;
        }
    }
    app_touch(m, u->app);
}

void route_model_set_unit(struct route_model *m, const char *unit, const struct route_unit *u)
{
    struct m_unit *old = deis_map_get(m->units, deis_str(unit));

    if (old && (!u || strcmp(old->app->name, u->app) != 0)) {
        struct m_app *a = old->app;
        m->leaving -= is_leaving(old);
        unit_unlink(m, old);
        deis_map_remove(m->units, deis_str(unit));
        old = NULL;
        app_forget_if_empty(m, a);
    }
    if (!u) {
        return;
    }
    if (!old) {
        old = deis_alloc(sizeof(*old));
        old->name = deis_strdup(unit);
        old->machine = deis_strdup(u->machine);
        old->app = app_get(m, u->app);
        old->next = old->app->units;
        old->app->units = old;
        deis_map_set(m->units, deis_str(unit), old);
    } else if (strcmp(old->machine, u->machine) != 0) {
        free(old->machine);
        old->machine = deis_strdup(u->machine);
    } else if (old->desired == u->desired && old->routable == u->routable) {
        return;
    }
    m->leaving -= is_leaving(old);
    old->desired = u->desired;
    old->routable = u->routable;
    m->leaving += is_leaving(old);
    app_touch(m, old->app);
}

void route_model_set_state(struct route_model *m, const char *machine, const char *unit,
                           const char *address)
{
    deis_autofree char *key = deis_asprintf("%s/%s", machine, unit);
    const char *old = deis_map_get(m->states, deis_str(key));

    if (!address || address[0] == '\0') {
        if (!old) {
            return;
        }
        deis_map_remove(m->states, deis_str(key));
    } else {
        if (old && strcmp(old, address) == 0) {
            return;
        }
        deis_map_set(m->states, deis_str(key), deis_strdup(address));
    }
    struct m_unit *u = deis_map_get(m->units, deis_str(unit));
    if (u && strcmp(u->machine, machine) == 0) {
        app_touch(m, u->app);
    }
}

void route_model_set_machine_lost(struct route_model *m, const char *machine, bool lost)
{
    static char mark;
    size_t cursor = 0;
    struct deis_str key;
    void *value;

    if (lost == (deis_map_get(m->lost, deis_str(machine)) != NULL)) {
        return;
    }
    if (lost) {
        deis_map_set(m->lost, deis_str(machine), &mark);
    } else {
        deis_map_remove(m->lost, deis_str(machine));
    }
    while (deis_map_next(m->units, &cursor, &key, &value)) {
        struct m_unit *u = value;
        if (strcmp(u->machine, machine) == 0) {
            app_touch(m, u->app);
        }
    }
}

static void fixed_add(struct m_app *a, const char *unit, const char *address,
                      const char *proxy_from)
{
    if (a->fixed_count >= MODEL_ENDPOINTS_MAX) {
        return;
    }
    a->fixed = deis_realloc_array(a->fixed, a->fixed_count + 1, sizeof(*a->fixed));
    a->fixed[a->fixed_count++] = (struct m_place){
        .unit = deis_strdup(unit),
        .address = deis_strdup(address),
        .proxy_from = proxy_from ? deis_strdup(proxy_from) : NULL,
    };
}

static void fixed_drop(struct m_app *a, size_t i)
{
    free(a->fixed[i].unit);
    free(a->fixed[i].address);
    free(a->fixed[i].proxy_from);
    a->fixed[i] = a->fixed[--a->fixed_count];
}

void route_model_add_fixed(struct route_model *m, const char *app, enum route_kind kind,
                           const char *unit, const char *address, const char *proxy_from)
{
    struct m_app *a = app_get(m, app);

    if (!a->known) {
        a->known = true;
        m->hosts_dirty = true;
    }
    a->kind = kind;
    if (unit) {
        fixed_add(a, unit, address, proxy_from);
    }
    app_touch(m, a);
}

void route_model_clear_fixed(struct route_model *m, const char *app)
{
    struct m_app *a = deis_map_get(m->apps, deis_str(app));

    if (a) {
        fixed_clear(a);
        app_touch(m, a);
    }
}

static struct m_place *fixed_find(const struct m_app *a, const char *unit)
{
    for (size_t i = 0; i < a->fixed_count; i++) {
        if (strcmp(a->fixed[i].unit, unit) == 0) {
            return &a->fixed[i];
        }
    }
    return NULL;
}

/* Forget the places that went away, once another one is there. */
static void drop_replaced(struct m_app *a)
{
    bool live = false;

    for (size_t i = 0; i < a->fixed_count; i++) {
        live = live || !a->fixed[i].gone;
    }
    for (size_t i = a->fixed_count; live && i > 0; i--) {
        if (a->fixed[i - 1].gone) {
            fixed_drop(a, i - 1);
        }
    }
}

void route_model_set_service(struct route_model *m, const char *name, const char *instance,
                             const char *address, const char *proxy_from)
{
    deis_autofree char *unit = deis_asprintf("%s@%s", name, instance);

    route_model_add_fixed(m, name, ROUTE_PLATFORM, NULL, NULL, NULL);
    struct m_app *a = app_get(m, name);
    struct m_place *place = fixed_find(a, unit);
    if (place && !address) {
        place->gone = true;
    } else if (place) {
        fixed_drop(a, (size_t)(place - a->fixed));
    }
    if (address) {
        fixed_add(a, unit, address, proxy_from);
    }
    drop_replaced(a);
}

size_t route_model_leaving(const struct route_model *m)
{
    return m->leaving;
}

bool route_model_next_unit(const struct route_model *m, size_t *cursor, const char **ret_unit,
                           enum route_desired *ret_desired)
{
    struct deis_str key;
    void *value;

    while (deis_map_next(m->units, cursor, &key, &value)) {
        const struct m_unit *u = value;
        if (u->routable) {
            *ret_unit = u->name;
            *ret_desired = u->desired;
            return true;
        }
    }
    return false;
}

bool route_model_unit(const struct route_model *m, const char *unit,
                      enum route_desired *ret_desired)
{
    const struct m_unit *u = deis_map_get(m->units, deis_str(unit));

    if (!u) {
        return false;
    }
    *ret_desired = u->desired;
    return true;
}
