/* SPDX-License-Identifier: MIT */
#include "router/source.h"

#include "router/certs.h"
#include "router/core/pace.h"
#include "router/core/route_docs.h"
#include "router/core/route_hold.h"
#include "router/drains.h"
#include "router/edge.h"
#include "router/kept.h"
#include "router/saved.h"
#include "router/ssh.h"

#include "lib/base/clock.h"
#include "lib/net/log.h"

enum {
    STILL_HELD_MS = 10 * 60 * 1000,
};

#define ACCEPT "acceptStore" /* set while routes are held: use what etcd says */

struct source {
    struct router *router;
    struct deis_etcd *etcd;
    struct deis_directory *directory;
    struct deis_directory *leaving; /* the registration beside it; NULL: none */
    struct route_model *model;      /* being filled; the router's once everything was read */
    struct deis_etcd_watch *watch;
    bool listed;          /* by the watch */
    struct route_seen at; /* of etcd, in the model */
    bool synced;          /* the router uses it */
    uint64_t published_ms;
    struct pace pace;
    struct deis_timer *publish;

    /* an etcd that went back */
    bool held;                   /* the table stays, for what etcd says takes routes away */
    struct route_table *offered; /* the last that was not published */
    bool went_back;              /* the watch has listed an older etcd than it knew */
    bool swept;
    bool settings_due; /* they have changed, and wait as routes do */
    int64_t held_at;   /* revision of the etcd that is not trusted */
    uint64_t told_ms;
};

static bool is_doubted(const struct source *s)
{
    return s->went_back || s->held;
}

static void tell_held(struct source *s)
{
    if (s->told_ms == 0) {
        s->held_at = s->at.revision;
    }
    if (s->told_ms == 0 || s->published_ms >= s->told_ms + STILL_HELD_MS) {
        s->told_ms = s->published_ms;
        deis_error("etcd is older than what this router has seen, or another one: the last routes "
                   "stay in use; restore etcd, or accept it: deisctl config router set " ACCEPT
                   "=now",
                   KV_I("seen", s->router->seen.revision), KV_I("found", s->held_at));
    }
}

/* The next table, if it may be used; NULL: there is none. */
static struct route_table *next_table(struct source *s)
{
    struct router *r = s->router;
    struct route_table *t = route_model_build(s->model, r->table->generation + 1);

    if (t) {
        route_table_unref(s->offered);
        s->offered = t;
    }
    bool doubted = is_doubted(s);
    s->went_back = false;
    s->held = doubted && s->offered && !hold_covers(s->offered, r->table);
    if (!s->held) {
        return DEIS_TAKE(s->offered);
    }
    tell_held(s);
    router_keep_table(r);
    return NULL;
}

/* What this router goes by now is what it is to start with. */
static void keep(struct source *s)
{
    s->router->seen = s->at;
    kept_commit(s->router->kept);
    saved_changed(s->router);
}

static void on_gone(const char *key, void *arg)
{
    struct source *s = arg;

    source_apply(s->router, s->model, key, DEIS_STR_NONE);
}

/* Everything was read once: what was on disk only is gone. */
static void sweep(struct source *s)
{
    if (!s->swept) {
        s->swept = true;
        kept_sweep(s->router->kept, on_gone, s);
    }
}

static void use(struct source *s, struct route_table *t)
{
    struct router *r = s->router;

    if (s->told_ms != 0) {
        s->told_ms = 0;
        deis_info("etcd is trusted again");
    }
    router_take_table(r, s->model, t);
    if (!s->synced) {
        s->synced = true;
        deis_info("routes are known", KV_I("apps", r->table->app_count),
                  KV_I("hosts", route_hosts_count(r->table->hosts)));
    }
}

static void use_settings(struct router *r, struct route_model *m)
{
    router_set_policy(r, m);
    if (r->certs) {
        certs_set_policy(r->certs);
    }
    edge_update(r);
    ssh_use_settings(r->ssh);
    deis_log_set_level(r->settings.log_level);
}

