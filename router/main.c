/* SPDX-License-Identifier: MIT */
#include "router/access_bus.h"
#include "router/admin.h"
#include "router/certs.h"
#include "router/control.h"
#include "router/core/route_file.h"
#include "router/drains.h"
#include "router/edge.h"
#include "router/firewall_load.h"
#include "router/handover.h"
#include "router/kept.h"
#include "router/router.h"
#include "router/saved.h"
#include "router/source.h"
#include "router/ssh.h"
#include "router/takeover.h"

#include "lib/base/clock.h"
#include "lib/crypto/keys.h"
#include "lib/net/file.h"
#include "lib/net/log.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
    STOP_MS = 30 * 1000,
    STOP_LOG_MS = 2000,
    STOP_TICK_MS = 100,
    DESCRIPTORS_FEW = 1024,
    DESCRIPTORS_RESERVED = 256, /* for all that is no proxied connection */
    JOBS_MAX = 16,
};

uint64_t router_adopted(const struct router *r)
{
    uint64_t least = r->table->generation;

    /* One that has ended has the highest there is. */
    for (unsigned i = 0; i < r->worker_count; i++) {
        uint64_t g = atomic_load(&r->workers[i]->generation);
        least = g < least ? g : least;
    }
    return least;
}

void router_set_policy(const struct router *r, struct route_model *m)
{
    const struct settings *s = &r->settings;
    struct route_limits limits = { s->body_max > 0 ? s->body_max : UINT64_MAX,
                                   s->answer_timeout_ms };
    struct route_defaults defaults = { .enforce_whitelist = s->enforce_whitelist,
                                       .affinity_arg = s->affinity_arg,
                                       .requests_max = s->app_requests,
                                       .connections_max = s->app_connections,
                                       .address_max = s->app_address,
                                       .rate_minute = s->app_rate,
                                       .rate_burst = s->app_burst,
                                       .controller_whitelist = s->controller_whitelist,
                                       .controller_connect_ms = s->controller_connect_ms,
                                       .controller_read_ms = s->controller_read_ms,
                                       .controller_send_ms = s->controller_send_ms };
    struct deis_gzip gzip;
    struct deis_err err;

    struct route_firewall firewall = { s->firewall, (int)s->firewall_status, s->firewall_body_max };

    settings_gzip(s, &gzip);
    route_model_set_limits(m, &limits);
    route_model_set_firewall(m, &firewall);
    route_model_set_gzip(m, &gzip);
    route_model_set_defaults(m, &defaults, &err);
    if (err.code < 0) {
        deis_warn("setting ignored", KV_ERR(&err));
    }
}

/* Who was served unexamined so far may be for a moment more: a new table is not held up. */
static void want_firewall(const struct router *r, const struct route_table *t)
{
    if (t->examines) {
        firewall_load_want(r->firewall, !r->live || r->table->app_count == 0);
    }
}

static bool build_table(struct router *r)
{
    uint64_t start_us = deis_now_us();
    uint64_t generation = r->table ? r->table->generation + 1 : 1;
    struct route_table *t = route_model_build(r->model, generation);

    if (!t) {
        return false;
    }
    want_firewall(r, t);
    route_table_unref(r->table);
    r->table = t;
    r->table_ms = deis_now_ms();
    r->table_build_us = deis_now_us() - start_us;
    return true;
}

static void hand_out(struct router *r)
{
    for (unsigned i = 0; i < r->worker_count; i++) {
        worker_give_table(r->workers[i], r->table);
    }
    saved_changed(r);
}

bool router_publish(struct router *r)
{
    if (!build_table(r)) {
        return false;
    }
    hand_out(r);
    return true;
}

void router_take_table(struct router *r, struct route_model *m, struct route_table *t)
{
    struct route_model *old = r->model;

    want_firewall(r, t);
    r->model = m;
    route_table_unref(r->table);
    r->table = t;
    hand_out(r);
    if (old != m) {
        route_model_free(old);
    }
}

void router_keep_table(struct router *r)
{
    for (size_t i = 0; i < r->table->app_count; i++) {
        const struct route_app *a = route_table_at(r->table, i);
        for (size_t k = 0; k < a->count; k++) {
            atomic_store(&a->endpoints[k]->retired, false);
        }
    }
}

static void on_adopted(void *arg)
{
    struct router *r = arg;

    control_on_adopted(r->control);
    drains_update(r->drains);
}

static void on_idle(void *arg)
{
    drains_update(((struct router *)arg)->drains);
}

