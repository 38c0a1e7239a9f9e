/* SPDX-License-Identifier: MIT */
/* The routing table, made from the model: apps that changed anew, the rest as in the last one. */
#include "router/core/crowd.h"
#include "router/core/rate.h"
#include "router/core/route_model_priv.h"

#include "lib/base/buf.h"

void route_model_release_app(struct route_app *a)
{
    if (!a) {
        return;
    }
    for (size_t i = 0; i < a->count; i++) {
        if (--a->endpoints[i]->uses == 0) {
            atomic_store(&a->endpoints[i]->retired, true);
        }
    }
    route_app_unref(a);
}

struct endpoint_list {
    struct route_endpoint **items;
    size_t count;
};

static void list_add(struct route_model *m, struct endpoint_list *l, const char *unit,
                     const char *address, const char *proxy_from)
{
    struct route_endpoint *e = route_registry_endpoint(m->registry, unit, address, proxy_from);

    if (e) {
        l->items = deis_realloc_array(l->items, l->count + 1, sizeof(struct route_endpoint *));
        l->items[l->count++] = e;
    }
}

static unsigned collect(struct route_model *m, struct m_app *a, struct endpoint_list *l)
{
    unsigned wanted = 0;

    for (size_t i = 0; i < a->fixed_count; i++) {
        wanted++;
        list_add(m, l, a->fixed[i].unit, a->fixed[i].address, a->fixed[i].proxy_from);
    }
    for (struct m_unit *u = a->units; u; u = u->next) {
        if (u->desired != ROUTE_RUN || !u->routable || l->count >= MODEL_ENDPOINTS_MAX) {
            continue;
        }
        wanted++;
        deis_autofree char *key = deis_asprintf("%s/%s", u->machine, u->name);
        const char *address = deis_map_get(m->states, deis_str(key));
        if (address && !deis_map_get(m->lost, deis_str(u->machine))) {
            list_add(m, l, u->name, address, NULL);
        }
    }
    return wanted;
}

static struct route_settings *settings_of(const struct route_model *m, const struct m_app *a)
{
    if (a->kind == ROUTE_APP) {
        return route_policy_app(m->policy, a->name);
    }
    bool controller = strcmp(a->name, ROUTE_CONTROLLER) == 0;
    return controller ? route_policy_controller(m->policy, a->name) : NULL;
}

static void app_build(struct route_model *m, struct m_app *a)
{
    struct endpoint_list l = { NULL, 0 };
    struct route_app *old = a->built;
    unsigned wanted = collect(m, a, &l);
    struct route_stats *stats = route_registry_stats(m->registry, a->name);

    a->built = route_app_new(a->name, a->kind, wanted, stats, l.items, l.count);
    struct route_settings *settings = settings_of(m, a);
    route_app_set_settings(a->built, settings);
    if (settings && settings->r.rate_minute > 0 && !stats->rate) {
        stats->rate = rate_new();
    }
    if (settings && settings->r.address_max > 0 && !stats->crowd) {
        stats->crowd = crowd_new(CROWD_OF_AN_APP);
    }
    m->examines =
        m->examines || (a->kind == ROUTE_APP && settings && settings->r.firewall == DEIS_YES);
    bool tagged = settings && (settings->r.sticky || settings->r.affinity_arg);
    route_settings_unref(settings);
    for (size_t i = 0; i < l.count; i++) {
        if (tagged) {
            route_registry_tag(m->registry, l.items[i]);
        }
        if (l.items[i]->uses == 0) {
            atomic_store(&l.items[i]->since_ms, 0); /* new, or back again */
        }
        l.items[i]->uses++;
        atomic_store(&l.items[i]->retired, false);
        route_endpoint_unref(l.items[i]);
    }
    free(l.items);
    route_stats_unref(stats);
    route_model_release_app(old);
    route_registry_mark(m->registry);
}

/* Names of apps below the domain, and custom ones. The platform's own name comes first, then the
 * apps' own: nobody's custom domain takes these. */
static void add_names(struct route_model *m, struct route_hosts *hosts)
{
    struct m_app *controller = deis_map_get(m->apps, DEIS_STR(ROUTE_CONTROLLER));
    struct deis_buf name = DEIS_BUF_INIT(1024);
    char host[ROUTE_HOST_MAX + 1];
    size_t cursor = 0;
    struct deis_str key;
    void *value;

    if (controller && controller->known && m->domain[0] != '\0') {
        deis_buf_addf(&name, "%s.%s", m->subdomain, m->domain);
        size_t len = route_host_normalise(deis_buf_str(&name), host);
        (void)route_hosts_add(hosts, (struct deis_str){ host, len }, controller->index);
    }
    while (m->domain[0] != '\0' && deis_map_next(m->apps, &cursor, &key, &value)) {
        struct m_app *a = value;
        if (a->known && a->kind == ROUTE_APP) {
            deis_buf_reset(&name);
            deis_buf_addf(&name, "%s.%s", a->name, m->domain);
            size_t len = route_host_normalise(deis_buf_str(&name), host);
            (void)route_hosts_add(hosts, (struct deis_str){ host, len }, a->index);
        }
    }
    cursor = 0;
    while (deis_map_next(m->hosts, &cursor, &key, &value)) {
        struct m_app *a = deis_map_get(m->apps, deis_str(value));
        if (a && a->known) {
            (void)route_hosts_add(hosts, key, a->index);
        }
    }
    deis_buf_clear(&name);
}

