/* SPDX-License-Identifier: MIT */
/* The daemon: takes SSH connections, keeps the settings file of the short-lived roles fresh, and
 * the data tidy. */
#include "builder/file.h"
#include "builder/front.h"
#include "builder/janitor.h"
#include "builder/record.h"
#include "builder/repo.h"
#include "builder/roles.h"
#include "builder/sshd.h"

#include "lib/base/clock.h"
#include "lib/model/directory.h"
#include "lib/net/log.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define TIDY_SOON_MS 5000
#define TIDY_MS      600000
#define STOP_MS      8000
#define STOP_POLL_MS 50

struct serve {
    const char *self;
    struct settings settings;
    char *settings_path;
    char controller_bus[DEIS_KEY_MAX]; /* as written to the file last */
    struct deis_loop *loop;
    struct deis_etcd *etcd;
    struct deis_docker *docker;
    struct deis_keys *keys; /* the short-lived roles read the file themselves */
    struct deis_directory *directory;
    struct deis_etcd_watch *apps;
    struct deis_etcd_watch *config;
    bool apps_judged; /* since the last change */
    struct deis_workers *workers;
    struct event *child_event;

    struct front *front;

    struct deis_timer *tidy_timer;
    bool tidying;
    bool tidy_again;
    bool tidy_apps;      /* wanted in the next round */
    bool tidy_with_apps; /* of the round under way */
    uint64_t apps_tidied_ms;
    struct janitor_left tidy_left;

    bool stopping;
    uint64_t stop_deadline_ms;
    struct deis_timer *stop_timer;
};

/* --- settings of the short-lived roles --- */

static int write_settings(struct serve *v, struct deis_err *err)
{
    struct settings copy = v->settings;

    if (v->controller_bus[0] != '\0') {
        copy.controller_bus = v->controller_bus;
    }
    return settings_save(&copy, v->settings_path, err);
}

static void refresh_settings(struct serve *v)
{
    struct deis_err err = DEIS_ERR_INIT;

    if (write_settings(v, &err) < 0) {
        deis_error("can't write settings", KV_ERR(&err));
    }
}

static void on_directory(void *arg)
{
    struct serve *v = arg;
    char address[DEIS_KEY_MAX];

    if (deis_directory_find(v->directory, "controller", "bus", address) &&
        strcmp(address, v->controller_bus) != 0) {
        memcpy(v->controller_bus, address, sizeof(address));
        deis_info("controller found", KV_S("bus", address));
        refresh_settings(v);
    }
}

static void on_config(const struct deis_etcd_kv *kv, bool deleted, void *arg)
{
    struct serve *v = arg;
    struct deis_err err = DEIS_ERR_INIT;
    struct deis_str key = deis_key_below(kv->key, "config/builder/");

    int rc = deis_conf_apply(settings_rows, settings_row_count, &v->settings, key,
                             deleted ? NULL : kv->value.ptr, &err);
    if (rc == DEIS_INVALID) {
        deis_warn("setting ignored", KV_V("key", key), KV_ERR(&err));
    }
}

static void on_config_synced(int64_t revision, void *arg)
{
    refresh_settings(arg);
}

/* --- tidying --- */

static void tidy_work(void *arg)
{
    struct serve *v = arg;
    struct janitor j = { &v->settings, v->etcd, v->docker };

    janitor_round(&j, v->tidy_with_apps, &v->tidy_left);
}

static void tidy_start(void *arg);

static void tidy_done(void *arg)
{
    struct serve *v = arg;

    v->tidying = false;
    v->tidy_apps = v->tidy_apps || v->tidy_left.apps > 0;
    if (v->tidy_again) {
        v->tidy_again = false;
        tidy_start(v);
        return;
    }
    bool soon = v->tidy_left.apps > 0 || v->tidy_left.builds > 0;
    deis_timer_after(v->tidy_timer, soon ? TIDY_SOON_MS : TIDY_MS);
}

static void tidy_start(void *arg)
{
    struct serve *v = arg;
    struct deis_err err = DEIS_ERR_INIT;
    uint64_t now = deis_now_ms();

    if (v->tidying || v->stopping) {
        v->tidy_again = v->tidying;
        return;
    }
    v->tidying = true;
    v->tidy_with_apps = v->tidy_apps || now - v->apps_tidied_ms >= TIDY_MS;
    if (deis_workers_run(v->workers, tidy_work, tidy_done, v, &err) < 0) {
        v->tidying = false;
        deis_timer_after(v->tidy_timer, TIDY_SOON_MS);
        return;
    }
    if (v->tidy_with_apps) {
        v->tidy_apps = false;
        v->apps_tidied_ms = now;
    }
}

