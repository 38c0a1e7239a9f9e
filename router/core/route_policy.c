/* SPDX-License-Identifier: MIT */
#include "router/core/route_policy.h"

#define SEND "send_ms" /* beside "settings", as "closed" */

enum {
    SECOND_MS = 1000,
    DAY_MS = 86400000,
    /* Bytes that are added to an app's settings: what the platform sets, and the config's
     * whitelist, of entries of 200 bytes, each of which may be written as six. */
    BESIDE_MAX = 4096 + DEIS_ROUTING_ENTRIES_MAX * 1216,
};

struct route_policy {
    struct deis_map *own;              /* app -> route_settings */
    struct route_settings *all;        /* of apps without their own, or NULL */
    json_t *defaults;                  /* settings of apps that are silent about them */
    struct route_settings *controller; /* or NULL */
    bool closed;
};

struct route_settings *route_settings_ref(struct route_settings *s)
{
    if (s) {
        atomic_fetch_add(&s->refs, 1);
    }
    return s;
}

void route_settings_unref(struct route_settings *s)
{
    if (s && atomic_fetch_sub(&s->refs, 1) == 1) {
        deis_routing_clear(&s->r);
        free(s);
    }
}

bool route_settings_admit(const struct route_settings *s, const struct deis_ip *ip)
{
    return (!s->closed && !s->r.restricted) || deis_routing_allows(&s->r, ip);
}

char *route_settings_format(const struct route_settings *s)
{
    return deis_routing_format(&s->r);
}

/* Takes doc. */
static struct route_settings *settings_new(json_t *doc, struct deis_err *err)
{
    struct route_settings *s = deis_alloc(sizeof(*s));
    int code = deis_routing_read(doc, &s->r, err);

    if (code == 0) {
        code = deis_json_bool_or(doc, "closed", false, &s->closed, err);
    }
    if (code == 0) {
        code = deis_json_u64_or(doc, SEND, 0, &s->send_ms, err);
    }
    json_decref(doc);
    atomic_init(&s->refs, 1);
    if (code < 0) {
        route_settings_unref(s);
        return NULL;
    }
    return s;
}

static void on_free_settings(void *value)
{
    route_settings_unref(value);
}

struct route_policy *route_policy_new(void)
{
    struct route_policy *p = deis_alloc(sizeof(*p));

    p->own = deis_map_new(on_free_settings);
    p->defaults = json_object();
    return p;
}

void route_policy_free(struct route_policy *p)
{
    if (p) {
        deis_map_free(p->own);
        route_settings_unref(p->all);
        route_settings_unref(p->controller);
        json_decref(p->defaults);
        free(p);
    }
}

static struct route_settings *closed_settings(void)
{
    struct deis_err err;

    return settings_new(json_pack("{s:{}, s:b}", "settings", "closed", 1), &err);
}

int route_policy_set(struct route_policy *p, const char *app, struct deis_str text,
                     struct deis_err *err)
{
    if (!text.ptr) {
        (void)deis_map_remove(p->own, deis_str(app));
        return DEIS_OK;
    }
    json_t *doc = NULL;
    if (text.len <= DEIS_ROUTING_MAX + BESIDE_MAX) {
        doc = deis_json_parse(text, err);
    } else {
        deis_err_set(err, DEIS_INVALID, "it has more than %d bytes", DEIS_ROUTING_MAX);
    }
    struct route_settings *s = doc ? settings_new(doc, err) : NULL;
    if (s) {
        deis_map_set(p->own, deis_str(app), s);
        return DEIS_OK;
    }
    if (!deis_map_get(p->own, deis_str(app))) {
        deis_map_set(p->own, deis_str(app), closed_settings());
    }
    deis_err_wrap(err, "routing of '%s' can't be read", app);
    err->code = DEIS_INVALID;
    return err->code;
}

/* Within what apps may set: a time beyond that must not cost the rest of the settings. */
static uint64_t within(uint64_t ms, uint64_t min_ms, uint64_t max_ms)
{
    return ms < min_ms ? min_ms : ms > max_ms ? max_ms : ms;
}

static void set_time(json_t *settings, const char *name, uint64_t ms, uint64_t min_ms,
                     uint64_t max_ms)
{
    if (ms > 0) {
        deis_autofree char *text =
            deis_asprintf("%llums", (unsigned long long)within(ms, min_ms, max_ms));
        json_object_set_new(settings, name, json_string(text));
    }
}

/* The settings that the platform gives the controller; NULL: none. */
static struct route_settings *controller_settings(const struct route_defaults *d,
                                                  struct deis_err *err)
{
    deis_autojson json_t *obj = json_object();
    deis_autojson json_t *list = NULL;
    bool closed = d->enforce_whitelist;

