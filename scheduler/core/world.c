/* SPDX-License-Identifier: MIT */
#include "scheduler/core/world.h"

static void formation_free(void *p)
{
    struct world_formation *f = p;

    deis_formation_clear(&f->doc);
    free(f);
}

static void unit_free(void *p)
{
    struct world_unit *u = p;

    deis_unit_clear(&u->doc);
    free(u);
}

static void state_free(void *p)
{
    struct world_state *s = p;

    deis_unit_state_clear(&s->doc);
    free(s);
}

static void machine_free(void *p)
{
    struct world_machine *m = p;

    deis_machine_clear(&m->doc);
    free(m->id);
    free(m);
}

static void rollout_free(void *p)
{
    struct world_rollout *r = p;

    deis_rollout_clear(&r->doc);
    free(r);
}

struct world *world_new(void)
{
    struct world *w = deis_alloc(sizeof(*w));

    w->formations = deis_map_new(formation_free);
    w->unreadable = deis_map_new(NULL);
    w->units = deis_map_new(unit_free);
    w->states = deis_map_new(state_free);
    w->machines = deis_map_new(machine_free);
    w->rollouts = deis_map_new(rollout_free);
    w->drained = deis_map_new(free);
    w->routers = deis_map_new(NULL);
    return w;
}

void world_free(struct world *w)
{
    if (!w) {
        return;
    }
    deis_map_free(w->formations);
    deis_map_free(w->unreadable);
    deis_map_free(w->units);
    deis_map_free(w->states);
    deis_map_free(w->machines);
    deis_map_free(w->rollouts);
    deis_map_free(w->drained);
    deis_map_free(w->routers);
    free(w);
}

void *world_next_(const struct deis_map *map, size_t *cursor)
{
    struct deis_str key;
    void *value;

    return deis_map_next(map, cursor, &key, &value) ? value : NULL;
}

struct world_unit *world_unit(const struct world *w, const char *unit)
{
    return deis_map_get(w->units, deis_str(unit));
}

struct world_state *world_state_of(const struct world *w, const struct world_unit *unit)
{
    deis_autobuf struct deis_buf key = DEIS_BUF_INIT(DEIS_KEY_MAX);

    deis_buf_addf(&key, "%s/%s", unit->doc.machine, unit->doc.unit);
    return deis_map_get(w->states, deis_buf_str(&key));
}

struct world_machine *world_machine(const struct world *w, const char *id)
{
    return deis_map_get(w->machines, deis_str(id));
}

bool world_is_gone(const struct world *w, const char *app)
{
    return !deis_map_get(w->formations, deis_str(app)) &&
           !deis_map_get(w->unreadable, deis_str(app));
}

static void mark(struct deis_map *map, struct deis_str name, bool deleted)
{
    if (deleted) {
        deis_map_remove(map, name);
    } else {
        deis_map_set(map, name, map);
    }
}

static int formation_apply(struct world *w, struct deis_str app, struct deis_str value,
                           uint64_t now_ms, struct deis_err *err)
{
    struct world_formation *old = deis_map_get(w->formations, app);
    struct deis_formation doc;
    int r = deis_formation_parse(value, &doc, err);

    mark(w->unreadable, app, r == 0);
    if (r < 0) {
        return r;
    }
    struct world_formation *f = deis_alloc(sizeof(*f));
    f->doc = doc;
    f->since_ms = old && old->doc.generation == doc.generation ? old->since_ms : now_ms;
    deis_map_set(w->formations, app, f);
    return 0;
}

static int unit_apply(struct world *w, struct deis_str name, struct deis_str value,
                      int64_t create_revision, int64_t mod_revision, uint64_t now_ms,
                      struct deis_err *err)
{
    struct world_unit *old = deis_map_get(w->units, name);
    struct deis_unit doc;
    int r = deis_unit_parse(value, &doc, err);

    if (r < 0) {
        return r;
    }
    struct world_unit *u = deis_alloc(sizeof(*u));
    u->doc = doc;
    u->create_revision = create_revision;
    u->mod_revision = mod_revision;
    bool same = old && old->create_revision == create_revision && old->doc.desired == doc.desired &&
                strcmp(old->doc.machine, doc.machine) == 0;
    u->since_ms = same ? old->since_ms : now_ms;
    deis_map_set(w->units, name, u);
    return 0;
}

static int state_apply(struct world *w, struct deis_str name, struct deis_str value,
                       uint64_t now_ms, struct deis_err *err)
{
    struct world_state *old = deis_map_get(w->states, name);
    struct deis_unit_state doc;
    int r = deis_unit_state_parse(value, &doc, err);

    if (r < 0) {
        return r;
    }
    struct world_state *s = deis_alloc(sizeof(*s));
    s->doc = doc;
    s->since_ms = old && old->doc.state == doc.state ? old->since_ms : now_ms;
    deis_map_set(w->states, name, s);
    return 0;
}

