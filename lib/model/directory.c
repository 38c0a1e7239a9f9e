/* SPDX-License-Identifier: MIT */
#include "lib/model/directory.h"

#include "lib/net/keywatch.h"
#include "lib/net/log.h"

#include <pthread.h>

#define LEASE_TTL_S   10
#define RETRY_BASE_MS 500
#define RETRY_MAX_MS  4000

/* One registered address. `alive` is false once its key is gone; it is then kept as a last resort
 * until another instance of its component is there. */
struct entry {
    char *component;
    char *instance;
    struct deis_service where;
    bool alive;
};

struct deis_directory {
    struct deis_etcd *etcd;
    struct deis_loop *loop;
    struct deis_etcd_watch *watch;
    struct deis_workers *workers;
    pthread_mutex_t lock; /* of entries */
    struct entry *entries;
    size_t count;
    void (*on_change)(void *arg);
    void *change_arg;

    struct deis_keys *keys; /* named in our own registration, or NULL */
    struct deis_keywatch *keywatch;
    struct deis_service own;
    char *key; /* of our own registration, or NULL */
    struct deis_etcd_lease *lease;
    int64_t lease_id;
    struct deis_timer *retry;
    unsigned attempt;
    int64_t put_lease; /* the put's own copies while it runs */
    char *put_value;
    bool put_running;
    bool put_failed;
    bool put_again; /* the key went while the put ran: its outcome is old */
    bool registered;
};

static void entry_clear(struct entry *e)
{
    free(e->component);
    free(e->instance);
    deis_service_clear(&e->where);
}

static struct entry *find_entry(struct deis_directory *d, struct deis_str component,
                                struct deis_str instance)
{
    for (size_t i = 0; i < d->count; i++) {
        if (deis_str_eq_cstr(component, d->entries[i].component) &&
            deis_str_eq_cstr(instance, d->entries[i].instance)) {
            return &d->entries[i];
        }
    }
    return NULL;
}

/* Drop entries whose key is gone, if another instance of the component can stand in. */
static void forget_dead(struct deis_directory *d, struct deis_str component)
{
    bool other_alive = false;

    for (size_t i = 0; i < d->count; i++) {
        other_alive |= d->entries[i].alive && deis_str_eq_cstr(component, d->entries[i].component);
    }
    for (size_t i = 0; other_alive && i < d->count;) {
        struct entry *e = &d->entries[i];
        if (!e->alive && deis_str_eq_cstr(component, e->component)) {
            entry_clear(e);
            *e = d->entries[--d->count];
        } else {
            i++;
        }
    }
}

static void store_entry(struct deis_directory *d, struct deis_str component,
                        struct deis_str instance, struct deis_service *where)
{
    struct entry *e = find_entry(d, component, instance);

    if (!e) {
        d->entries = deis_realloc_array(d->entries, d->count + 1, sizeof(*d->entries));
        e = &d->entries[d->count++];
        *e = (struct entry){ .component = deis_str_dup(component),
                             .instance = deis_str_dup(instance) };
    }
    deis_service_clear(&e->where);
    e->where = *where;
    e->alive = true;
}

static void on_change(const struct deis_etcd_kv *kv, bool deleted, void *arg)
{
    struct deis_directory *d = arg;
    struct deis_str instance = deis_key_below(kv->key, "services/");
    struct deis_str component;
    struct deis_service where = { 0 };
    struct deis_err err = DEIS_ERR_INIT;

    if (!instance.ptr || !deis_str_split(&instance, '/', &component) || !instance.ptr) {
        return;
    }
    if (!deleted && deis_service_parse(kv->value, &where, &err) < 0) {
        deis_warn("service entry ignored", KV_S("key", kv->key), KV_ERR(&err));
        return;
    }
    pthread_mutex_lock(&d->lock);
    if (deleted) {
        struct entry *e = find_entry(d, component, instance);
        if (e) {
            e->alive = false;
        }
        d->put_again |= d->key && strcmp(kv->key, d->key) == 0;
    } else {
        store_entry(d, component, instance, &where);
    }
    forget_dead(d, component);
    pthread_mutex_unlock(&d->lock);
}

/* --- our own registration: a key under a lease, put again whenever the lease is new or the key
 * gone --- */

static void register_again(struct deis_directory *d);

static void do_put(void *arg)
{
    struct deis_directory *d = arg;
    struct deis_err err = DEIS_ERR_INIT;

    d->put_failed = deis_etcd_put(d->etcd, d->key, deis_str(d->put_value), d->put_lease, &err) < 0;
}

static void retry_later(struct deis_directory *d)
{
    deis_timer_after(d->retry, deis_backoff_ms(d->attempt++, RETRY_BASE_MS, RETRY_MAX_MS));
}

static void put_done(void *arg)
{
    struct deis_directory *d = arg;

    d->put_running = false;
    if (d->put_failed) {
        retry_later(d);
    } else if (d->put_again || d->put_lease != d->lease_id) {
        register_again(d);
    } else {
        d->attempt = 0;
        d->registered = true;
    }
}

static void on_granted(int64_t lease, void *arg)
{
    struct deis_directory *d = arg;

    d->lease_id = lease;
    register_again(d);
}

static void on_lost(void *arg)
{
    struct deis_directory *d = arg;

    d->lease_id = 0;
    d->registered = false;
    if (d->lease) {
        deis_etcd_lease_stop(d->lease, false);
        d->lease = NULL;
    }
    retry_later(d);
}