static void on_access(void *arg)
{
    access_bus_wake(((struct router *)arg)->access_bus);
}

static void end_if_done(struct router *r)
{
    if (r->ended == r->worker_count && ssh_idle(r->ssh) && access_bus_idle(r->access_bus)) {
        deis_loop_stop(r->loop);
    }
}

static void on_ended(void *arg)
{
    struct router *r = arg;

    r->ended++;
    end_if_done(r);
    on_adopted(r);
}

/* Requests and SSH sessions get their time, the last log lines a moment. */
static void on_stop_tick(void *arg)
{
    struct router *r = arg;
    bool ended = r->ended == r->worker_count && ssh_idle(r->ssh);

    r->ended_ticks += ended;
    if (++r->stop_ticks >= r->stop_ticks_max || r->ended_ticks >= STOP_LOG_MS / STOP_TICK_MS) {
        deis_loop_stop(r->loop);
    } else {
        end_if_done(r);
    }
}

void router_end_within(struct router *r, uint64_t ms)
{
    if (!r->stop_timer) {
        r->stop_timer = deis_timer_new(r->loop, on_stop_tick, r);
    }
    r->stop_ticks = 0;
    r->stop_ticks_max = (unsigned)(ms / STOP_TICK_MS);
    deis_timer_every(r->stop_timer, STOP_TICK_MS);
}

void router_give_up(struct router *r, const struct deis_err *err)
{
    deis_error("can't go on", KV_ERR(err));
    r->status = 1;
    deis_loop_stop(r->loop);
}

static void on_stop(void *arg)
{
    struct router *r = arg;

    if (r->stopping) {
        return;
    }
    r->stopping = true;
    deis_info("stopping");
    takeover_free(DEIS_TAKE(r->takeover));
    source_unregister(r->source);
    ssh_drain(r->ssh);
    for (unsigned i = 0; i < r->worker_count; i++) {
        worker_stop(r->workers[i], false);
    }
    router_end_within(r, STOP_MS);
}

static int load_static(struct router *r, struct deis_err *err)
{
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(ROUTE_FILE_MAX);
    int code = deis_file_read(r->settings.routes, &text, err);

    if (code < 0) {
        return code;
    }
    code = route_file_read_static(r->model, deis_buf_str(&text), err);
    if (code < 0) {
        deis_err_wrap(err, "--routes '%s'", r->settings.routes);
    }
    return code;
}

static void on_kept(const char *key, struct deis_str value, void *arg)
{
    struct router *r = arg;

    source_apply(r, r->model, key, value);
}

static int load_kept(struct router *r, struct deis_err *err)
{
    r->kept = kept_open(r->loop, r->settings.data, r->keys, err);
    if (!r->kept) {
        return err->code;
    }
    kept_pause(r->kept, true);
    kept_load(r->kept, on_kept, r);
    return 0;
}

static uint64_t tag_of(const char *unit, void *arg)
{
    uint8_t bytes[32];
    uint64_t tag;

    deis_key_derive_for(arg, "router-unit", deis_str_first(deis_str(unit), DEIS_NAME_MAX), bytes);
    memcpy(&tag, bytes, sizeof(tag));
    return tag != 0 ? tag : 1;
}

/* With the cluster key every router, and this one after a restart, gives a unit the same tag. */
static void set_tagger(struct router *r)
{
    struct deis_err err;

    if (deis_key_load(r->settings.cluster_key, &r->tag_key, &err) < 0) {
        deis_random(r->tag_key.bytes, sizeof(r->tag_key.bytes));
    }
    route_registry_set_tagger(r->registry, tag_of, &r->tag_key);
}

static int load_routes(struct router *r, struct deis_err *err)
{
    r->registry = route_registry_new();
    set_tagger(r);
    r->model = route_model_new(r->registry);
    router_set_policy(r, r->model);
    if (r->settings.routes) {
        if (load_static(r, err) < 0) {
            return err->code;
        }
    } else if (saved_load(r->settings.data, r->model, &r->seen, err) < 0) {
        if (err->code != DEIS_NOT_FOUND) {
            deis_warn("no routing table from disk", KV_ERR(err));
        }
        route_model_free(r->model);
        r->model = route_model_new(r->registry);
        router_set_policy(r, r->model);
    }
    if (!r->settings.routes && load_kept(r, err) < 0) {
        return err->code;
    }
    if (r->certs) {
        certs_publish(r->certs, r->model);
    }
    (void)build_table(r);
    return 0;
}