    if (d->controller_whitelist && d->controller_whitelist[0] != '\0') {
        list = deis_whitelist_read(deis_str(d->controller_whitelist), err);
        if (!list) {
            deis_err_wrap(err, "controller/whitelist");
            return NULL;
        }
        if (json_array_size(list) > 0) {
            json_object_set(obj, "whitelist", list);
        }
    }
    set_time(obj, "connectTimeout", d->controller_connect_ms, 100, 60000);
    set_time(obj, "timeout", d->controller_read_ms, SECOND_MS, DAY_MS);
    if (json_object_size(obj) == 0 && !closed && d->controller_send_ms == 0) {
        return NULL;
    }
    json_t *doc = json_pack("{s:O, s:b}", "settings", obj, "closed", closed);
    if (d->controller_send_ms > 0) {
        uint64_t ms = within(d->controller_send_ms, SECOND_MS, DAY_MS);
        json_object_set_new(doc, SEND, json_integer((json_int_t)ms));
    }
    return settings_new(doc, err);
}

static struct route_settings *app_settings(const struct route_policy *p, struct deis_err *err)
{
    if (!p->closed && json_object_size(p->defaults) == 0) {
        return NULL;
    }
    return settings_new(json_pack("{s:O, s:b}", "settings", p->defaults, "closed", p->closed), err);
}

static bool same(const struct route_settings *a, const struct route_settings *b)
{
    return a && b ? json_equal(a->r.doc, b->r.doc) == 1 : a == b;
}

/* Put s in the place of *old; false when they say the same. */
static bool replace(struct route_settings **old, struct route_settings *s)
{
    bool changed = !same(*old, s);

    route_settings_unref(changed ? *old : s);
    *old = changed ? s : *old;
    return changed;
}

/* Takes value. */
static void add_default(json_t *all, const char *name, json_t *value, struct deis_err *err)
{
    deis_autojson json_t *given = value;
    json_t *good = deis_routing_value(name, given, err);

    if (good) {
        json_object_set_new(all, name, good);
    } else {
        deis_err_wrap(err, "%s", name);
    }
}

/* What the platform sets for apps that are silent about it. */
static json_t *defaults_of_apps(const struct route_defaults *d, struct deis_err *err)
{
    const struct {
        const char *name;
        uint32_t value;
    } counts[] = {
        { "maxRequests", d->requests_max },    { "maxConnections", d->connections_max },
        { "addressRequests", d->address_max }, { "rateLimit", d->rate_minute },
        { "rateBurst", d->rate_burst },
    };

    json_t *all = json_object();

    if (d->affinity_arg && d->affinity_arg[0] != '\0') {
        add_default(all, "affinityArg", json_string(d->affinity_arg), err);
    }
    for (size_t i = 0; i < DEIS_COUNT(counts); i++) {
        if (counts[i].value > 0) {
            add_default(all, counts[i].name, json_integer(counts[i].value), err);
        }
    }
    return all;
}

bool route_policy_set_defaults(struct route_policy *p, const struct route_defaults *d,
                               struct deis_err *err)
{
    struct deis_err fault = DEIS_ERR_INIT;

    err->code = DEIS_OK;
    p->closed = d->enforce_whitelist;
    json_decref(p->defaults);
    p->defaults = defaults_of_apps(d, err);
    bool changed = replace(&p->all, app_settings(p, &fault));
    struct route_settings *controller = controller_settings(d, &fault);
    if (fault.code < 0) {
        *err = fault;
        /* As with an app's document: the former stays; without one the door is shut. */
        controller = p->controller ? route_settings_ref(p->controller) : closed_settings();
    }
    return replace(&p->controller, controller) || changed;
}

struct route_settings *route_policy_app(const struct route_policy *p, const char *app)
{
    struct route_settings *own = deis_map_get(p->own, deis_str(app));

    if (!own || !p->all) {
        return route_settings_ref(own ? own : p->all);
    }
    /* The app's own document, with the platform's where it is silent. */
    json_t *doc = json_deep_copy(own->r.doc);
    json_t *settings = json_object_get(doc, "settings");
    bool own_pace =
        json_object_get(settings, "rateLimit") && !json_object_get(settings, "rateBurst");
    json_object_update_missing(settings, p->defaults);
    if (own_pace) { /* a burst belongs to its rate */
        json_object_del(settings, "rateBurst");
    }
    if (p->closed) {
        json_object_set_new(doc, "closed", json_true());
    }
    struct deis_err err;
    struct route_settings *s = settings_new(doc, &err);
    return s ? s : route_settings_ref(own);
}

struct route_settings *route_policy_controller(const struct route_policy *p, const char *name)
{
    struct route_settings *own = deis_map_get(p->own, deis_str(name));

    return route_settings_ref(own ? own : p->controller);
}
