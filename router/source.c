/* SPDX-License-Identifier: MIT */
#include "router/source.h"

#include "router/certs.h"
#include "router/core/route_docs.h"
#include "router/drains.h"

#include "lib/base/clock.h"
#include "lib/net/log.h"

enum {
    PREFIXES_MAX = 16,
    PUBLISH_GAP_MS = 10, /* at least, between two tables */
};

struct watched {
    struct source *source;
    struct deis_etcd_watch *watch;
    bool synced;
};

struct source {
    struct router *router;
    struct deis_etcd *etcd;
    struct deis_directory *directory;
    struct route_model *model; /* being filled; the router's once everything was read */
    struct watched watched[PREFIXES_MAX];
    size_t count; /* of watched */
    bool synced;
    uint64_t published_ms;
    struct deis_timer *publish;
};

static void publish(struct source *s)
{
    struct router *r = s->router;

    s->published_ms = deis_now_ms();
    if (r->certs) {
        certs_publish(r->certs, s->model);
    }
    if (!s->synced) {
        s->synced = true;
        router_replace_model(r, s->model);
        deis_info("routes are known", KV_I("apps", r->table->app_count),
                  KV_I("hosts", route_hosts_count(r->table->hosts)));
    } else {
        (void)router_publish(r);
    }
    drains_update(r->drains);
}

static void on_publish(void *arg)
{
    publish(arg);
}

/* Many changes in a row make few tables. */
static void schedule(struct source *s)
{
    uint64_t now_ms = deis_now_ms();

    for (size_t i = 0; i < s->count; i++) {
        if (!s->watched[i].synced) {
            return;
        }
    }
    if (now_ms >= s->published_ms + PUBLISH_GAP_MS) {
        publish(s);
    } else {
        deis_timer_after(s->publish, s->published_ms + PUBLISH_GAP_MS - now_ms);
    }
}

static void apply_setting(struct source *s, struct deis_str key, const char *value)
{
    struct settings *settings = &s->router->settings;
    struct certs *certs = s->router->certs;
    struct deis_err err;

    if (certs && certs_set_platform(certs, key, value)) {
        return;
    }
    int code = settings_apply(settings, key, value, &err);

    if (code < 0 && code != DEIS_NOT_FOUND) {
        deis_warn("setting ignored", KV_V("key", key), KV_ERR(&err));
    } else if (code == 0) {
        struct route_limits limits = { settings->body_max, settings->answer_timeout_ms };
        route_model_set_limits(s->model, &limits);
        if (certs) {
            certs_set_policy(certs);
        }
    }
}

static void on_change(const struct deis_etcd_kv *kv, bool deleted, void *arg)
{
    struct source *s = ((struct watched *)arg)->source;
    struct deis_str setting = deis_key_below(kv->key, "config/router/");
    struct deis_err err;

    struct deis_str cert = deis_key_below(kv->key, "certs/");
    if (s->router->certs && cert.ptr) {
        certs_set(s->router->certs, cert, deleted ? DEIS_STR_NONE : kv->value);
        return;
    }
    if (s->router->certs && strcmp(kv->key, "/deis/config/platform/domain") == 0) {
        certs_set_domain(s->router->certs, deleted ? "localhost" : kv->value.ptr);
    }
    if (setting.ptr) {
        apply_setting(s, setting, deleted ? NULL : kv->value.ptr);
    } else if (route_docs_apply(s->model, kv->key, deleted ? DEIS_STR_NONE : kv->value, &err) < 0) {
        deis_warn("document ignored", KV_S("key", kv->key), KV_ERR(&err));
    }
}

static void on_synced(int64_t revision, void *arg)
{
    struct watched *w = arg;

    w->synced = true;
    schedule(w->source);
}

static void register_self(struct source *s)
{
    struct router *r = s->router;
    struct deis_service where = { .http = r->settings.http };

    deis_directory_register(s->directory, "router", r->settings.instance, &where);
}

static void watch(struct source *s, const char *below)
{
    static const struct deis_etcd_watch_ops ops = { .on_change = on_change,
                                                    .on_synced = on_synced };
    struct watched *w = &s->watched[s->count++];
    char prefix[DEIS_KEY_MAX];

    w->source = s;
    w->watch =
        deis_etcd_watch_start(s->etcd, s->router->loop, deis_key(prefix, "%s", below), &ops, w);
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
    struct route_limits limits = { r->settings.body_max, r->settings.answer_timeout_ms };
    route_model_set_limits(s->model, &limits);
    s->publish = deis_timer_new(r->loop, on_publish, s);
    s->directory = deis_directory_start(etcd, r->loop);
    register_self(s);
    for (size_t i = 0; i < route_docs_prefix_count; i++) {
        watch(s, route_docs_prefixes[i]);
    }
    if (r->certs) {
        watch(s, "certs/");
    }
    return s;
}

void source_unregister(struct source *s)
{
    if (s && s->directory) {
        deis_directory_stop(s->directory);
        s->directory = NULL;
    }
}

void source_stop(struct source *s)
{
    if (!s) {
        return;
    }
    source_unregister(s);
    for (size_t i = 0; i < s->count; i++) {
        deis_etcd_watch_stop(s->watched[i].watch);
    }
    deis_timer_free(s->publish);
    if (!s->synced) {
        route_model_free(s->model);
    }
    deis_etcd_free(s->etcd);
    free(s);
}

struct deis_etcd *source_etcd(struct source *s)
{
    return s->etcd;
}

struct deis_directory *source_directory(struct source *s)
{
    return s->directory;
}

bool source_synced(const struct source *s)
{
    return s->synced;
}
