/* SPDX-License-Identifier: MIT */
/*
 * Images live as long as their app: when an app's key is deleted, its repository goes, unless an
 * app of that name is there again by then (asked of etcd just before). Repositories of apps are
 * those with a single label as their name. Only a deletion that was seen removes; a repository
 * without an app at start is left alone (etcd may have been restored from an older copy).
 */
#include "registry-proxy/registry.h"

#include "lib/etcd/etcd.h"
#include "lib/model/model.h"
#include "lib/net/log.h"

#define RETRY_BASE_MS 2000
#define RETRY_MAX_MS  60000

struct app_watch {
    struct registry *registry;
    struct deis_etcd *etcd;
    struct deis_etcd_watch *watch;
    struct deis_map *gone; /* apps whose repositories are to be removed, one after the other */
    struct deis_timer *retry;
    unsigned attempt;
    bool running;
};

struct removal {
    struct app_watch *watch;
    char *app;
    bool removed;
    int result;
    struct deis_err err;
};

static void removal_work(void *arg)
{
    struct removal *removal = arg;
    deis_autorange struct deis_etcd_range range = { 0 };
    char key[DEIS_KEY_MAX];
    int r = deis_etcd_get(removal->watch->etcd, deis_key(key, "apps/%s", removal->app), &range,
                          &removal->err);

    if (r == DEIS_NOT_FOUND) {
        r = repo_delete(removal->watch->registry->store, deis_str(removal->app), &removal->err);
        removal->removed = r == 0;
    }
    removal->result = r;
}

static void remove_next(void *arg);

static void removal_done(void *arg)
{
    struct removal *removal = arg;
    struct app_watch *w = removal->watch;

    w->running = false;
    if (removal->result < 0) {
        deis_warn("repository not removed yet", KV_S("app", removal->app), KV_ERR(&removal->err));
        deis_timer_after(w->retry, deis_backoff_ms(w->attempt++, RETRY_BASE_MS, RETRY_MAX_MS));
    } else {
        w->attempt = 0;
        deis_map_remove(w->gone, deis_str(removal->app));
        if (removal->removed) {
            deis_info("repository removed", KV_S("app", removal->app));
            sweep_start(w->registry);
        }
        remove_next(w);
    }
    free(removal->app);
    free(removal);
}

static void remove_next(void *arg)
{
    struct app_watch *w = arg;
    struct deis_err err = DEIS_ERR_INIT;
    struct deis_str app;
    size_t cursor = 0;
    void *value;

    if (w->running || w->registry->stopping || !deis_map_next(w->gone, &cursor, &app, &value)) {
        return;
    }
    struct removal *removal = deis_alloc(sizeof(*removal));
    removal->watch = w;
    removal->app = deis_str_dup(app);
    w->running = true;
    if (deis_workers_run(w->registry->workers, removal_work, removal_done, removal, &err) < 0) {
        removal->result = err.code;
        removal->err = err;
        removal_done(removal);
    }
}

static void on_change(const struct deis_etcd_kv *kv, bool deleted, void *arg)
{
    struct app_watch *w = arg;
    struct deis_str app = deis_key_below(kv->key, "apps/");

    if (!deis_str_is_label(app)) {
        return;
    }
    if (deleted) {
        deis_map_set(w->gone, app, w);
    } else {
        deis_map_remove(w->gone, app);
    }
}

static void on_synced(int64_t revision, void *arg)
{
    (void)revision;
    remove_next(arg);
}

struct app_watch *app_watch_start(struct registry *r, struct deis_etcd *etcd)
{
    static const struct deis_etcd_watch_ops ops = {
        .on_change = on_change,
        .on_synced = on_synced,
    };
    struct app_watch *w = deis_alloc(sizeof(*w));
    char prefix[DEIS_KEY_MAX];

    w->registry = r;
    w->etcd = etcd;
    w->gone = deis_map_new(NULL);
    w->retry = deis_timer_new(r->loop, remove_next, w);
    w->watch = deis_etcd_watch_start(etcd, r->loop, deis_key(prefix, "apps/"), &ops, w);
    return w;
}

void app_watch_stop(struct app_watch *w)
{
    if (w) {
        deis_etcd_watch_stop(w->watch);
    }
}

void app_watch_free(struct app_watch *w)
{
    if (w) {
        deis_timer_free(w->retry);
        deis_map_free(w->gone);
        free(w);
    }
}
