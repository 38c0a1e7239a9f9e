/* SPDX-License-Identifier: MIT */
#include "router/core/route_table.h"

#include "router/core/crowd.h"
#include "router/core/rate.h"

void route_endpoint_ref(struct route_endpoint *e)
{
    atomic_fetch_add(&e->refs, 1);
}

void route_endpoint_unref(struct route_endpoint *e)
{
    atomic_fetch_sub(&e->refs, 1);
}

void route_stats_unref(struct route_stats *s)
{
    if (s && atomic_fetch_sub(&s->refs, 1) == 1) {
        rate_free(s->rate);
        crowd_free(s->crowd);
        free(s);
    }
}

void route_app_ref(struct route_app *a)
{
    atomic_fetch_add_explicit(&a->refs, 1, memory_order_relaxed);
}

void route_app_unref(struct route_app *a)
{
    if (!a || atomic_fetch_sub(&a->refs, 1) != 1) {
        return;
    }
    for (size_t i = 0; i < a->count; i++) {
        route_endpoint_unref(a->endpoints[i]);
    }
    route_stats_unref(a->stats);
    route_settings_unref(a->settings);
    free(a->weights);
    free(a->name);
    free(a);
}

static size_t group_count(size_t app_count)
{
    return (app_count + ROUTE_GROUP - 1) / ROUTE_GROUP;
}

static struct route_group *group_new(struct route_app *const *apps, size_t count)
{
    struct route_group *g = deis_alloc(sizeof(*g));

    atomic_init(&g->refs, 1);
    g->count = count;
    for (size_t i = 0; i < count; i++) {
        route_app_ref(apps[i]);
        g->apps[i] = apps[i];
    }
    return g;
}

static void group_unref(struct route_group *g)
{
    if (atomic_fetch_sub(&g->refs, 1) != 1) {
        return;
    }
    for (size_t i = 0; i < g->count; i++) {
        route_app_unref(g->apps[i]);
    }
    free(g);
}

void route_https_unref(struct route_https *h)
{
    if (h && atomic_fetch_sub(&h->refs, 1) == 1) {
        h->on_free(h);
    }
}

struct route_table *route_table_ref(struct route_table *t)
{
    atomic_fetch_add(&t->refs, 1);
    return t;
}

void route_table_unref(struct route_table *t)
{
    if (!t || atomic_fetch_sub(&t->refs, 1) != 1) {
        return;
    }
    for (size_t i = 0; i < group_count(t->app_count); i++) {
        group_unref(t->groups[i]);
    }
    route_hosts_unref(t->hosts);
    route_https_unref(t->https);
    free(t);
}

struct route_app *route_app_new(const char *name, enum route_kind kind, unsigned wanted,
                                struct route_stats *stats, struct route_endpoint **endpoints,
                                size_t count)
{
    struct route_app *a = deis_alloc(sizeof(*a) + count * sizeof(a->endpoints[0]));

    atomic_init(&a->refs, 1);
    a->kind = kind;
    a->name = deis_strdup(name);
    a->wanted = wanted;
    a->stats = stats;
    atomic_fetch_add(&stats->refs, 1);
    a->count = count;
    for (size_t i = 0; i < count; i++) {
        route_endpoint_ref(endpoints[i]);
        a->endpoints[i] = endpoints[i];
    }
    return a;
}

static struct route_table *table_alloc(uint64_t generation, const struct route_limits *limits,
                                       struct route_hosts *hosts, struct route_https *https,
                                       size_t app_count)
{
    struct route_table *t =
        deis_alloc(sizeof(*t) + group_count(app_count) * sizeof(struct route_group *));

    atomic_init(&t->refs, 1);
    t->generation = generation;
    t->limits = *limits;
    t->hosts = route_hosts_ref(hosts);
    if (https) {
        atomic_fetch_add(&https->refs, 1);
        t->https = https;
    }
    t->app_count = app_count;
    return t;
}

struct route_table *route_table_new(uint64_t generation, const struct route_limits *limits,
                                    struct route_hosts *hosts, struct route_https *https,
                                    struct route_app *const *apps, size_t app_count)
{
    struct route_table *t = table_alloc(generation, limits, hosts, https, app_count);

    for (size_t i = 0; i < group_count(app_count); i++) {
        size_t first = i * ROUTE_GROUP;
        size_t left = app_count - first;
        t->groups[i] = group_new(apps + first, left < ROUTE_GROUP ? left : ROUTE_GROUP);
    }
    return t;
}

struct route_table *route_table_change(const struct route_table *old, uint64_t generation,
                                       const struct route_limits *limits, struct route_hosts *hosts,
                                       struct route_https *https, const uint32_t *indexes,
                                       struct route_app *const *apps, size_t count)
{
    struct route_table *t = table_alloc(generation, limits, hosts, https, old->app_count);

    for (size_t i = 0; i < group_count(old->app_count); i++) {
        t->groups[i] = old->groups[i];
        atomic_fetch_add(&t->groups[i]->refs, 1);
    }
    for (size_t i = 0; i < count; i++) {
        size_t at = indexes[i] / ROUTE_GROUP;
        struct route_group *g = t->groups[at];
        if (g == old->groups[at]) {
            t->groups[at] = group_new(g->apps, g->count);
            group_unref(g);
            g = t->groups[at];
        }
        struct route_app **slot = &g->apps[indexes[i] % ROUTE_GROUP];
        route_app_ref(apps[i]);
        route_app_unref(*slot);
        *slot = apps[i];
    }
    return t;
}

size_t route_host_normalise(struct deis_str host, char out[ROUTE_HOST_MAX + 1])
{
    size_t len = host.len;

    for (size_t i = len; i > 0; i--) {
        char c = host.ptr[i - 1];
        if (c == ':') {
            len = i - 1;
            break;
        }
        if (c < '0' || c > '9') {
            break;
        }
    }
    if (len > 0 && host.ptr[len - 1] == '.') {
        len--;
    }
    if (len > ROUTE_HOST_MAX) {
        return 0;
    }
    for (size_t i = 0; i < len; i++) {
        char c = host.ptr[i];
        out[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
    }
    out[len] = '\0';
    return len;
}

struct route_app *route_table_find(const struct route_table *t, struct deis_str host)
{
    uint32_t app;

    return route_hosts_find(t->hosts, host, &app) ? route_table_at(t, app) : NULL;
}

struct route_app *route_table_app(const struct route_table *t, const char *name)
{
    for (size_t i = 0; i < t->app_count; i++) {
        if (strcmp(route_table_at(t, i)->name, name) == 0) {
            return route_table_at(t, i);
        }
    }
    return NULL;
}