static void note_record(const char *id, void *arg)
{
    *(bool *)arg = true;
}

/* After a connection: a record that is left may be of a build that was killed. */
static void tidy_after_push(struct serve *v)
{
    bool any = false;

    record_each(&v->settings, note_record, &any);
    if (any) {
        tidy_start(v);
    }
}

/* Only apps/<app> itself tells of an app's end; what lies below comes and goes with releases. */
static void on_app(const struct deis_etcd_kv *kv, bool deleted, void *arg)
{
    struct serve *v = arg;
    struct deis_str name = deis_key_below(kv->key, "apps/");

    if (deleted && deis_str_find(name, '/') < 0) {
        v->apps_judged = false;
    }
}

static void on_apps_synced(int64_t revision, void *arg)
{
    struct serve *v = arg;

    if (!v->apps_judged) {
        v->apps_judged = true;
        v->tidy_apps = true;
        tidy_start(v);
    }
}

/* --- children --- */

/* As the first process of a container we also inherit the children of sessions that were killed. */
static void on_child(evutil_socket_t fd, short what, void *arg)
{
    struct serve *v = arg;
    int status = 0;
    bool pushed = false;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        pushed = front_reaped(v->front, pid, status) || pushed;
    }
    if (pushed) {
        tidy_after_push(v);
    }
}

/* --- stopping --- */

struct signal_builds {
    struct serve *v;
    unsigned running;
    bool send;
};

/* A build under way is told to end, and cleans up behind it. One whose deploy has begun may finish.
 */
static void each_build(const char *id, void *arg)
{
    struct signal_builds *b = arg;
    struct deis_err err = DEIS_ERR_INIT;
    struct record r;
    int lock = -1;

    if (record_load(&b->v->settings, id, &r, &err) < 0) {
        return;
    }
    if (repo_lock(&b->v->settings, r.app, &lock, &err) == DEIS_OK) {
        close(lock);
    } else {
        b->running++;
        if (b->send && r.pid > 1 && r.phase != RECORD_DEPLOYING) {
            kill(r.pid, SIGTERM);
        }
    }
    record_clear(&r);
}

static unsigned builds_running(struct serve *v, bool send)
{
    struct signal_builds b = { v, 0, send };

    record_each(&v->settings, each_build, &b);
    return b.running;
}

static void on_stop_poll(void *arg)
{
    struct serve *v = arg;

    if (builds_running(v, false) == 0 || deis_now_ms() >= v->stop_deadline_ms) {
        deis_loop_stop(v->loop);
    }
}

static void on_stop(void *arg)
{
    struct serve *v = arg;

    v->stopping = true;
    front_close(v->front);
    deis_info("stopping", KV_I("builds", builds_running(v, true)));
    v->stop_deadline_ms = deis_now_ms() + STOP_MS;
    deis_timer_every(v->stop_timer, STOP_POLL_MS);
}

/* --- the whole --- */

static int make_hook(struct serve *v, struct deis_err *err)
{
    deis_autofree char *link = deis_asprintf("%s/hooks/pre-receive", v->settings.data);
    deis_autofree char *temporary = deis_asprintf("%s.new", link);

    unlink(temporary);
    if (symlink(v->self, temporary) < 0 || rename(temporary, link) < 0) {
        return deis_err_errno(err, errno, "can't make '%s'", link);
    }
    return DEIS_OK;
}

static int prepare_data(struct serve *v, struct deis_err *err)
{
    static const char *const folders[] = { "",        "/repos", "/locks", "/builds", "/queue",
                                           "/layers", "/hooks", "/ssh",   "/run" };
    int rc = DEIS_OK;

    for (size_t i = 0; i < DEIS_COUNT(folders) && rc == DEIS_OK; i++) {
        deis_autofree char *path = deis_asprintf("%s%s", v->settings.data, folders[i]);
        rc = folder_make(path, err);
    }
    if (rc == DEIS_OK) {
        rc = make_hook(v, err);
    }
    if (rc == DEIS_OK) {
        rc = write_settings(v, err);
    }
    if (rc == DEIS_OK) {
        rc = sshd_prepare(&v->settings, v->self, v->settings_path, err);
    }
    return rc;
}

