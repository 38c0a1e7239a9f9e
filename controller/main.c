/* SPDX-License-Identifier: MIT */
/* deis-controller: what should be. The REST API, releases, deploys. */
#include "controller/acme.h"
#include "controller/acme_client.h"
#include "controller/applog.h"
#include "controller/busapi.h"
#include "controller/deploy.h"
#include "controller/gate.h"
#include "controller/logins.h"
#include "controller/memo.h"
#include "controller/oneoff.h"
#include "controller/pages.h"
#include "controller/rollouts.h"
#include "controller/server.h"
#include "controller/session.h"
#include "controller/waits.h"

#include "lib/base/clock.h"
#include "lib/net/log.h"

#define REQUEST_THREADS   64
#define REQUEST_QUEUE     128
#define PASSWORDS_WAITING 16 /* more would starve the other requests */
#define LARGE_WAITING     16 /* likewise */
#define OPERATION_THREADS 32
#define OPERATION_QUEUE   256
#define DESTROY_THREADS   8 /* their own, so that pushes never wait for them */
#define UPKEEP_THREADS    4 /* a pass that is long may be met by the next one, which ends at once */
#define MEMO_ENTRIES      2048
#define RELEASES_BYTES    ((size_t)4 << 20)
#define NAMES_BYTES       ((size_t)1 << 20)
#define LISTS_BYTES       ((size_t)1 << 20)
#define RESUME_EVERY_MS   5000
#define FLUSH_MAX_MS      2000
#define FLUSH_TICK_MS     20

struct program {
    struct ctl ctl;
    struct server *server;
    struct deis_bus_server *bus;
    struct deis_timer *resume;
    struct deis_timer *flush;
    uint64_t flush_until;
    bool stopping;
};

static int fail(const char *what, const struct deis_err *err)
{
    deis_error(what, KV_ERR(err));
    return 1;
}

static void resume_work(void *arg)
{
    deploy_resume(arg);
}

static void look_after(void *arg)
{
    oneoff_look_after(arg);
}

static void resume_tick(void *arg)
{
    struct program *p = arg;
    struct deis_err err = DEIS_ERR_INIT;

    if (deis_workers_run(p->ctl.upkeep, resume_work, NULL, &p->ctl, &err) < 0) {
        deis_warn("operations not looked at", KV_ERR(&err));
    }
    if (deis_workers_run(p->ctl.upkeep, look_after, NULL, &p->ctl, &err) < 0) {
        deis_warn("commands not looked at", KV_ERR(&err));
    }
    deis_timer_after(p->resume, RESUME_EVERY_MS);
}

/* Give the logger a moment to take the last lines, and clients to take the last word. */
static void flush_tick(void *arg)
{
    struct program *p = arg;

    if ((applog_is_empty(p->ctl.applog) && session_none()) || deis_now_ms() > p->flush_until) {
        deis_loop_stop(p->ctl.loop);
    } else {
        deis_timer_after(p->flush, FLUSH_TICK_MS);
    }
}

static void on_drained(void *arg)
{
    struct program *p = arg;

    p->flush_until = deis_now_ms() + FLUSH_MAX_MS;
    flush_tick(p);
}

static void on_stop(void *arg)
{
    struct program *p = arg;

    if (p->stopping) {
        deis_loop_stop(p->ctl.loop);
        return;
    }
    p->stopping = true;
    deis_info("stopping");
    deis_timer_cancel(p->resume);
    rollouts_cancel(p->ctl.rollouts); /* who waits for the engine answers now */
    server_drain(p->server, on_drained, p);
}

