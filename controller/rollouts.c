/* SPDX-License-Identifier: MIT */
#include "controller/rollouts.h"

#include "lib/base/clock.h"
#include "lib/net/log.h"

#include <pthread.h>
#include <time.h>

struct entry {
    uint64_t version; /* of our mirror, grows with every change */
    char *text;       /* NULL = deleted */
};

struct rollouts {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct deis_map *apps; /* app -> struct entry */
    uint64_t version;
    bool cancelled;
    struct deis_etcd_watch *watch;
};

static void entry_free(void *value)
{
    struct entry *e = value;

    free(e->text);
    free(e);
}

static void on_change(const struct deis_etcd_kv *kv, bool deleted, void *arg)
{
    struct rollouts *r = arg;
    struct deis_str app = deis_key_below(kv->key, "rollouts/");

    pthread_mutex_lock(&r->lock);
    if (deleted) {
        r->version++;
        deis_map_remove(r->apps, app);
    } else {
        struct entry *e = deis_alloc(sizeof(*e));
        e->version = ++r->version;
        e->text = deis_str_dup(kv->value);
        deis_map_set(r->apps, app, e);
    }
    pthread_mutex_unlock(&r->lock);
}

static void on_synced(int64_t revision, void *arg)
{
    struct rollouts *r = arg;

    pthread_mutex_lock(&r->lock);
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

struct rollouts *rollouts_start(struct ctl *ctl)
{
    static const struct deis_etcd_watch_ops ops = { .on_change = on_change,
                                                    .on_synced = on_synced };
    struct rollouts *r = deis_alloc(sizeof(*r));
    pthread_condattr_t attr;

    pthread_mutex_init(&r->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&r->changed, &attr);
    pthread_condattr_destroy(&attr);
    r->apps = deis_map_new(entry_free);
    r->watch = deis_etcd_watch_start(ctl->etcd, ctl->loop, "/deis/rollouts/", &ops, r);
    return r;
}

void rollouts_stop(struct rollouts *r)
{
    if (!r) {
        return;
    }
    deis_etcd_watch_stop(r->watch);
    deis_map_free(r->apps);
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

void rollouts_cancel(struct rollouts *r)
{
    pthread_mutex_lock(&r->lock);
    r->cancelled = true;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

bool rollouts_cancelled(struct rollouts *r)
{
    pthread_mutex_lock(&r->lock);
    bool cancelled = r->cancelled;
    pthread_mutex_unlock(&r->lock);
    return cancelled;
}

static struct timespec after_ms(uint64_t ms)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += (time_t)(ms / 1000);
    t.tv_nsec += (long)(ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

bool rollouts_wait(struct rollouts *r, const char *app, uint64_t *seen, uint64_t timeout_ms,
                   struct deis_rollout *ret)
{
    struct timespec until = after_ms(timeout_ms);
    struct deis_err err = DEIS_ERR_INIT;
    const struct entry *e;
    bool news = false;
    int wait = 0;

    *ret = (struct deis_rollout){ 0 };
    pthread_mutex_lock(&r->lock);
    for (;;) {
        e = deis_map_get(r->apps, deis_str(app));
        news = e && e->version > *seen;
        if (news || r->cancelled || wait != 0) {
            break;
        }
        wait = pthread_cond_timedwait(&r->changed, &r->lock, &until);
    }
    deis_autofree char *text = NULL;
    if (news) {
        *seen = e->version;
        text = deis_strdup(e->text);
    }
    pthread_mutex_unlock(&r->lock);
    if (text && deis_rollout_parse(deis_str(text), ret, &err) < 0) {
        deis_warn("rollout not readable", KV_S("app", app), KV_ERR(&err));
        return false;
    }
    return news;
}
