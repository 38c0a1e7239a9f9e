/* SPDX-License-Identifier: MIT */
#include "router/drains.h"

#include "router/source.h"

#include "lib/net/log.h"

enum {
    RETRY_BASE_MS = 500,
    RETRY_MAX_MS = 5000,
    OPS_MAX = 256, /* of one job */
};

enum drain_state {
    DRAIN_WAITING, /* in use by a worker, or requests in flight */
    DRAIN_WRITTEN, /* its key is in etcd, or may be */
};

struct drain {
    enum drain_state state;
    uint64_t generation; /* the first table without the unit */
};

struct op {
    char *unit;
    bool put;
};

/* One round of etcd calls, on a worker thread. */
struct job {
    struct drains *drains;
    char *name;    /* that the keys are below */
    int64_t lease; /* 0: the keys stay */
    bool list;     /* first find out which keys of ours are there */
    struct op ops[OPS_MAX];
    size_t count;
    size_t done;
    struct deis_etcd_range found;
    int code;
    struct deis_err err;
};

struct drains {
    struct router *router;
    struct deis_map *units; /* unit -> struct drain */
    struct deis_timer *retry;
    unsigned attempt;
    bool busy;
    bool listed;
    bool stopped;
    bool paused;
    char *name; /* that the keys are below; NULL: the instance */
};

static void on_retry(void *arg)
{
    drains_update(arg);
}

struct drains *drains_start(struct router *r)
{
    struct drains *d = deis_alloc(sizeof(*d));

    d->router = r;
    d->units = deis_map_new(free);
    d->retry = deis_timer_new(r->loop, on_retry, d);
    return d;
}

static const char *name_of(const struct drains *d)
{
    return d->name ? d->name : d->router->settings.instance;
}

static int write_one(struct job *j, const struct op *op)
{
    struct router *r = j->drains->router;
    char key[DEIS_KEY_MAX];
    char unit_key[DEIS_KEY_MAX];

    deis_key(key, "drained/%s/%s", j->name, op->unit);
    if (!op->put) {
        int code = deis_etcd_delete(source_etcd(r->source), key, &j->err);
        return code == DEIS_NOT_FOUND ? 0 : code;
    }
    deis_autotxn struct deis_etcd_txn *t = deis_etcd_txn_new();
    deis_etcd_if_exists(t, deis_key(unit_key, "units/%s", op->unit));
    deis_etcd_then_put(t, key, DEIS_STR("{}"), j->lease);
    int code = deis_etcd_commit(source_etcd(r->source), t, NULL, NULL, &j->err);
    return code == DEIS_CONFLICT ? 0 : code; /* the unit is gone: nobody waits any more */
}

static void work_job(void *arg)
{
    struct job *j = arg;
    struct router *r = j->drains->router;
    char prefix[DEIS_KEY_MAX];

    if (j->list) {
        deis_key(prefix, "drained/%s/", j->name);
        j->code = deis_etcd_list_keys(source_etcd(r->source), prefix, &j->found, &j->err);
    }
    while (j->code == 0 && j->done < j->count) {
        j->code = write_one(j, &j->ops[j->done]);
        j->done += j->code == 0;
    }
}

static void take_found(struct drains *d, const struct deis_etcd_range *found)
{
    for (size_t i = 0; i < found->count; i++) {
        const char *unit = strrchr(found->kvs[i].key, '/') + 1;
        if (!deis_map_get(d->units, deis_str(unit))) {
            struct drain *drain = deis_alloc(sizeof(*drain));
            drain->state = DRAIN_WRITTEN;
            deis_map_set(d->units, deis_str(unit), drain);
        }
    }
}

static void finish_op(struct drains *d, const struct op *op)
{
    struct drain *drain = deis_map_get(d->units, deis_str(op->unit));

    if (drain && op->put) {
        drain->state = DRAIN_WRITTEN;
        deis_info("unit drained", KV_S("unit", op->unit));
    } else if (drain) {
        deis_map_remove(d->units, deis_str(op->unit));
    }
}

static void job_free(struct job *j)
{
    for (size_t i = 0; i < j->count; i++) {
        free(j->ops[i].unit);
    }
    deis_etcd_range_clear(&j->found);
    free(j->name);
    free(j);
}