static void set_instance(struct serve *v)
{
    char host[256] = "";

    if (v->settings.instance[0] == '\0' && gethostname(host, sizeof(host) - 1) == 0) {
        free(v->settings.instance);
        v->settings.instance = deis_strdup(host);
    }
}

static int open_clients(struct serve *v, struct deis_err *err)
{
    struct deis_etcd_opts opts = { .endpoints = v->settings.etcd };

    v->keys = deis_keys_open(v->settings.cluster_key, err);
    if (!v->keys) {
        return err->code;
    }
    v->etcd = deis_etcd_new(&opts, err);
    if (!v->etcd) {
        return err->code;
    }
    v->docker = deis_docker_new(v->settings.docker);
    return DEIS_OK;
}

static void start(struct serve *v)
{
    static const struct deis_etcd_watch_ops apps_ops = { on_app, on_apps_synced, NULL };
    static const struct deis_etcd_watch_ops config_ops = { on_config, on_config_synced, NULL };
    struct deis_service where = { .ssh = v->settings.ssh, .proxy_from = v->settings.proxy_from };
    char key[DEIS_KEY_MAX];

    v->workers = deis_workers_new(v->loop, 1, 4);
    v->tidy_timer = deis_timer_new(v->loop, tidy_start, v);
    v->stop_timer = deis_timer_new(v->loop, on_stop_poll, v);
    v->child_event = evsignal_new(deis_loop_base(v->loop), SIGCHLD, on_child, v);
    event_add(v->child_event, NULL);
    deis_loop_on_stop(v->loop, on_stop, v);
    v->directory = deis_directory_start(v->etcd, v->loop);
    deis_directory_on_change(v->directory, on_directory, v);
    deis_directory_follow_keys(v->directory, v->keys);
    deis_directory_register(v->directory, "builder", v->settings.instance, &where);
    v->config =
        deis_etcd_watch_start(v->etcd, v->loop, deis_key(key, "config/builder/"), &config_ops, v);
    v->apps = deis_etcd_watch_start(v->etcd, v->loop, deis_key(key, "apps/"), &apps_ops, v);
}

static void stop(struct serve *v)
{
    deis_etcd_watch_stop(v->apps);
    deis_etcd_watch_stop(v->config);
    deis_directory_stop(v->directory);
    deis_workers_free(v->workers);
    event_free(v->child_event);
    deis_timer_free(v->tidy_timer);
    deis_timer_free(v->stop_timer);
}

static int run(struct serve *v, struct deis_err *err)
{
    repo_sweep(&v->settings);
    v->loop = deis_loop_new();
    int rc = front_start(v->loop, &v->settings, &v->front, err);
    if (rc == DEIS_OK) {
        deis_info("listening", KV_S("ssh", v->settings.ssh), KV_S("data", v->settings.data));
        start(v);
        deis_loop_run(v->loop);
        stop(v);
    }
    front_free(v->front);
    deis_loop_free(v->loop);
    return rc;
}

int serve_main(const char *self, int argc, char **argv)
{
    struct deis_err err = DEIS_ERR_INIT;
    struct serve v = { .self = self };

    int rc = deis_conf_load(settings_rows, settings_row_count, "deis-builder serve",
                            "git push over SSH to a release", argc, argv, &v.settings, NULL, &err);
    if (rc < 0) {
        fprintf(stderr, "deis-builder: %s\n", err.msg);
        settings_clear(&v.settings);
        return 2;
    }
    set_instance(&v);
    v.settings_path = deis_asprintf("%s/run/settings.json", v.settings.data);
    rc = prepare_data(&v, &err);
    if (rc == DEIS_OK) {
        rc = open_clients(&v, &err);
    }
    if (rc == DEIS_OK) {
        rc = run(&v, &err);
    }
    if (rc < 0) {
        deis_error("can't start", KV_ERR(&err));
    }
    deis_docker_free(v.docker);
    deis_etcd_free(v.etcd);
    deis_keys_free(v.keys);
    free(v.settings_path);
    settings_clear(&v.settings);
    return rc < 0 ? 1 : 0;
}
