/* SPDX-License-Identifier: MIT */
/*
 * Events of the Engine are hints; its list is the truth. A sweep finds units whose container
 * changed unseen, logs to follow, and containers of ours that no unit wants.
 */
#include "scheduler/agent_priv.h"

#include "lib/net/log.h"

#define SWEEP_EVERY_MS 30000
#define SWEEP_SOON_MS  50
#define SWEEP_RETRY_MS 2000

struct sweep {
    struct agent *agent;
    json_t *list;
    int rc;
    struct deis_err err;
};

static void work(void *arg)
{
    struct sweep *s = arg;
    deis_autofree char *label = deis_asprintf("deis.agent=%s", s->agent->ctx->machine);
    const char *labels[] = { label, NULL };

    s->rc = deis_docker_list(s->agent->ctx->docker, labels, &s->list, &s->err);
}

static const char *text(const json_t *obj, const char *key)
{
    const char *t = json_string_value(json_object_get(obj, key));

    return t ? t : "";
}

/* A container of ours without a unit: a unit made of its labels, to be stopped like any other. */
static void stop_orphan(struct agent *a, const json_t *labels)
{
    uint64_t num = 0, release = 0;
    struct deis_err err = DEIS_ERR_INIT;
    struct agent_unit *u;
    struct deis_unit doc = {
        .unit = (char *)(uintptr_t)text(labels, "deis.unit"),
        .app = (char *)(uintptr_t)text(labels, "deis.app"),
        .type = (char *)(uintptr_t)text(labels, "deis.type"),
        .machine = a->ctx->machine,
        .desired = DEIS_DESIRED_STOP,
        .grace_ms = 10000,
        .image = (char *)(uintptr_t) "",
        .env = (char *)(uintptr_t) "",
    };

    if (deis_str_to_u64(deis_str(text(labels, "deis.num")), 0, UINT32_MAX, &num, &err) < 0 ||
        deis_str_to_u64(deis_str(text(labels, "deis.release")), 0, UINT32_MAX, &release, &err) <
            0) {
        deis_warn("container with odd labels", KV_S("unit", doc.unit), KV_ERR(&err));
    }
    doc.num = (uint32_t)num;
    doc.release = (uint32_t)release;
    deis_autofree char *json = deis_unit_format(&doc);
    if (agent_unit_add(a, deis_str(json), NULL, &u, &err) < 0) {
        deis_error("can't stop a container without a unit", KV_S("unit", doc.unit), KV_ERR(&err));
        return;
    }
    deis_info("container without a unit", KV_S("unit", doc.unit));
    agent_unit_drop(u);
}

static void compare_one(struct agent *a, const json_t *container)
{
    json_t *labels = json_object_get(container, "Labels");
    const char *unit = text(labels, "deis.unit");
    struct agent_unit *u = deis_map_get(a->units, deis_str(unit));

    if (!*unit) {
        if (a->on_container) {
            a->on_container(container, a->on_container_arg);
        }
        return;
    }
    if (u && u->fsm.phase == UNIT_RUN && strcmp(text(container, "State"), "running") != 0) {
        unit_fsm_hint(&u->fsm);
        agent_unit_pump(u);
    } else if (!u && a->synced && !a->held) {
        stop_orphan(a, labels);
    }
}

/* Units that think they run, but of which the list has nothing. */
static void find_missing(struct agent *a, const json_t *list)
{
    struct deis_map *there = deis_map_new(NULL);
    struct agent_unit *missing[64];
    size_t count = 0, cursor = 0, i;
    struct deis_str id;
    void *value;
    json_t *container;

    json_array_foreach(list, i, container)
    {
        deis_map_set(there, deis_str(text(json_object_get(container, "Labels"), "deis.unit")), a);
    }
    while (count < DEIS_COUNT(missing) && deis_map_next(a->units, &cursor, &id, &value)) {
        struct agent_unit *u = value;
        if (u->fsm.phase == UNIT_RUN && !deis_map_get(there, id)) {
            missing[count++] = u;
        }
    }
    for (i = 0; i < count; i++) {
        unit_fsm_hint(&missing[i]->fsm);
        agent_unit_pump(missing[i]);
    }
    deis_map_free(there);
}

static bool in_list(struct deis_str container, void *arg)
{
    return deis_map_get(arg, container) != NULL;
}

static void prune_logs(struct agent *a, const json_t *list)
{
    struct deis_map *ids = deis_map_new(NULL);
    size_t i;
    json_t *container;

    json_array_foreach(list, i, container)
    {
        deis_map_set(ids, deis_str(text(container, "Id")), a);
    }
    logship_prune(a->logs, in_list, ids);
    deis_map_free(ids);
}

static void swept(void *arg)
{
    struct sweep *s = arg;
    struct agent *a = s->agent;
    size_t i;
    json_t *container;

    a->sweeping = false;
    if (s->rc < 0) {
        deis_warn("can't list containers", KV_ERR(&s->err));
    } else if (!a->stopping) {
        json_array_foreach(s->list, i, container)
        {
            compare_one(a, container);
        }
        if (a->on_container) {
            a->on_container(NULL, a->on_container_arg);
        }
        find_missing(a, s->list);
        prune_logs(a, s->list);
    }
    if (!a->stopping) {
        deis_timer_after(a->sweep_timer, s->rc < 0        ? SWEEP_RETRY_MS
                                         : a->sweep_again ? SWEEP_SOON_MS
                                                          : SWEEP_EVERY_MS);
    }
    json_decref(s->list);
    free(s);
}

static void on_timer(void *arg)
{
    struct deis_err err = DEIS_ERR_INIT;
    struct agent *a = arg;
    struct sweep *s = deis_alloc(sizeof(*s));

    s->agent = a;
    a->sweeping = true;
    a->sweep_again = false;
    int rc = deis_workers_run(a->jobs, work, swept, s, &err);
    if (rc < 0) {
        s->rc = rc;
        s->err = err;
        swept(s);
    }
}

void agent_sweep(struct agent *a)
{
    if (a->sweeping) {
        a->sweep_again = true;
    } else if (!a->stopping) {
        deis_timer_after(a->sweep_timer, SWEEP_SOON_MS);
    }
}

static void on_event(const char *action, const char *container, const json_t *attributes, void *arg)
{
    struct agent *a = arg;
    struct agent_unit *u = deis_map_get(a->units, deis_str(text(attributes, "deis.unit")));

    if (u && (strcmp(action, "die") == 0 || strcmp(action, "destroy") == 0)) {
        unit_fsm_hint(&u->fsm);
        agent_unit_pump(u);
    }
}

static void on_reconnected(void *arg)
{
    agent_sweep(arg);
}

void agent_sweep_start(struct agent *a)
{
    deis_autofree char *label = deis_asprintf("deis.agent=%s", a->ctx->machine);

    a->sweep_timer = deis_timer_new(a->ctx->loop, on_timer, a);
    a->events =
        deis_docker_events_start(a->ctx->docker, a->ctx->loop, label, on_event, on_reconnected, a);
    agent_sweep(a);
}

void agent_sweep_stop(struct agent *a)
{
    deis_docker_events_stop(a->events);
    deis_timer_free(a->sweep_timer);
}
