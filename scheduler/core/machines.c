/* SPDX-License-Identifier: MIT */
#include "scheduler/core/planner.h"

static bool is_live(const struct world_machine *m)
{
    return m->known && m->present && m->verdict != WORLD_VERDICT_LOST;
}

/* Are most of the other machines there? If not, the fault is more likely ours than theirs. */
static bool most_others_present(const struct world *w, const struct world_machine *self)
{
    size_t others = 0, present = 0;

    WORLD_EACH(w->machines, struct world_machine, m)
    {
        if (m != self && m->known && m->verdict != WORLD_VERDICT_LOST) {
            others++;
            present += m->present;
        }
    }
    return present * 2 > others;
}

static void judge(struct planner *p, const struct world_machine *m)
{
    char key[DEIS_KEY_MAX];

    deis_key(key, "verdicts/%s", m->id);
    if (m->verdict == WORLD_VERDICT_LOST && m->present) {
        planner_act(p, key, NULL, m->verdict_revision, "machine %s is back", m->id);
    } else if (m->verdict == WORLD_VERDICT_NONE && m->known && !m->present &&
               planner_elapsed(p, m->since_ms, PLAN_LOST_AFTER_MS) &&
               most_others_present(p->world, m)) {
        deis_autojson json_t *value =
            json_pack("{s:s, s:I}", "state", "lost", "since", (json_int_t)p->wall_ms);
        planner_act(p, key, deis_json_dump(value), 0, "machine %s is lost", m->id);
    }
}

static const json_t *tags_of(const struct world *w, const struct deis_unit *u)
{
    const struct world_formation *f = deis_map_get(w->formations, deis_str(u->app));

    for (size_t i = 0; f && i < f->doc.process_count; i++) {
        if (strcmp(f->doc.processes[i].type, u->type) == 0) {
            return f->doc.processes[i].tags;
        }
    }
    return NULL;
}

void machines_plan(struct planner *p)
{
    size_t live = 0;

    WORLD_EACH(p->world->machines, struct world_machine, m)
    {
        judge(p, m);
        live += is_live(m);
    }
    if (live == 0) {
        return;
    }
    WORLD_EACH(p->world->units, struct world_unit, u)
    {
        const struct world_machine *m = world_machine(p->world, u->doc.machine);
        const char *machine;
        struct deis_err err = DEIS_ERR_INIT;

        if (u->doc.desired == DEIS_DESIRED_RUN &&
            (!m || !m->known || m->verdict == WORLD_VERDICT_LOST) &&
            planner_place(p, u->doc.app, u->doc.type, tags_of(p->world, &u->doc), &machine, &err) ==
                0) {
            planner_put_unit(p, u, DEIS_DESIRED_RUN, machine, "move");
        }
    }
}