static void take_beside_routes(struct source *s)
{
    struct router *r = s->router;

    if (s->settings_due) {
        s->settings_due = false;
        use_settings(r, s->model);
    }
    if (r->certs) {
        certs_publish(r->certs, s->model);
    }
}

/* Of an etcd that went back only routes are used until it is trusted, and none that take any away:
 * certificates, settings and what the disk remembers stay. */
static void publish(struct source *s)
{
    struct router *r = s->router;
    bool doubted = is_doubted(s);
    uint64_t start_us = deis_now_us();

    s->published_ms = start_us / 1000;
    sweep(s);
    if (!doubted) {
        take_beside_routes(s);
    }
    struct route_table *t = next_table(s);
    if (t) {
        use(s, t);
    }
    if (!s->held) {
        keep(s);
        if (doubted) {
            deis_timer_after(s->publish, 0); /* what is beside the routes */
        }
    }
    drains_update(r->drains);
    pace_note(&s->pace, start_us, deis_now_us());
}

static void on_publish(void *arg)
{
    publish(arg);
}

/* Many changes in a row make few tables. */
static void schedule(struct source *s)
{
    if (!s->listed) {
        return;
    }
    uint64_t wait_ms = pace_wait_ms(&s->pace, deis_now_us());
    if (wait_ms == 0) {
        publish(s);
    } else {
        deis_timer_after(s->publish, wait_ms);
    }
}

void source_refresh(struct source *s)
{
    struct router *r = s->router;

    schedule(s);
    if (!s->synced && !is_doubted(s)) { /* the table from disk is in use */
        certs_publish(r->certs, r->model);
        (void)router_publish(r);
    }
}

static void apply_setting(struct router *r, struct route_model *m, struct deis_str key,
                          const char *value)
{
    struct settings *settings = &r->settings;
    struct deis_err err;

    if (certs_set_platform(r->certs, key, value)) {
        return;
    }
    int code = settings_apply(settings, key, value, &err);

    if (code < 0) {
        deis_warn("setting ignored", KV_V("key", key), KV_ERR(&err));
    } else if (code == 0 && r->source) {
        r->source->settings_due = true;
    } else if (code == 0) {
        use_settings(r, m);
    }
}

void source_apply(struct router *r, struct route_model *m, const char *key, struct deis_str value)
{
    struct deis_str name;

    if (deis_str_starts(deis_str(key), "certs/")) {
        if (r->certs) {
            certs_set(r->certs, deis_str_skip(deis_str(key), strlen("certs/")), value);
        }
    } else if (deis_str_starts(deis_str(key), "challenges/")) {
        if (r->certs) {
            certs_set_challenge(r->certs, deis_str_skip(deis_str(key), strlen("challenges/")),
                                value);
        }
    } else if (strcmp(key, "config/platform/domain") == 0) {
        if (r->certs) {
            certs_set_domain(r->certs, value.ptr ? value.ptr : "localhost");
        }
    } else if (deis_str_starts(deis_str(key), "config/router/")) {
        name = deis_str_skip(deis_str(key), strlen("config/router/"));
        apply_setting(r, m, name, value.ptr);
    }
}

static bool is_kept(struct deis_str below)
{
    return deis_str_starts(below, "certs/") || deis_str_starts(below, "config/router/") ||
           deis_str_eq_cstr(below, "config/platform/domain");
}

static void on_change(const struct deis_etcd_kv *kv, bool deleted, void *arg)
{
    struct source *s = arg;
    struct deis_str below = deis_key_below(kv->key, "");
    struct deis_str value = deleted ? DEIS_STR_NONE : kv->value;
    struct deis_err err;

    if (deis_str_eq_cstr(below, "config/router/" ACCEPT)) {
        if (!deleted && s->held && kv->mod_revision > s->held_at) {
            deis_warn("an operator accepts the routes of etcd");
            s->held = false;
        }
        return;
    }
    if (is_kept(below)) {
        kept_note(s->router->kept, below.ptr, value);
    }
    source_apply(s->router, s->model, below.ptr, value);
    if (!deis_str_starts(below, "certs/") && !deis_str_starts(below, "config/router/") &&
        route_docs_apply(s->model, kv->key, value, &err) < 0) {
        deis_warn("document ignored", KV_S("key", kv->key), KV_ERR(&err));
    }
}

