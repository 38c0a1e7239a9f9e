/* SPDX-License-Identifier: MIT */
#include "scheduler/components.h"

#include "lib/base/clock.h"
#include "lib/net/log.h"

#define LOOK_EVERY_MS  10000
#define LOOK_SOON_MS   300 /* the Engine's own restart policy may be quicker */
#define BACKOFF_MS     1000
#define BACKOFF_MAX_MS 30000
#define STABLE_MS      60000
#define STARTS_MAX     32

/* How often one was started lately: the back-off. */
struct history {
    unsigned starts;
    uint64_t last_ms;
    uint64_t not_before_ms;
};

struct components {
    const struct context *ctx;
    struct deis_workers *worker;
    struct deis_docker_events *events;
    struct deis_timer *timer;
    struct deis_map *histories; /* by container id */
    bool busy;
    bool again;
    bool stopping;
};

struct round {
    struct components *owner;
    json_t *list;
    int rc;
    struct deis_err err;
    /* second half: containers to start */
    char *start[STARTS_MAX];
    char *name[STARTS_MAX];
    size_t count;
};

static void look_within(struct components *c, uint64_t ms)
{
    if (c->busy) {
        c->again = true;
    } else if (!c->stopping) {
        deis_timer_after(c->timer, ms);
    }
}

static void list(void *arg)
{
    struct round *r = arg;
    const char *labels[] = { r->owner->ctx->settings->components, NULL };

    r->rc = deis_docker_list(r->owner->ctx->docker, labels, &r->list, &r->err);
}

static void start_all(void *arg)
{
    struct round *r = arg;

    for (size_t i = 0; i < r->count; i++) {
        struct deis_err err = DEIS_ERR_INIT;
        if (deis_docker_start(r->owner->ctx->docker, r->start[i], &err) < 0) {
            deis_warn("component can't be started", KV_S("component", r->name[i]), KV_ERR(&err));
        } else {
            deis_info("component is started again", KV_S("component", r->name[i]));
        }
    }
}

static void round_free(struct round *r)
{
    for (size_t i = 0; i < r->count; i++) {
        free(r->start[i]);
        free(r->name[i]);
    }
    json_decref(r->list);
    free(r);
}

static void over(void *arg)
{
    struct round *r = arg;
    struct components *c = r->owner;
    bool soon = c->again || r->count > 0;

    c->busy = false;
    c->again = false;
    round_free(r);
    look_within(c, soon ? BACKOFF_MS : LOOK_EVERY_MS);
}

static const char *text(const json_t *obj, const char *key)
{
    const char *t = json_string_value(json_object_get(obj, key));

    return t ? t : "";
}

/* Is it its turn? Counts it as started if so. */
static bool may_start(struct components *c, const char *id)
{
    struct history *h = deis_map_get(c->histories, deis_str(id));
    uint64_t now = deis_now_ms();

    if (!h) {
        h = deis_alloc(sizeof(*h));
        deis_map_set(c->histories, deis_str(id), h);
    }
    if (h->last_ms > 0 && now - h->last_ms > STABLE_MS) {
        h->starts = 0;
    }
    if (now < h->not_before_ms) {
        return false;
    }
    h->last_ms = now;
    h->not_before_ms =
        now + (h->starts == 0 ? 0 : deis_backoff_ms(h->starts, BACKOFF_MS, BACKOFF_MAX_MS));
    h->starts++;
    return true;
}

/* A router that another one has taken over from: it ends and stays ended. */
static bool has_left(const json_t *container)
{
    const char *name = json_string_value(json_array_get(json_object_get(container, "Names"), 0));

    return name && strstr(name, "-leaving-");
}

static void choose(struct round *r, const json_t *container)
{
    json_t *labels = json_object_get(container, "Labels");
    const char *state = text(container, "State");
    const char *id = text(container, "Id");
    bool ended = strcmp(state, "exited") == 0 || strcmp(state, "dead") == 0;

    if (ended && !json_object_get(labels, "deis.hold") && !has_left(container) &&
        r->count < STARTS_MAX && may_start(r->owner, id)) {
        r->start[r->count] = deis_strdup(id);
        r->name[r->count++] = deis_strdup(text(labels, r->owner->ctx->settings->components));
    }
}

static void listed(void *arg)
{
    struct round *r = arg;
    struct components *c = r->owner;
    size_t i;
    json_t *container;

    if (r->rc < 0) {
        deis_warn("can't list the platform's containers", KV_ERR(&r->err));
    }
    json_array_foreach(r->list, i, container)
    {
        choose(r, container);
    }
    if (c->stopping || r->count == 0 ||
        deis_workers_run(c->worker, start_all, over, r, &r->err) < 0) {
        over(r);
    }
}

static void on_timer(void *arg)
{
    struct deis_err err = DEIS_ERR_INIT;
    struct components *c = arg;
    struct round *r = deis_alloc(sizeof(*r));

    r->owner = c;
    c->busy = true;
    int rc = deis_workers_run(c->worker, list, listed, r, &err);
    if (rc < 0) {
        r->rc = rc;
        r->err = err;
        listed(r);
    }
}

static void on_event(const char *action, const char *container, const json_t *attributes, void *arg)
{
    if (strcmp(action, "die") == 0) {
        look_within(arg, LOOK_SOON_MS);
    }
}

static void on_reconnected(void *arg)
{
    look_within(arg, LOOK_SOON_MS);
}

struct components *components_start(const struct context *ctx)
{
    if (!*ctx->settings->components) {
        return NULL;
    }
    struct components *c = deis_alloc(sizeof(*c));
    c->ctx = ctx;
    c->worker = deis_workers_new(ctx->loop, 1, 4);
    c->timer = deis_timer_new(ctx->loop, on_timer, c);
    c->histories = deis_map_new(free);
    c->events = deis_docker_events_start(ctx->docker, ctx->loop, ctx->settings->components,
                                         on_event, on_reconnected, c);
    deis_timer_after(c->timer, LOOK_SOON_MS);
    return c;
}

void components_stop(struct components *c)
{
    if (!c) {
        return;
    }
    c->stopping = true;
    deis_docker_events_stop(c->events);
    deis_workers_free(c->worker);
    deis_timer_free(c->timer);
    deis_map_free(c->histories);
    free(c);
}