static int rollout_apply(struct world *w, struct deis_str app, struct deis_str value,
                         int64_t mod_revision, uint64_t now_ms, struct deis_err *err)
{
    struct world_rollout *old = deis_map_get(w->rollouts, app);
    struct deis_rollout doc;
    int r = deis_rollout_parse(value, &doc, err);

    if (r < 0) {
        return r;
    }
    struct world_rollout *o = deis_alloc(sizeof(*o));
    o->doc = doc;
    o->mod_revision = mod_revision;
    o->since_ms = old && old->doc.generation == doc.generation ? old->since_ms : now_ms;
    deis_map_set(w->rollouts, app, o);
    return 0;
}

static struct world_machine *machine_of(struct world *w, struct deis_str id, uint64_t now_ms)
{
    struct world_machine *m = deis_map_get(w->machines, id);

    if (!m) {
        m = deis_alloc(sizeof(*m));
        m->id = deis_str_dup(id);
        m->since_ms = now_ms;
        deis_map_set(w->machines, id, m);
    }
    return m;
}

/* Forget a machine of which no key is left. */
static void machine_settle(struct world *w, struct world_machine *m)
{
    if (!m->known && !m->present && m->verdict_revision == 0) {
        deis_map_remove(w->machines, deis_str(m->id));
    }
}

static int machine_apply(struct world *w, struct deis_str rest, struct deis_str value, bool deleted,
                         uint64_t now_ms, struct deis_err *err)
{
    ptrdiff_t slash = deis_str_find(rest, '/');
    struct deis_str id = slash < 0 ? rest : deis_str_first(rest, (size_t)slash);
    struct deis_machine doc = { 0 };

    if (slash >= 0) {
        if (deis_str_eq_cstr(deis_str_skip(rest, (size_t)slash), "/presence")) {
            struct world_machine *m = machine_of(w, id, now_ms);
            if (m->present == deleted) {
                m->present = !deleted;
                m->since_ms = now_ms;
            }
            machine_settle(w, m);
        }
        return 0;
    }
    if (!deleted) {
        int r = deis_machine_parse(value, &doc, err);
        if (r < 0) {
            return r;
        }
    }
    struct world_machine *m = machine_of(w, id, now_ms);
    deis_machine_clear(&m->doc);
    m->doc = doc;
    m->known = !deleted;
    machine_settle(w, m);
    return 0;
}

static int verdict_apply(struct world *w, struct deis_str id, struct deis_str value, bool deleted,
                         int64_t mod_revision, uint64_t now_ms, struct deis_err *err)
{
    enum world_verdict verdict = WORLD_VERDICT_NONE;

    if (!deleted) {
        deis_autojson json_t *obj = deis_json_parse(value, err);
        const char *state;
        if (!obj || deis_json_get_str(obj, "state", &state, err) < 0) {
            return deis_err_wrap(err, "verdict");
        }
        verdict = strcmp(state, "lost") == 0 ? WORLD_VERDICT_LOST : WORLD_VERDICT_CORDONED;
    }
    struct world_machine *m = machine_of(w, id, now_ms);
    m->verdict = verdict;
    m->verdict_revision = deleted ? 0 : mod_revision;
    machine_settle(w, m);
    return 0;
}

static void drained_apply(struct world *w, struct deis_str name, bool deleted, int64_t mod_revision)
{
    if (deleted) {
        deis_map_remove(w->drained, name);
        return;
    }
    int64_t *revision = deis_alloc(sizeof(*revision));
    *revision = mod_revision;
    deis_map_set(w->drained, name, revision);
}

int world_apply(struct world *w, const char *key, struct deis_str value, bool deleted,
                int64_t create_revision, int64_t mod_revision, uint64_t now_ms,
                struct deis_err *err)
{
    struct deis_str name;

    if ((name = deis_key_below(key, "formations/")).len > 0) {
        if (deleted) {
            deis_map_remove(w->formations, name);
            deis_map_remove(w->unreadable, name);
            return 0;
        }
        return formation_apply(w, name, value, now_ms, err);
    }
    if ((name = deis_key_below(key, "units/")).len > 0) {
        return deleted ? (deis_map_remove(w->units, name), 0)
                       : unit_apply(w, name, value, create_revision, mod_revision, now_ms, err);
    }
    if ((name = deis_key_below(key, "states/")).len > 0) {
        return deleted ? (deis_map_remove(w->states, name), 0)
                       : state_apply(w, name, value, now_ms, err);
    }
    if ((name = deis_key_below(key, "rollouts/")).len > 0) {
        return deleted ? (deis_map_remove(w->rollouts, name), 0)
                       : rollout_apply(w, name, value, mod_revision, now_ms, err);
    }
    if ((name = deis_key_below(key, "machines/")).len > 0) {
        return machine_apply(w, name, value, deleted, now_ms, err);
    }
    if ((name = deis_key_below(key, "verdicts/")).len > 0) {
        return verdict_apply(w, name, value, deleted, mod_revision, now_ms, err);
    }
    if ((name = deis_key_below(key, "drained/")).len > 0) {
        drained_apply(w, name, deleted, mod_revision);
    } else if ((name = deis_key_below(key, "services/router/")).len > 0) {
        mark(w->routers, name, deleted);
        if (deis_map_count(w->routers) == 0) {
            w->routers_gone_ms = now_ms;
        }
    }
    return 0;
}