static void done_job(void *arg)
{
    struct job *j = arg;
    struct drains *d = j->drains;

    bool is_ours = strcmp(j->name, name_of(d)) == 0; /* it may have got another name meanwhile */

    d->busy = false;
    if (is_ours && j->list && j->code == 0) {
        d->listed = true;
        take_found(d, &j->found);
    }
    for (size_t i = 0; i < j->count; i++) {
        if (is_ours && i < j->done) {
            finish_op(d, &j->ops[i]);
        }
    }
    if (j->code < 0 && !d->stopped) {
        deis_warn("can't tell etcd which units are drained", KV_ERR(&j->err));
        deis_timer_after(d->retry, deis_backoff_ms(d->attempt++, RETRY_BASE_MS, RETRY_MAX_MS));
    } else {
        d->attempt = 0;
        if (!d->stopped) {
            drains_update(d);
        }
    }
    job_free(j);
}

/* Note the units that are to go. */
static void collect(struct drains *d)
{
    size_t cursor = 0;
    const char *unit;
    enum route_desired desired;

    while (route_model_leaving(d->router->model) > 0 &&
           route_model_next_unit(d->router->model, &cursor, &unit, &desired)) {
        if (desired != ROUTE_RUN && !deis_map_get(d->units, deis_str(unit))) {
            struct drain *drain = deis_alloc(sizeof(*drain));
            drain->generation = d->router->table->generation;
            deis_map_set(d->units, deis_str(unit), drain);
        }
    }
}

static void add_op(struct job *j, struct deis_str unit, bool put)
{
    if (j->count < OPS_MAX) {
        j->ops[j->count++] = (struct op){ deis_str_dup(unit), put };
    }
}

/* What etcd should be told now. */
static void choose(struct drains *d, struct job *j)
{
    struct router *r = d->router;
    uint64_t adopted = router_adopted(r);
    size_t cursor = 0;
    struct deis_str unit;
    void *value;

    while (deis_map_next(d->units, &cursor, &unit, &value)) {
        struct drain *drain = value;
        deis_autofree char *name = deis_str_dup(unit);
        enum route_desired desired;
        bool leaving = route_model_unit(r->model, name, &desired) && desired != ROUTE_RUN;
        if (!leaving && drain->state == DRAIN_WAITING) {
            deis_map_remove(d->units, unit);
        } else if (!leaving) {
            add_op(j, unit, false);
        } else if (drain->state == DRAIN_WAITING && adopted >= drain->generation &&
                   route_registry_in_flight(r->registry, name) == 0) {
            add_op(j, unit, true);
        }
    }
}

static void count_waiting(struct drains *d)
{
    size_t cursor = 0;
    struct deis_str unit;
    void *value;
    int waiting = 0;

    while (deis_map_next(d->units, &cursor, &unit, &value)) {
        waiting += ((struct drain *)value)->state == DRAIN_WAITING;
    }
    /* Before in-flight counts are read: a worker that brings one to zero afterwards says so. */
    atomic_store(&d->router->idle_wanted, waiting);
}

void drains_update(struct drains *d)
{
    struct deis_err err;

    if (!d || d->busy || d->stopped || d->paused || !source_synced(d->router->source)) {
        return;
    }
    collect(d);
    count_waiting(d);
    struct job *j = deis_alloc(sizeof(*j));
    j->drains = d;
    j->name = deis_strdup(name_of(d));
    j->list = !d->listed;
    j->lease = d->name ? source_leaving_lease(d->router->source) : 0;
    choose(d, j);
    if (j->count == 0 && !j->list) {
        job_free(j);
        return;
    }
    d->busy = true;
    if (deis_workers_run(d->router->jobs, work_job, done_job, j, &err) < 0) {
        j->code = err.code;
        j->err = err;
        done_job(j);
    }
}

void drains_pause(struct drains *d)
{
    if (d) {
        d->paused = true;
    }
}

bool drains_paused(const struct drains *d)
{
    return !d || (d->paused && !d->busy);
}

void drains_resume(struct drains *d, const char *name)
{
    size_t cursor = 0;
    struct deis_str unit;
    void *value;

    if (!d) {
        return;
    }
    free(d->name);
    d->name = name ? deis_strdup(name) : NULL;
    /* What was said under the other name is to be said again. */
    while (deis_map_next(d->units, &cursor, &unit, &value)) {
        ((struct drain *)value)->state = DRAIN_WAITING;
    }
    d->listed = false;
    d->paused = false;
    drains_update(d);
}

void drains_halt(struct drains *d)
{
    if (d) {
        d->stopped = true;
    }
}

void drains_stop(struct drains *d)
{
    if (d) {
        deis_timer_free(d->retry);
        deis_map_free(d->units);
        free(d->name);
        free(d);
    }
}