static void register_again(struct deis_directory *d)
{
    struct deis_err err = DEIS_ERR_INIT;

    if (!d->lease) {
        deis_etcd_lease_start(d->etcd, d->loop, LEASE_TTL_S, on_granted, on_lost, d, &d->lease);
        return;
    }
    if (d->lease_id == 0 || d->put_running) {
        return;
    }
    d->put_running = true;
    d->put_again = false;
    d->put_lease = d->lease_id;
    free(d->put_value);
    d->put_value = deis_service_format(&d->own);
    if (deis_workers_run(d->workers, do_put, put_done, d, &err) < 0) {
        d->put_running = false;
        retry_later(d);
    }
}

static void on_retry(void *arg)
{
    register_again(arg);
}

/* Somebody else's restart with the same name, or an expired lease, may have removed our key. */
static void check_own_key(struct deis_directory *d)
{
    bool there = false;
    struct deis_str instance = deis_key_below(d->key, "services/");
    struct deis_str component;

    deis_str_split(&instance, '/', &component);
    pthread_mutex_lock(&d->lock);
    const struct entry *e = find_entry(d, component, instance);
    there = e && e->alive;
    pthread_mutex_unlock(&d->lock);
    if (!there && d->registered) {
        d->registered = false;
        register_again(d);
    }
}

static void on_synced(int64_t revision, void *arg)
{
    struct deis_directory *d = arg;

    (void)revision;
    if (d->key) {
        check_own_key(d);
    }
    if (d->on_change) {
        d->on_change(d->change_arg);
    }
}

struct deis_directory *deis_directory_start(struct deis_etcd *e, struct deis_loop *loop)
{
    static const struct deis_etcd_watch_ops ops = {
        .on_change = on_change,
        .on_synced = on_synced,
    };
    struct deis_directory *d = deis_alloc(sizeof(*d));
    char prefix[DEIS_KEY_MAX];

    d->etcd = e;
    d->loop = loop;
    pthread_mutex_init(&d->lock, NULL);
    d->workers = deis_workers_new(loop, 1, 4);
    d->retry = deis_timer_new(loop, on_retry, d);
    d->watch = deis_etcd_watch_start(e, loop, deis_key(prefix, "services/"), &ops, d);
    return d;
}

void deis_directory_register(struct deis_directory *d, const char *component, const char *instance,
                             const struct deis_service *where)
{
    char key[DEIS_KEY_MAX];

    d->key = deis_strdup(deis_key(key, "services/%s/%s", component, instance));
    d->own.http = where->http ? deis_strdup(where->http) : NULL;
    d->own.bus = where->bus ? deis_strdup(where->bus) : NULL;
    d->own.ssh = where->ssh ? deis_strdup(where->ssh) : NULL;
    d->own.proxy_from = where->proxy_from ? deis_strdup(where->proxy_from) : NULL;
    register_again(d);
}

bool deis_directory_registered(const struct deis_directory *d)
{
    return d->registered;
}

int64_t deis_directory_lease(const struct deis_directory *d)
{
    return d->lease_id;
}

static void on_keys(void *arg)
{
    struct deis_directory *d = arg;

    deis_strv_free(d->own.keys);
    d->own.keys = deis_keys_ids(d->keys);
    if (d->key) {
        d->put_again = true; /* one that runs says what was */
        register_again(d);
    }
}

void deis_directory_follow_keys(struct deis_directory *d, struct deis_keys *keys)
{
    d->keys = keys;
    d->keywatch = deis_keywatch_start(d->loop, keys, on_keys, d);
    on_keys(d);
}

bool deis_directory_all_seal_with(struct deis_directory *d, const char *key_id)
{
    bool known = false;
    bool all = true;

    pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < d->count; i++) {
        char **keys = d->entries[i].where.keys;
        if (d->entries[i].alive && keys && keys[0]) {
            known = true;
            all = all && strcmp(keys[0], key_id) == 0;
        }
    }
    pthread_mutex_unlock(&d->lock);
    return known && all;
}

void deis_directory_on_change(struct deis_directory *d, void (*fn)(void *arg), void *arg)
{
    d->on_change = fn;
    d->change_arg = arg;
}

static const char *field_of(const struct deis_service *s, const char *kind)
{
    if (strcmp(kind, "http") == 0) {
        return s->http;
    }
    return strcmp(kind, "bus") == 0 ? s->bus : s->ssh;
}

bool deis_directory_find(struct deis_directory *d, const char *component, const char *kind,
                         char out[DEIS_KEY_MAX])
{
    const struct entry *best = NULL;

    pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < d->count; i++) {
        const struct entry *e = &d->entries[i];
        if (strcmp(e->component, component) != 0 || !field_of(&e->where, kind)) {
            continue;
        }
        if (!best || strcmp(e->instance, best->instance) < 0) {
            best = e;
        }
    }
    if (best) {
        snprintf(out, DEIS_KEY_MAX, "%s", field_of(&best->where, kind));
    }
    pthread_mutex_unlock(&d->lock);
    return best != NULL;
}

void deis_directory_stop(struct deis_directory *d)
{
    if (!d) {
        return;
    }
    deis_etcd_watch_stop(d->watch);
    deis_workers_free(d->workers);
    if (d->lease) {
        deis_etcd_lease_stop(d->lease, true); /* the key goes with its lease */
    }
    deis_timer_free(d->retry);
    for (size_t i = 0; i < d->count; i++) {
        entry_clear(&d->entries[i]);
    }
    free(d->entries);
    deis_keywatch_stop(d->keywatch);
    deis_service_clear(&d->own);
    free(d->key);
    free(d->put_value);
    pthread_mutex_destroy(&d->lock);
    free(d);
}
