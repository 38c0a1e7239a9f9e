/* SPDX-License-Identifier: MIT */
#include "tests/unit/scheduler/sim.h"

#include "tests/support/test.h"

#include <stdio.h>

#define EPOCH 77

struct row {
    int64_t create;
    int64_t mod;
};

struct sim {
    struct world *world;
    struct deis_map *rows;
    int64_t revision;
    uint64_t now_ms;
};

/* A digest good enough to tell contents apart: FNV-1a, eight times. */
static void digest(struct deis_str data, char out[65])
{
    uint64_t h = 14695981039346656037u;

    for (size_t i = 0; i < data.len; i++) {
        h = (h ^ (unsigned char)data.ptr[i]) * 1099511628211u;
    }
    for (int i = 0; i < 4; i++) {
        snprintf(out + i * 16, 17, "%016llx", (unsigned long long)(h >> 1));
    }
}

struct sim *sim_new(void)
{
    struct sim *s = deis_alloc(sizeof(*s));

    s->world = world_new();
    s->rows = deis_map_new(free);
    s->now_ms = 1000000;
    return s;
}

void sim_free(struct sim *s)
{
    world_free(s->world);
    deis_map_free(s->rows);
    free(s);
}

const struct world *sim_world(const struct sim *s)
{
    return s->world;
}

void sim_pass(struct sim *s, uint64_t ms)
{
    s->now_ms += ms;
}

static void apply(struct sim *s, const char *key, const char *value)
{
    struct row *row = deis_map_get(s->rows, deis_str(key));
    struct deis_err err = DEIS_ERR_INIT;

    s->revision++;
    if (value && !row) {
        row = deis_alloc(sizeof(*row));
        row->create = s->revision;
        deis_map_set(s->rows, deis_str(key), row);
    }
    if (value) {
        row->mod = s->revision;
    }
    int r = world_apply(s->world, key, deis_str(value), !value, value ? row->create : 0,
                        s->revision, s->now_ms, &err);
    if (r < 0) {
        fail_msg("%s: %s", key, err.msg);
    }
    if (!value) {
        deis_map_remove(s->rows, deis_str(key));
    }
}

void sim_put(struct sim *s, const char *key, const char *value)
{
    char full[DEIS_KEY_MAX];

    apply(s, deis_key(full, "%s", key), value);
}

void sim_delete(struct sim *s, const char *key)
{
    sim_put(s, key, NULL);
}

void sim_machine(struct sim *s, const char *id, const char *tags)
{
    deis_autofree char *key = deis_asprintf("machines/%s", id);
    deis_autofree char *presence = deis_asprintf("machines/%s/presence", id);
    deis_autofree char *value = deis_asprintf(
        "{\"id\":\"%s\",\"hostname\":\"%s\",\"address\":\"10.0.0.1\",\"bus\":\"tcp://127.0.0.1:7003\","
        "\"metadata\":%s,\"cpus\":2,\"memory_bytes\":1024}",
        id, id, tags);

    sim_put(s, key, value);
    sim_put(s, presence, "{}");
}

void sim_formation(struct sim *s, const char *app, unsigned generation, unsigned release,
                   unsigned web, unsigned worker)
{
    deis_autofree char *key = deis_asprintf("formations/%s", app);
    deis_autofree char *value = deis_asprintf(
        "{\"app\":\"%s\",\"generation\":%u,\"operation\":\"op%u\",\"release\":%u,"
        "\"image\":\"img:%u\",\"env\":\"sealed%u\",\"grace_ms\":10000,\"start_timeout_ms\":60000,"
        "\"health\":null,\"processes\":{"
        "\"web\":{\"count\":%u,\"memory_bytes\":67108864,\"cpu_shares\":0,\"routable\":true},"
        "\"worker\":{\"count\":%u,\"memory_bytes\":0,\"cpu_shares\":0,\"routable\":false}}}",
        app, generation, generation, release, release, release, web, worker);

    sim_put(s, key, value);
}

