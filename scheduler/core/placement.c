/* SPDX-License-Identifier: MIT */
#include "scheduler/core/placement.h"

#include <stdio.h>

struct load {
    size_t units;
};

struct placement {
    const struct world *world;
    struct deis_map *loads; /* by "<machine>" and by "<machine>/<app>/<type>" */
};

static struct load *load_of(struct placement *p, const char *machine, const char *app,
                            const char *type)
{
    char key[DEIS_KEY_MAX];

    if (app) {
        snprintf(key, sizeof(key), "%s/%s/%s", machine, app, type);
    } else {
        snprintf(key, sizeof(key), "%s", machine);
    }
    struct load *load = deis_map_get(p->loads, deis_str(key));
    if (!load) {
        load = deis_alloc(sizeof(*load));
        deis_map_set(p->loads, deis_str(key), load);
    }
    return load;
}

static void count(struct placement *p, const char *machine, const char *app, const char *type)
{
    load_of(p, machine, NULL, NULL)->units++;
    load_of(p, machine, app, type)->units++;
}

struct placement *placement_new(const struct world *w)
{
    struct placement *p = deis_alloc(sizeof(*p));

    p->world = w;
    p->loads = deis_map_new(free);
    WORLD_EACH(w->units, struct world_unit, u)
    {
        if (u->doc.desired != DEIS_DESIRED_STOP) {
            count(p, u->doc.machine, u->doc.app, u->doc.type);
        }
    }
    return p;
}

void placement_free(struct placement *p)
{
    if (p) {
        deis_map_free(p->loads);
        free(p);
    }
}

static bool has_tags(const struct world_machine *m, const json_t *tags)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)tags, name, value)
    {
        if (!json_equal(value, json_object_get(m->doc.metadata, name))) {
            return false;
        }
    }
    return true;
}

int placement_pick(struct placement *p, const char *app, const char *type, const json_t *tags,
                   const char **ret_machine, struct deis_err *err)
{
    const struct world_machine *best = NULL;
    size_t best_same = 0, best_all = 0, live = 0;

    WORLD_EACH(p->world->machines, struct world_machine, m)
    {
        if (!m->known || !m->present || m->verdict != WORLD_VERDICT_NONE) {
            continue;
        }
        live++;
        if (!has_tags(m, tags)) {
            continue;
        }
        size_t same = load_of(p, m->id, app, type)->units;
        size_t all = load_of(p, m->id, NULL, NULL)->units;
        bool better = !best || same < best_same || (same == best_same && all < best_all) ||
                      (same == best_same && all == best_all && strcmp(m->id, best->id) < 0);
        if (better) {
            best = m;
            best_same = same;
            best_all = all;
        }
    }
    if (!best && live > 0) {
        deis_autofree char *text = json_dumps(tags, JSON_COMPACT | JSON_SORT_KEYS);
        return deis_err_set(err, DEIS_NOT_FOUND, "no machine has the tags %.200s", text);
    }
    if (!best) {
        return deis_err_set(err, DEIS_UNAVAILABLE, "no machine is available");
    }
    count(p, best->id, app, type);
    *ret_machine = best->id;
    return 0;
}
