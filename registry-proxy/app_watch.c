/* SPDX-License-Identifier: MIT */
/*
 * Images live as long as their app: when an app's key is deleted, its repository goes. Repositories of apps
 * are those with a single label as their name. Only a deletion that was seen removes; a repository without
 * an app at start is left alone (etcd may have been restored from an older copy).
 */
#include "lib/etcd/etcd.h"
#include "lib/model/model.h"
#include "lib/net/log.h"
#include "registry-proxy/registry.h"

struct app_watch {
    struct registry *registry;
    struct deis_etcd_watch *watch;
};

struct removal {
    struct registry *registry;
    char *app;
};

static void removal_work(void *arg)
{
    struct removal *removal = arg;
    struct deis_err err = DEIS_ERR_INIT;

    if (repo_delete(removal->registry->store, deis_str(removal->app), &err) < 0) {
        deis_error("repository not removed", KV_S("app", removal->app), KV_ERR(&err));
    } else {
        deis_info("repository removed", KV_S("app", removal->app));
    }
}

static void removal_done(void *arg)
{
    struct removal *removal = arg;

    sweep_start(removal->registry);
    free(removal->app);
    free(removal);
}

static void on_change(const struct deis_etcd_kv *kv, bool deleted, void *arg)
{
    struct app_watch *w = arg;
    struct deis_str app = deis_key_below(kv->key, "apps/");
    struct deis_err err = DEIS_ERR_INIT;

    if (!deleted || !deis_str_is_label(app)) {
        return;
    }
    struct removal *removal = deis_alloc(sizeof(*removal));
    removal->registry = w->registry;
    removal->app = deis_str_dup(app);
    if (deis_workers_run(w->registry->workers, removal_work, removal_done, removal, &err) < 0) {
        deis_error("repository not removed", KV_S("app", removal->app), KV_ERR(&err));
        free(removal->app);
        free(removal);
    }
}

static void on_synced(int64_t revision, void *arg)
{
    (void)revision;
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
    w->watch = deis_etcd_watch_start(etcd, r->loop, deis_key(prefix, "apps/"), &ops, w);
    return w;
}

void app_watch_stop(struct app_watch *w)
{
    if (w) {
        deis_etcd_watch_stop(w->watch);
        free(w);
    }
}