/* All that lives as long as the loop. */
static int start(struct program *p, const struct settings *s, struct deis_err *err)
{
    struct ctl *ctl = &p->ctl;
    const struct deis_etcd_opts etcd = { .endpoints = s->etcd };
    struct deis_keyring ring;

    ctl->etcd = deis_etcd_new(&etcd, err);
    if (!ctl->etcd) {
        return err->code;
    }
    ctl->requests = deis_workers_new(ctl->loop, REQUEST_THREADS, REQUEST_QUEUE);
    ctl->operations = deis_workers_new(ctl->loop, OPERATION_THREADS, OPERATION_QUEUE);
    ctl->destroys = deis_workers_new(ctl->loop, DESTROY_THREADS, OPERATION_QUEUE);
    ctl->upkeep = deis_workers_new(ctl->loop, UPKEEP_THREADS, UPKEEP_THREADS);
    ctl->directory = deis_directory_start(ctl->etcd, ctl->loop);
    deis_directory_follow_keys(ctl->directory, ctl->keys);
    deis_keys_get(ctl->keys, &ring);
    ctl->bus = deis_bus_sync_new(&ring.keys[0], "controller");
    deis_bus_sync_follow(ctl->bus, ctl->keys);
    ctl->bus_client = deis_bus_client_new(ctl->loop, &ring.keys[0], "controller");
    deis_bus_client_follow(ctl->bus_client, ctl->keys);
    deis_keyring_clear(&ring);
    ctl->applog = applog_start(ctl);
    ctl->rollouts = rollouts_start(ctl);
    ctl->lives = lives_new(ctl->loop);
    ctl->tokens = memo_new(MEMO_ENTRIES);
    ctl->configs = memo_new(MEMO_ENTRIES);
    ctl->releases = pages_new(RELEASES_BYTES);
    ctl->names = pages_new(NAMES_BYTES);
    ctl->lists = pages_new(LISTS_BYTES);
    ctl->logins = logins_new();
    ctl->apps = gate_new(1, REQUEST_THREADS);
    ctl->passwords = gate_new(2, PASSWORDS_WAITING);
    ctl->large = gate_new(2, LARGE_WAITING);
    ctl->quotas = gate_new(1, REQUEST_THREADS);
    ctl->waits = waits_new(REQUEST_THREADS - WAITS_MAX);
    settings_follow(ctl->settings, ctl->etcd, ctl->loop);
    int r = server_start(ctl, s->http, &p->server, err);
    if (r < 0) {
        return r;
    }
    p->bus = busapi_start(ctl, s->bus, err);
    if (!p->bus) {
        return err->code;
    }
    const struct deis_service where = { .http = s->http, .bus = s->bus };
    deis_directory_register(ctl->directory, "controller", ctl->instance, &where);
    p->flush = deis_timer_new(ctl->loop, flush_tick, p);
    p->resume = deis_timer_new(ctl->loop, resume_tick, p);
    deis_timer_after(p->resume, 500);
    ctl->acme = acme_start(ctl);
    deis_loop_on_stop(ctl->loop, on_stop, p);
    return DEIS_OK;
}

/* In this order: first who asks, then who works, then what both use. */
static void stop(struct program *p)
{
    struct ctl *ctl = &p->ctl;

    if (ctl->rollouts) {
        rollouts_cancel(ctl->rollouts);
    }
    acme_stop(DEIS_TAKE(ctl->acme));
    deis_timer_free(p->resume);
    deis_timer_free(p->flush);
    server_free(p->server);
    deis_workers_free(ctl->requests);
    deis_workers_free(ctl->upkeep); /* it hands operations on */
    deis_workers_free(ctl->operations);
    deis_workers_free(ctl->destroys);
    deis_bus_server_free(p->bus);
    settings_unfollow(ctl->settings);
    rollouts_stop(ctl->rollouts);
    deis_bus_client_free(ctl->bus_client);
    applog_stop(ctl->applog);
    deis_bus_sync_free(ctl->bus);
    if (ctl->directory) {
        deis_directory_stop(ctl->directory);
    }
    lives_free(ctl->lives);
    memo_free(ctl->tokens);
    memo_free(ctl->configs);
    pages_free(ctl->releases);
    pages_free(ctl->names);
    pages_free(ctl->lists);
    logins_free(ctl->logins);
    gate_free(ctl->apps);
    gate_free(ctl->passwords);
    gate_free(ctl->large);
    gate_free(ctl->quotas);
    waits_free(ctl->waits);
    deis_etcd_free(ctl->etcd);
}

int main(int argc, char **argv)
{
    struct program p = { 0 };
    settings_auto struct settings s = { 0 };
    struct deis_err err = DEIS_ERR_INIT;
    int hook_status;

    if (acme_hook_main(argc, argv, &hook_status)) {
        return hook_status;
    }
    deis_runtime_init("controller");
    if (settings_load(argc, argv, &p.ctl.settings, &err) < 0) {
        fprintf(stderr, "deis-controller: %s\n", err.msg);
        return 2;
    }
    settings_get(p.ctl.settings, &s);
    p.ctl.keys = deis_keys_open(s.cluster_key, &err);
    if (!p.ctl.keys) {
        settings_free(p.ctl.settings);
        return fail("no cluster key", &err);
    }
    snprintf(p.ctl.instance, sizeof(p.ctl.instance), "%.100s", s.instance);
    deis_random_hex(p.ctl.boot, 8);
    p.ctl.loop = deis_loop_new();
    int status = 0;
    if (start(&p, &s, &err) < 0) {
        status = fail("not started", &err);
    } else {
        deis_info("started", KV_S("http", s.http), KV_S("bus", s.bus),
                  KV_S("instance", p.ctl.instance));
        deis_loop_run(p.ctl.loop);
    }
    stop(&p);
    deis_loop_free(p.ctl.loop);
    deis_keys_free(p.ctl.keys);
    settings_free(p.ctl.settings);
    return status;
}