static void on_synced(int64_t revision, void *arg)
{
    struct source *s = arg;
    const struct route_seen *known = s->listed ? &s->at : &s->router->seen;
    uint64_t cluster = deis_etcd_watch_cluster(s->watch);

    if ((known->cluster != 0 && cluster != known->cluster) || revision < known->revision) {
        s->went_back = true;
    }
    s->at = (struct route_seen){ .revision = revision, .cluster = cluster };
    s->listed = true;
    schedule(s);
}

static void register_as(struct source *s, struct deis_directory *d, const char *name)
{
    struct deis_service where = { .http = s->router->settings.http };

    deis_directory_follow_keys(d, s->router->keys);
    deis_directory_register(d, "router", name, &where);
}

void source_register(struct source *s)
{
    if (s) {
        register_as(s, s->directory, s->router->settings.instance);
    }
}

void source_register_leaving(struct source *s, const char *name)
{
    if (s) {
        s->leaving = deis_directory_start(s->etcd, s->router->loop);
        register_as(s, s->leaving, name);
    }
}

bool source_leaving_registered(const struct source *s)
{
    return !s || (s->leaving && deis_directory_registered(s->leaving));
}

int64_t source_leaving_lease(const struct source *s)
{
    return s->leaving ? deis_directory_lease(s->leaving) : 0;
}

void source_keep_leaving(struct source *s)
{
    if (s) {
        deis_directory_stop(DEIS_TAKE(s->directory));
    }
}

void source_keep_instance(struct source *s)
{
    if (s) {
        deis_directory_stop(DEIS_TAKE(s->leaving));
    }
}

static void watch(struct source *s)
{
    static const struct deis_etcd_watch_ops ops = { .on_change = on_change,
                                                    .on_synced = on_synced };
    static const char *const of_https[] = { "certs/", "challenges/" };
    const char *prefixes[ROUTE_DOCS_PREFIXES + DEIS_COUNT(of_https)];
    char below[DEIS_KEY_MAX];
    size_t count = 0;

    for (; count < ROUTE_DOCS_PREFIXES; count++) {
        prefixes[count] = route_docs_prefixes[count];
    }
    for (size_t i = 0; s->router->certs && i < DEIS_COUNT(of_https); i++) {
        prefixes[count++] = of_https[i];
    }
    s->watch = deis_etcd_watch_start_several(s->etcd, s->router->loop, deis_key(below, "%s", ""),
                                             prefixes, count, &ops, s);
}

struct source *source_start(struct router *r, struct deis_err *err)
{
    struct deis_etcd_opts opts = { .endpoints = r->settings.etcd };
    struct deis_etcd *etcd = deis_etcd_new(&opts, err);

    if (!etcd) {
        return NULL;
    }
    struct source *s = deis_alloc(sizeof(*s));
    s->router = r;
    s->etcd = etcd;
    s->model = route_model_new(r->registry);
    router_set_policy(r, s->model);
    s->publish = deis_timer_new(r->loop, on_publish, s);
    s->directory = deis_directory_start(etcd, r->loop);
    watch(s);
    return s;
}

void source_unregister(struct source *s)
{
    source_keep_leaving(s);
    source_keep_instance(s);
}

void source_stop(struct source *s)
{
    if (!s) {
        return;
    }
    source_unregister(s);
    deis_etcd_watch_stop(s->watch);
    deis_timer_free(s->publish);
    if (!s->synced) {
        route_model_free(s->model);
    }
    route_table_unref(s->offered);
    deis_etcd_free(s->etcd);
    free(s);
}

struct deis_etcd *source_etcd(struct source *s)
{
    return s->etcd;
}

struct deis_directory *source_directory(struct source *s)
{
    return s->directory ? s->directory : s->leaving;
}

bool source_synced(const struct source *s)
{
    return s->synced && !s->held;
}

bool source_held(const struct source *s)
{
    return s && s->held;
}
