/* SPDX-License-Identifier: MIT */
#include "scheduler/agent.h"
#include "scheduler/components.h"
#include "scheduler/engine.h"
#include "scheduler/machine.h"
#include "scheduler/run.h"

#include "lib/net/file.h"
#include "lib/net/log.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct parts {
    struct runtime *runtime;
    struct logship *logs;
    struct agent *agent;
    struct run_server *runs;
    struct components *components;
    struct machine *machine;
    struct engine *engine;
};

static int open_context(struct context *ctx, struct settings *s, int *ret_lock,
                        struct deis_err *err)
{
    struct deis_etcd_opts opts = { .endpoints = s->etcd };
    struct deis_keyring ring;
    int r;

    mkdir(s->data_dir, 0700);
    if ((r = deis_folder_lock(s->data_dir, ret_lock, err)) < 0) {
        return r;
    }
    if (!*s->instance) {
        char host[256] = "scheduler";
        gethostname(host, sizeof(host) - 1);
        free(s->instance);
        s->instance = deis_strdup(host);
    }
    ctx->keys = deis_keys_open(s->cluster_key, err);
    if (!ctx->keys) {
        return err->code;
    }
    if ((r = machine_id(s, &ctx->machine, err)) < 0) {
        return r;
    }
    ctx->etcd = deis_etcd_new(&opts, err);
    if (!ctx->etcd) {
        return err->code;
    }
    ctx->settings = s;
    ctx->docker = deis_docker_new(s->docker_socket);
    ctx->directory = deis_directory_start(ctx->etcd, ctx->loop);
    deis_directory_follow_keys(ctx->directory, ctx->keys);
    deis_keys_get(ctx->keys, &ring);
    ctx->bus = deis_bus_client_new(ctx->loop, &ring.keys[0], "scheduler");
    deis_bus_client_follow(ctx->bus, ctx->keys);
    deis_keyring_clear(&ring);
    return 0;
}

static void close_context(struct context *ctx)
{
    deis_bus_client_free(ctx->bus);
    if (ctx->directory) {
        deis_directory_stop(ctx->directory);
    }
    deis_docker_free(ctx->docker);
    deis_etcd_free(ctx->etcd);
    free(ctx->machine);
    deis_keys_free(ctx->keys);
}

static int start(struct context *ctx, struct parts *p, struct deis_err *err)
{
    struct deis_service where = { .bus = ctx->settings->bus };

    p->runtime = runtime_new(ctx);
    p->logs = logship_start(ctx);
    p->agent = agent_start(ctx, p->runtime, p->logs);
    int r = run_server_start(ctx, p->runtime, p->logs, p->agent, &p->runs, err);
    if (r == 0) {
        r = machine_start(ctx, &p->machine, err);
    }
    if (r < 0) {
        return r;
    }
    deis_directory_register(ctx->directory, "scheduler", ctx->machine, &where);
    p->components = components_start(ctx);
    p->engine = ctx->settings->engine ? engine_start(ctx) : NULL;
    return 0;
}

static void stop(struct context *ctx, struct parts *p)
{
    engine_stop(p->engine);
    components_stop(p->components);
    machine_stop(p->machine);
    run_server_stop(p->runs);
    agent_stop(p->agent);
    deis_bus_client_free(DEIS_TAKE(ctx->bus)); /* what is under way ends before its owner does */
    logship_stop(p->logs);
    runtime_free(p->runtime);
}

int main(int argc, char **argv)
{
    struct settings settings = { 0 };
    struct context ctx = { 0 };
    struct parts parts = { 0 };
    struct deis_err err = DEIS_ERR_INIT;

    if (deis_conf_load(settings_rows, settings_count, "deis-scheduler",
                       "places the units of apps on machines and runs those of this machine", argc,
                       argv, &settings, NULL, &err) < 0) {
        fprintf(stderr, "deis-scheduler: %s\n", err.msg);
        return 2;
    }
    deis_runtime_init("scheduler");
    ctx.loop = deis_loop_new();
    deis_autoclose int lock = -1;
    int r = open_context(&ctx, &settings, &lock, &err);
    if (r == 0) {
        r = start(&ctx, &parts, &err);
    }
    if (r == 0) {
        deis_info("scheduler runs", KV_S("machine", ctx.machine), KV_S("bus", settings.bus));
        deis_loop_run(ctx.loop);
        deis_info("scheduler stops");
    } else {
        deis_error("can't start", KV_ERR(&err));
    }
    stop(&ctx, &parts);
    close_context(&ctx);
    deis_loop_free(ctx.loop);
    deis_conf_free(settings_rows, settings_count, &settings);
    return r == 0 ? 0 : 1;
}
