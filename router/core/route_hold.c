/* SPDX-License-Identifier: MIT */
#include "router/core/route_hold.h"

/* An app that is kept from most people must not be open to all. */
static bool still_kept(const struct route_app *a, const struct route_app *old)
{
    bool kept = old->settings && (old->settings->closed || old->settings->r.restricted);

    return !kept || (a->settings && (a->settings->closed || a->settings->r.restricted));
}

static bool apps_covered(const struct route_table *t, const struct route_table *old)
{
    struct deis_map *served = deis_map_new(NULL);
    bool covered = true;

    for (size_t i = 0; i < t->app_count; i++) {
        struct route_app *a = route_table_at(t, i);
        if (a->count > 0) {
            deis_map_set(served, deis_str(a->name), a);
        }
    }
    for (size_t i = 0; covered && i < old->app_count; i++) {
        const struct route_app *a = route_table_at(old, i);
        const struct route_app *b = deis_map_get(served, deis_str(a->name));
        covered = a->count == 0 || (b && still_kept(b, a));
    }
    deis_map_free(served);
    return covered;
}

bool hold_covers(const struct route_table *t, const struct route_table *old)
{
    struct deis_str host;
    size_t cursor = 0;
    uint32_t app;

    while (route_hosts_next(old->hosts, &cursor, &host, &app)) {
        if (!route_hosts_find(t->hosts, host, &app)) {
            return false;
        }
    }
    return apps_covered(t, old);
}