/* The app whose name it is, or NULL. */
static const struct m_app *named_app(const struct route_model *m, struct deis_str host)
{
    const struct m_app *controller = deis_map_get(m->apps, DEIS_STR(ROUTE_CONTROLLER));
    char domain[ROUTE_HOST_MAX + 1];
    size_t len = route_host_normalise(deis_str(m->domain), domain);

    if (len == 0 || host.len < len + 2 || !deis_str_ends(host, domain) ||
        host.ptr[host.len - len - 1] != '.') {
        return NULL;
    }
    struct deis_str label = deis_str_first(host, host.len - len - 1);
    if (controller && controller->known && deis_str_eq_cstr(label, m->subdomain)) {
        return controller;
    }
    const struct m_app *a = deis_map_get(m->apps, label);
    return a && a->known && a->kind == ROUTE_APP ? a : NULL;
}

/* As add_names() would decide; NULL: nobody's. */
static const struct m_app *owner_of(const struct route_model *m, struct deis_str host)
{
    const struct m_app *a = named_app(m, host);

    if (!a) {
        const char *name = deis_map_get(m->hosts, host);
        a = name ? deis_map_get(m->apps, deis_str(name)) : NULL;
    }
    return a && a->known ? a : NULL;
}

/* The hosts of the last table with what has changed. Yours. */
static struct route_hosts *changed_hosts(const struct route_model *m)
{
    struct route_hosts *hosts = route_hosts_copy(m->last->hosts);

    for (size_t i = 0; i < m->changed_count; i++) {
        struct deis_str host = deis_str(m->changed[i]);
        const struct m_app *owner = owner_of(m, host);
        if (owner) {
            route_hosts_set(hosts, host, owner->index);
        } else {
            route_hosts_remove(hosts, host);
        }
    }
    return hosts;
}

static struct route_table *build_all(struct route_model *m, uint64_t generation)
{
    struct route_hosts *hosts =
        route_hosts_new(deis_map_count(m->apps) + deis_map_count(m->hosts) + 1);
    deis_autofree struct route_app **apps =
        deis_realloc_array(NULL, deis_map_count(m->apps) + 1, sizeof(struct route_app *));
    size_t count = 0;
    size_t cursor = 0;
    struct deis_str key;
    void *value;

    while (deis_map_next(m->apps, &cursor, &key, &value)) {
        struct m_app *a = value;
        if (a->known) {
            a->index = (uint32_t)count;
            apps[count++] = a->built;
        }
    }
    add_names(m, hosts);
    struct route_table *t = route_table_new(generation, &m->limits, hosts, m->https, apps, count);
    route_hosts_unref(hosts);
    return t;
}

struct route_table *route_model_build(struct route_model *m, uint64_t generation)
{
    deis_autofree uint32_t *indexes = NULL;
    deis_autofree struct route_app **apps = NULL;
    struct route_table *t;
    size_t count = 0;

    if (!m->hosts_dirty && m->changed_count == 0 && !m->dirty && !m->limits_dirty) {
        return NULL;
    }
    while (m->dirty) {
        struct m_app *a = m->dirty;
        m->dirty = a->dirty_next;
        a->dirty = false;
        app_build(m, a);
        if (!m->hosts_dirty && a->known) {
            indexes = deis_realloc_array(indexes, count + 1, sizeof(*indexes));
            apps = deis_realloc_array(apps, count + 1, sizeof(struct route_app *));
            indexes[count] = a->index;
            apps[count++] = a->built;
        }
    }
    if (m->hosts_dirty) {
        t = build_all(m, generation);
    } else {
        struct route_hosts *hosts =
            m->changed_count > 0 ? changed_hosts(m) : route_hosts_ref(m->last->hosts);
        t = route_table_change(m->last, generation, &m->limits, hosts, m->https, indexes, apps,
                               count);
        route_hosts_unref(hosts);
    }
    t->gzip = m->gzip;
    t->firewall = m->firewall;
    t->examines = m->firewall.on || m->examines;
    route_model_forget_changed(m);
    route_table_unref(m->last);
    m->last = route_table_ref(t);
    m->hosts_dirty = false;
    m->limits_dirty = false;
    return t;
}
