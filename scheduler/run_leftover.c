/* SPDX-License-Identifier: MIT */
/*
 * One-off processes that an earlier agent on this machine started. What they are is in the labels
 * of their containers: those that somebody may still ask for are followed on, their output comes
 * from the Engine's log; of attached ones the streams are lost, so they are ended.
 */
#include "scheduler/run_priv.h"

#include "lib/base/clock.h"
#include "lib/net/log.h"

static const char *text(const json_t *obj, const char *key)
{
    const char *t = json_string_value(json_object_get(obj, key));

    return t ? t : "";
}

static Deis__RunMode mode_of(const json_t *labels)
{
    uint64_t mode = 0;

    if (deis_str_to_u64(deis_str(text(labels, RUN_LABEL_MODE)), 0, DEIS__RUN_MODE__RUN_ATTACHED,
                        &mode, NULL) < 0) {
        mode = DEIS__RUN_MODE__RUN_COLLECTED;
    }
    return (Deis__RunMode)mode;
}

/* Time left of its limit, 1 when it is over, 0 when there is none. */
static uint64_t left_ms(const json_t *labels)
{
    uint64_t until = 0, now = deis_wall_ms();

    if (deis_str_to_u64(deis_str(text(labels, RUN_LABEL_UNTIL)), 0, UINT64_MAX, &until, NULL) < 0 ||
        until == 0) {
        return 0;
    }
    return until > now ? until - now : 1;
}

static void refuse(struct run *r, const char *why)
{
    deis_err_set(&r->err, DEIS_CANCELLED, "the agent of its machine was restarted: %s", why);
    r->reported = true;
}

static void follow(struct run *r)
{
    const struct context *ctx = r->server->ctx;

    logship_add(r->server->logs, r->container, r->app, r->process);
    if (r->mode == DEIS__RUN_MODE__RUN_COLLECTED) {
        r->attachment =
            deis_docker_attach_log(ctx->docker, ctx->loop, r->container, &run_attach_ops, r);
    } else {
        r->attach_over = true;
    }
}

void run_leftover(struct run_server *s, const json_t *container)
{
    json_t *labels = json_object_get(container, "Labels");
    const char *id = text(labels, "deis.run");
    const char *state = text(container, "State");

    if (!*id || deis_map_get(s->runs, deis_str(id))) {
        return;
    }
    struct run *r = deis_alloc(sizeof(*r));
    r->server = s;
    r->mode = mode_of(labels);
    r->id = deis_strdup(id);
    r->app = deis_strdup(text(labels, "deis.app"));
    r->process = deis_strdup(text(labels, "deis.process"));
    r->container = deis_strdup(text(container, "Id"));
    run_add(r);
    deis_info("run of an earlier agent", KV_S("run", id), KV_S("state", state));
    if (strcmp(state, "created") == 0) {
        struct deis_err err = DEIS_ERR_INIT;
        deis_err_set(&err, DEIS_CANCELLED, "the agent of its machine was restarted before it ran");
        run_fail(r, &err);
        return;
    }
    if (r->mode == DEIS__RUN_MODE__RUN_ATTACHED) {
        r->attach_over = true;
        refuse(r, "the command was ended");
        run_stop(r, "SIGHUP");
    } else {
        follow(r);
    }
    run_goes_on(r, left_ms(labels));
}