static unsigned connections_max(const struct router *r)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) {
        return 256;
    }
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    /* Most clients are idle; when all descriptors are in use the idle ones make room for units. */
    uint64_t all = limit.rlim_cur > DESCRIPTORS_FEW
                       ? (limit.rlim_cur - DESCRIPTORS_RESERVED) / 10 * 9
                       : limit.rlim_cur / 4;
    uint64_t each = all / r->workers_wanted;
    uint64_t wanted = r->settings.worker_connections;
    return (unsigned)(wanted > 0 && wanted < each ? wanted : each);
}

static int open_access_log(struct router *r, bool *ret_bus, struct deis_err *err)
{
    const char *path = r->settings.access_log;

    *ret_bus = !path && !r->settings.routes;
    if (!path || strcmp(path, "-") == 0) {
        return -1;
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (fd < 0) {
        deis_err_errno(err, errno, "can't open --access-log '%s'", path);
    }
    return fd;
}

static int start_workers(struct router *r, struct deis_err *err)
{
    unsigned count = r->workers_wanted;
    bool bus;
    int access_fd = open_access_log(r, &bus, err);

    if (err->code < 0) {
        return err->code;
    }
    struct worker_opts opts = {
        .sockets = &r->sockets,
        .worker_count = count,
        .paused = true,
        .io_uring = r->settings.io_uring,
        .connections_max = r->connections_max,
        .edge = &r->edge,
        .firewall = firewall_load_place(r->firewall),
        .buffers_max = (size_t)(r->settings.buffer_memory / count),
        .policy = r->policy,
        .access_fd = access_fd,
        .access_ring = bus,
        .main_loop = r->loop,
        .on_adopted = on_adopted,
        .on_idle = on_idle,
        .on_access = on_access,
        .on_ended = on_ended,
        .idle_wanted = &r->idle_wanted,
        .arg = r,
    };
    const char *port = strrchr(r->settings.http, ':') + 1;
    (void)snprintf(opts.port, sizeof(opts.port), "%s", port);
    if (r->certs) {
        port = strrchr(r->settings.https, ':') + 1;
        (void)snprintf(opts.https_port, sizeof(opts.https_port), "%s", port);
        opts.tls = certs_server(r->certs);
    }
    r->workers = deis_alloc(count * sizeof(struct worker *));
    for (unsigned i = 0; i < count; i++) {
        opts.index = i;
        r->workers[i] = worker_start(&opts, r->table, err);
        if (!r->workers[i]) {
            return err->code;
        }
        r->worker_count++;
    }
    return 0;
}

static int start_etcd_parts(struct router *r, struct deis_err *err)
{
    r->access_bus = access_bus_start(r);
    r->source = source_start(r, err);
    return r->source ? 0 : err->code;
}

static int open_sockets(struct router *r, struct deis_err *err)
{
    const struct settings *s = &r->settings;
    const char *ssh = s->routes ? NULL : s->ssh;

    if (sockets_open(&r->sockets, SOCKET_HTTP, s->http, r->workers_wanted, err) < 0 ||
        sockets_open(&r->sockets, SOCKET_HTTPS, s->https, r->workers_wanted, err) < 0 ||
        sockets_open(&r->sockets, SOCKET_SSH, ssh, 1, err) < 0) {
        return err->code;
    }
    return sockets_open(&r->sockets, SOCKET_METRICS, s->metrics, 1, err);
}

/* A static table needs no data folder; without one nobody can take over. */
static int start_handover(struct router *r, struct deis_err *err)
{
    if (r->settings.routes && access(r->settings.data, W_OK) < 0) {
        return 0;
    }
    r->handover = handover_start(r, err);
    return r->handover ? 0 : err->code;
}

int router_go_live(struct router *r, struct deis_err *err)
{
    const struct sockets *s = &r->sockets;

    if (r->settings.control && !(r->control = control_start(r, r->settings.control, err))) {
        return err->code;
    }
    if (sockets_listen(s, err) < 0 || start_handover(r, err) < 0) {
        return err->code;
    }
    r->live = true;
    kept_pause(r->kept, false);
    source_register(r->source);
    if (r->source) {
        r->drains = drains_start(r);
        drains_update(r->drains);
    }
    if (s->count[SOCKET_SSH] > 0) {
        r->ssh = ssh_start(r, s->fds[SOCKET_SSH][0]);
    }
    if (s->count[SOCKET_METRICS] > 0) {
        r->admin = admin_start(r, s->fds[SOCKET_METRICS][0]);
    }
    for (unsigned i = 0; i < r->worker_count; i++) {
        worker_resume(r->workers[i]);
    }
    saved_changed(r);
    deis_info("serving", KV_S("http", r->settings.http),
              KV_S("https", r->settings.https ? r->settings.https : "-"),
              KV_I("workers", r->worker_count), KV_I("hosts", route_hosts_count(r->table->hosts)));
    return 0;
}

/* A router that runs from a file has nobody to share keys with. */
static int open_keys(struct router *r, struct deis_err *err)
{
    struct deis_key random = { 0 };

    r->keys = deis_keys_open(r->settings.cluster_key, err);
    if (!r->keys && r->settings.routes) {
        deis_random(random.bytes, sizeof(random.bytes));
        r->keys = deis_keys_fixed(&random);
    }
    return r->keys ? 0 : err->code;
}

static void on_certs_changed(void *arg)
{
    struct router *r = arg;

    if (r->source) {
        source_refresh(r->source);
    } else {
        certs_publish(r->certs, r->model);
        (void)router_publish(r);
    }
}

static int start(struct router *r, struct deis_err *err)
{
    err->code = DEIS_OK;
    r->loop = deis_loop_new();
    r->jobs = deis_workers_new(r->loop, 1, JOBS_MAX);
    r->saved = saved_start(r);
    r->takeover = takeover_begin(r);
    if (open_keys(r, err) < 0 ||
        (r->settings.https && !(r->certs = certs_new(&r->settings, r->keys, r->loop, err)))) {
        return err->code;
    }
    edge_init(&r->edge);
    r->firewall =
        firewall_load_new(r->loop, r->settings.firewall_module, r->settings.firewall_rules);
    if (load_routes(r, err) < 0) {
        return err->code;
    }
    err->code = DEIS_OK;
    /* What was set before is known now, and stays for the life of this process. */
    r->workers_wanted = settings_workers(&r->settings);
    r->connections_max = connections_max(r);
    edge_update(r);
    if (open_sockets(r, err) < 0 || start_workers(r, err) < 0 ||
        (!r->settings.routes && start_etcd_parts(r, err) < 0)) {
        return err->code;
    }
    if (r->certs) {
        certs_start_ocsp(r->certs, on_certs_changed, r);
    }
    if (!r->takeover) {
        return router_go_live(r, err);
    }
    takeover_go(r->takeover);
    return 0;
}

static void stop_all(struct router *r)
{
    for (unsigned i = 0; i < r->worker_count; i++) {
        worker_stop(r->workers[i], true);
    }
    handover_stop(DEIS_TAKE(r->handover));
    takeover_free(DEIS_TAKE(r->takeover));
    admin_stop(r->admin);
    ssh_stop(r->ssh);
    /* What the workers have posted still runs, and finds these gone. */
    control_stop(DEIS_TAKE(r->control));
    access_bus_stop(DEIS_TAKE(r->access_bus));
    drains_halt(r->drains);
    for (unsigned i = 0; i < r->worker_count; i++) {
        worker_join(r->workers[i]);
    }
    r->worker_count = 0;
    free(r->workers);
    certs_stop_ocsp(r->certs);
    saved_flush(r);
    deis_workers_free(r->jobs);
    drains_stop(DEIS_TAKE(r->drains));
    source_stop(r->source);
    kept_close(r->kept);
    deis_timer_free(r->stop_timer);
    saved_stop(DEIS_TAKE(r->saved));
    deis_timer_free(r->leave_timer);
    firewall_load_stop(r->firewall);
    deis_loop_free(r->loop);
    firewall_load_free(r->firewall);
    route_model_free(r->model);
    route_table_unref(r->table);
    route_registry_free(r->registry);
    certs_free(r->certs);
    edge_policy_unref(r->policy);
    sockets_clear(&r->sockets);
    free(r->leaving_name);
    edge_clear(&r->edge);
    deis_keys_free(r->keys);
}

int main(int argc, char **argv)
{
    struct router r = { 0 };
    struct deis_err err = DEIS_ERR_INIT;

    deis_runtime_init("router");
    if (settings_load(argc, argv, &r.settings, &err) < 0) {
        (void)fprintf(stderr, "deis-router: %s\n", err.msg);
        settings_clear(&r.settings);
        return 2;
    }
    deis_log_set_level(r.settings.log_level);
    if (start(&r, &err) < 0) {
        deis_error("can't start", KV_ERR(&err));
        return 1;
    }
    deis_loop_on_stop(r.loop, on_stop, &r);
    deis_loop_run(r.loop);
    stop_all(&r);
    settings_clear(&r.settings);
    deis_info("stopped");
    return r.status;
}
