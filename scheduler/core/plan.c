/* SPDX-License-Identifier: MIT */
#include "scheduler/core/plan.h"

#include "scheduler/core/planner.h"

#include <stdarg.h>

void planner_act(struct planner *p, const char *key, char *value, int64_t guard, const char *note,
                 ...)
{
    struct plan *plan = p->plan;
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(1024);
    va_list args;

    if (deis_map_get(p->touched, deis_str(key))) {
        free(value);
        return;
    }
    deis_map_set(p->touched, deis_str(key), plan);
    va_start(args, note);
    deis_buf_vaddf(&text, note, args);
    va_end(args);
    plan->actions = deis_realloc_array(plan->actions, plan->count + 1, sizeof(*plan->actions));
    plan->actions[plan->count++] = (struct plan_action){
        .key = deis_strdup(key),
        .value = value,
        .guard = guard,
        .note = deis_buf_take(&text, NULL),
    };
}

void planner_wake(struct planner *p, uint64_t at_ms)
{
    if (at_ms < p->plan->wake_ms) {
        p->plan->wake_ms = at_ms;
    }
}

bool planner_elapsed(struct planner *p, uint64_t since_ms, uint64_t ms)
{
    if (p->now_ms >= since_ms + ms) {
        return true;
    }
    planner_wake(p, since_ms + ms);
    return false;
}

int planner_place(struct planner *p, const char *app, const char *type, const json_t *tags,
                  const char **ret_machine, struct deis_err *err)
{
    if (!p->placement) {
        p->placement = placement_new(p->world);
    }
    return placement_pick(p->placement, app, type, tags, ret_machine, err);
}

void planner_put_unit(struct planner *p, const struct world_unit *u, enum deis_desired desired,
                      const char *machine, const char *note)
{
    struct deis_unit doc = u->doc; /* texts stay the world's, but for the machine */
    deis_autofree char *place = deis_strdup(machine);
    char key[DEIS_KEY_MAX];

    doc.desired = desired;
    doc.machine = place;
    doc.epoch = p->epoch;
    planner_act(p, deis_key(key, "units/%s", doc.unit), deis_unit_format(&doc), u->mod_revision,
                "%s %s", note, doc.unit);
}

/* Has every router said that it is through with the unit? */
static bool drained_everywhere(const struct world *w, const struct world_unit *u)
{
    size_t cursor = 0;
    struct deis_str router;
    void *value;

    while (deis_map_next(w->routers, &cursor, &router, &value)) {
        deis_autobuf struct deis_buf key = DEIS_BUF_INIT(DEIS_KEY_MAX);
        deis_buf_addf(&key, "%.*s/%s", DEIS_STR_ARG(router), u->doc.unit);
        const int64_t *said = deis_map_get(w->drained, deis_buf_str(&key));
        if (!said || *said < u->mod_revision) { /* or about an earlier unit of this name */
            return false;
        }
    }
    return true;
}

static bool drain_is_over(struct planner *p, const struct world_unit *u)
{
    const struct world_state *s = world_state_of(p->world, u);

    if (!u->doc.routable || !s || s->doc.state == DEIS_STATE_CRASHED ||
        s->doc.state == DEIS_STATE_ERROR) {
        return true;
    }
    uint64_t gone_ms = p->world->routers_gone_ms;
    bool expected = gone_ms > 0 && p->now_ms < gone_ms + PLAN_ROUTER_BACK_MS;
    if (deis_map_count(p->world->routers) == 0 && !expected) {
        return planner_elapsed(p, u->since_ms, PLAN_DRAIN_ALONE_MS);
    }
    return (deis_map_count(p->world->routers) > 0 && drained_everywhere(p->world, u)) ||
           planner_elapsed(p, u->since_ms, PLAN_DRAIN_MAX_MS);
}

/* Units on their way out: drain to stop, stop to gone. */
static void leaving_plan(struct planner *p)
{
    char key[DEIS_KEY_MAX];

    WORLD_EACH(p->world->units, struct world_unit, u)
    {
        const struct world_machine *m = world_machine(p->world, u->doc.machine);
        bool lost = !m || !m->known || m->verdict == WORLD_VERDICT_LOST;

        if (u->doc.desired == DEIS_DESIRED_RUN) {
            continue;
        }
        if (lost || (u->doc.desired == DEIS_DESIRED_STOP && !world_state_of(p->world, u))) {
            planner_act(p, deis_key(key, "units/%s", u->doc.unit), NULL, u->mod_revision,
                        "delete %s", u->doc.unit);
        } else if (u->doc.desired == DEIS_DESIRED_DRAIN && drain_is_over(p, u)) {
            planner_put_unit(p, u, DEIS_DESIRED_STOP, u->doc.machine, "stop drained");
        }
    }
}

/* Apps of which only units are left. */
static void orphans_plan(struct planner *p)
{
    WORLD_EACH(p->world->units, struct world_unit, u)
    {
        if (u->doc.desired != DEIS_DESIRED_STOP && world_is_gone(p->world, u->doc.app)) {
            planner_put_unit(p, u, DEIS_DESIRED_STOP, u->doc.machine, "stop without formation");
        }
    }
}

struct plan *plan_make(const struct world *w, unit_digest_fn *digest, int64_t epoch,
                       uint64_t now_ms, uint64_t wall_ms)
{
    struct planner p = {
        .world = w,
        .digest = digest,
        .epoch = epoch,
        .now_ms = now_ms,
        .wall_ms = wall_ms,
        .touched = deis_map_new(NULL),
        .plan = deis_alloc(sizeof(struct plan)),
    };

    p.plan->wake_ms = UINT64_MAX;
    machines_plan(&p);
    WORLD_EACH(w->formations, struct world_formation, f)
    {
        rollout_plan(&p, f);
    }
    WORLD_EACH(w->rollouts, struct world_rollout, r)
    {
        if (world_is_gone(w, r->doc.app)) {
            rollout_plan_gone(&p, r);
        }
    }
    orphans_plan(&p);
    leaving_plan(&p);
    placement_free(p.placement);
    deis_map_free(p.touched);
    return p.plan;
}

static size_t bytes_of(const struct plan_action *a)
{
    return 2 * strlen(a->key) + (a->value ? strlen(a->value) : 0);
}

size_t plan_batch(const struct plan *p, size_t from, size_t actions_max, size_t bytes_max)
{
    size_t bytes = 0, to = from;

    while (to < p->count && to - from < actions_max) {
        bytes += bytes_of(&p->actions[to]);
        if (bytes > bytes_max && to > from) {
            break;
        }
        to++;
    }
    return to;
}

/* Of units/<app>_v... and rollouts/<app>; of other keys all. */
static struct deis_str app_of(const struct plan_action *a)
{
    struct deis_str name = deis_key_below(a->key, "units/");

    if (name.len > 0) {
        ptrdiff_t end = deis_str_find(name, '_');
        return end < 0 ? name : deis_str_first(name, (size_t)end);
    }
    name = deis_key_below(a->key, "rollouts/");
    return name.len > 0 ? name : deis_str(a->key);
}

size_t plan_app(const struct plan *p, size_t from, size_t to)
{
    size_t end = from;

    while (end < to && deis_str_eq(app_of(&p->actions[from]), app_of(&p->actions[end]))) {
        end++;
    }
    return end;
}

void plan_free(struct plan *p)
{
    if (!p) {
        return;
    }
    for (size_t i = 0; i < p->count; i++) {
        free(p->actions[i].key);
        free(p->actions[i].value);
        free(p->actions[i].note);
    }
    free(p->actions);
    free(p);
}