void sim_state(struct sim *s, const char *unit, const char *state, bool ready, unsigned exits)
{
    const struct world_unit *u = world_unit(s->world, unit);

    assert_non_null(u);
    deis_autofree char *key = deis_asprintf("states/%s/%s", u->doc.machine, unit);
    deis_autofree char *value = deis_asprintf(
        "{\"unit\":\"%s\",\"app\":\"%s\",\"type\":\"%s\",\"num\":%u,\"release\":%u,"
        "\"machine\":\"%s\",\"state\":\"%s\",\"ready\":%s,\"address\":\"172.18.0.2:5000\","
        "\"container\":\"c1\",\"exits\":%u,\"exit\":{\"code\":3,\"oom\":false,\"error\":\"\",\"at\":5},"
        "\"reason\":\"the reason\",\"since\":1}",
        unit, u->doc.app, u->doc.type, u->doc.num, u->doc.release, u->doc.machine, state,
        ready ? "true" : "false", exits);
    sim_put(s, key, value);
}

size_t sim_step(struct sim *s)
{
    struct plan *plan = plan_make(s->world, digest, EPOCH, s->now_ms, 1700000000000);
    size_t count = plan->count;

    for (size_t i = 0; i < count; i++) {
        const struct plan_action *a = &plan->actions[i];
        const struct row *row = deis_map_get(s->rows, deis_str(a->key));
        if ((row ? row->mod : 0) != a->guard) {
            fail_msg("guard of '%s' does not hold (%s)", a->key, a->note);
        }
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(a->key, plan->actions[j].key);
        }
    }
    for (size_t i = 0; i < count; i++) {
        apply(s, plan->actions[i].key, plan->actions[i].value);
    }
    plan_free(plan);
    return count;
}

uint64_t sim_sleep(struct sim *s)
{
    struct plan *plan = plan_make(s->world, digest, EPOCH, s->now_ms, 0);
    uint64_t ms = plan->wake_ms == UINT64_MAX ? UINT64_MAX : plan->wake_ms - s->now_ms;

    plan_free(plan);
    return ms;
}

void sim_settle(struct sim *s)
{
    for (int round = 0; round < 20; round++) {
        if (sim_step(s) == 0) {
            return;
        }
    }
    fail_msg("the plan never becomes empty");
}

/* One round of the agents; true when they did anything. */
static bool agents_act(struct sim *s)
{
    bool acted = false;
    char *todo[256];
    size_t count = 0;

    WORLD_EACH(s->world->units, struct world_unit, u)
    {
        assert_true(count < DEIS_COUNT(todo));
        todo[count++] = deis_strdup(u->doc.unit);
    }
    for (size_t i = 0; i < count; i++) {
        const struct world_unit *u = world_unit(s->world, todo[i]);
        const struct world_state *st = world_state_of(s->world, u);
        if (u->doc.desired == DEIS_DESIRED_RUN && (!st || !st->doc.ready)) {
            sim_state(s, todo[i], "up", true, 0);
            acted = true;
        } else if (u->doc.desired == DEIS_DESIRED_STOP && st) {
            deis_autofree char *key = deis_asprintf("states/%s/%s", u->doc.machine, todo[i]);
            sim_delete(s, key);
            acted = true;
        }
        free(todo[i]);
    }
    return acted;
}

void sim_converge(struct sim *s)
{
    for (int round = 0; round < 50; round++) {
        bool acted = agents_act(s);
        if (sim_step(s) == 0 && !acted && sim_sleep(s) > PLAN_DRAIN_MAX_MS) {
            return;
        }
        sim_pass(s, PLAN_DRAIN_ALONE_MS);
    }
    fail_msg("the world does not converge");
}

size_t sim_count(const struct sim *s, const char *app, unsigned release, enum deis_desired desired)
{
    size_t count = 0;

    WORLD_EACH(s->world->units, struct world_unit, u)
    {
        count +=
            strcmp(u->doc.app, app) == 0 && u->doc.release == release && u->doc.desired == desired;
    }
    return count;
}

const char *sim_unit(const struct sim *s, const char *app, unsigned release, const char *type,
                     unsigned num)
{
    const char *found = NULL;

    WORLD_EACH(s->world->units, struct world_unit, u)
    {
        bool match = strcmp(u->doc.app, app) == 0 && u->doc.release == release &&
                     strcmp(u->doc.type, type) == 0 && u->doc.num == num;
        if (match && (!found || u->doc.desired == DEIS_DESIRED_RUN)) {
            found = u->doc.unit;
        }
    }
    return found;
}

const struct deis_rollout *sim_rollout(const struct sim *s, const char *app)
{
    const struct world_rollout *r = deis_map_get(s->world->rollouts, deis_str(app));

    return r ? &r->doc : NULL;
}
