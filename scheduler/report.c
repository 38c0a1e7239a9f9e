/* SPDX-License-Identifier: MIT */
#include "scheduler/report.h"

#include "lib/net/log.h"

#define COALESCE_MS  5
#define RETRY_MS     250
#define RETRY_MAX_MS 2000
#define KEYS_PER_TXN 100

struct entry {
    char *text; /* NULL = the key shall not be there */
    bool dirty; /* etcd does not hold it yet */
};

struct batch {
    struct report *report;
    struct deis_etcd_txn *txn;
    char *units[KEYS_PER_TXN];
    size_t count;
    int rc;
    struct deis_err err;
};

struct report {
    const struct context *ctx;
    struct deis_workers *worker;
    struct deis_timer *timer;
    struct deis_map *entries; /* by unit */
    struct deis_etcd_range seed;
    struct deis_err seed_err;
    int seed_rc;
    bool seeded;
    bool busy;
    unsigned failures;
    void (*on_seed)(struct deis_str unit, struct deis_str text, void *arg);
    void (*on_seeded)(void *arg);
    void *arg;
    bool stopping;
};

static void entry_free(void *p)
{
    struct entry *e = p;

    free(e->text);
    free(e);
}

static void flush_within(struct report *r, uint64_t ms)
{
    if (!r->busy && !r->stopping) {
        deis_timer_after(r->timer, ms);
    }
}

static void retry(struct report *r, const char *what, const struct deis_err *err)
{
    if (r->failures == 0) {
        deis_warn(what, KV_ERR(err));
    }
    flush_within(r, deis_backoff_ms(r->failures++, RETRY_MS, RETRY_MAX_MS));
}

/* --- what etcd holds at the start --- */

static void list(void *arg)
{
    struct report *r = arg;
    char prefix[DEIS_KEY_MAX];

    r->seed_err = (struct deis_err)DEIS_ERR_INIT;
    r->seed_rc = deis_etcd_list(r->ctx->etcd, deis_key(prefix, "states/%s/", r->ctx->machine), 0,
                                &r->seed, &r->seed_err);
}

static void listed(void *arg)
{
    struct report *r = arg;
    deis_autofree char *prefix = deis_asprintf("states/%s/", r->ctx->machine);

    r->busy = false;
    if (r->seed_rc < 0) {
        retry(r, "can't list the states of this machine", &r->seed_err);
        return;
    }
    for (size_t i = 0; i < r->seed.count; i++) {
        struct deis_str unit = deis_key_below(r->seed.kvs[i].key, prefix);
        r->on_seed(unit, r->seed.kvs[i].value, r->arg);
        struct entry *e = deis_map_get(r->entries, unit);
        if (!e) {
            e = deis_alloc(sizeof(*e));
            e->text = deis_str_dup(r->seed.kvs[i].value);
            deis_map_set(r->entries, unit, e);
        } else if (e->text && deis_str_eq_cstr(r->seed.kvs[i].value, e->text)) {
            e->dirty = false;
        }
    }
    deis_etcd_range_clear(&r->seed);
    r->seeded = true;
    r->failures = 0;
    r->on_seeded(r->arg);
    flush_within(r, COALESCE_MS);
}

/* --- writing --- */

static void batch_free(struct batch *b)
{
    for (size_t i = 0; i < b->count; i++) {
        free(b->units[i]);
    }
    deis_etcd_txn_free(b->txn);
    free(b);
}

static void commit(void *arg)
{
    struct batch *b = arg;

    b->rc = deis_etcd_commit(b->report->ctx->etcd, b->txn, NULL, NULL, &b->err);
}

static void committed(void *arg)
{
    struct batch *b = arg;
    struct report *r = b->report;

    r->busy = false;
    if (b->rc == 0) {
        r->failures = 0;
        flush_within(r, COALESCE_MS);
    } else {
        for (size_t i = 0; i < b->count; i++) {
            struct entry *e = deis_map_get(r->entries, deis_str(b->units[i]));
            if (e) {
                e->dirty = true;
            } else { /* removed meanwhile, or to be removed */
                e = deis_alloc(sizeof(*e));
                e->dirty = true;
                deis_map_set(r->entries, deis_str(b->units[i]), e);
            }
        }
        retry(r, "can't report states", &b->err);
    }
    batch_free(b);
}

static void batch_add(struct batch *b, struct deis_str unit, const char *text)
{
    char key[DEIS_KEY_MAX];

    deis_key(key, "states/%s/%.*s", b->report->ctx->machine, DEIS_STR_ARG(unit));
    if (text) {
        deis_etcd_then_put(b->txn, key, deis_str(text), 0);
    } else {
        deis_etcd_then_delete(b->txn, key);
    }
    b->units[b->count++] = deis_str_dup(unit);
}

static void on_timer(void *arg)
{
    struct deis_err err = DEIS_ERR_INIT;
    struct report *r = arg;
    size_t cursor = 0;
    struct deis_str unit;
    void *value;

    if (!r->seeded) {
        r->busy = true;
        if (deis_workers_run(r->worker, list, listed, r, &r->seed_err) < 0) {
            r->seed_rc = r->seed_err.code;
            listed(r);
        }
        return;
    }
    struct batch *b = deis_alloc(sizeof(*b));
    b->report = r;
    b->txn = deis_etcd_txn_new();
    while (b->count < KEYS_PER_TXN && deis_map_next(r->entries, &cursor, &unit, &value)) {
        struct entry *e = value;
        if (e->dirty) {
            e->dirty = false;
            batch_add(b, unit, e->text);
            if (!e->text) {
                deis_map_remove(r->entries, unit);
            }
        }
    }
    if (b->count == 0) {
        batch_free(b);
        return;
    }
    r->busy = true;
    int rc = deis_workers_run(r->worker, commit, committed, b, &err);
    if (rc < 0) {
        b->rc = rc;
        b->err = err;
        committed(b);
    }
}

void report_set(struct report *r, const char *unit, char *text)
{
    struct entry *e = deis_map_get(r->entries, deis_str(unit));

    if (e && e->text && text && strcmp(e->text, text) == 0) {
        free(text);
        return;
    }
    if (!e) {
        e = deis_alloc(sizeof(*e));
        deis_map_set(r->entries, deis_str(unit), e);
    }
    free(e->text);
    e->text = text;
    e->dirty = true;
    flush_within(r, r->failures > 0 ? RETRY_MS : COALESCE_MS);
}

void report_again(struct report *r)
{
    size_t cursor = 0;
    struct deis_str unit;
    void *value;

    while (deis_map_next(r->entries, &cursor, &unit, &value)) {
        ((struct entry *)value)->dirty = true;
    }
    flush_within(r, COALESCE_MS);
}

const char *report_get(const struct report *r, const char *unit)
{
    const struct entry *e = deis_map_get(r->entries, deis_str(unit));

    return e ? e->text : NULL;
}

void report_prune(struct report *r, bool (*keep)(struct deis_str unit, void *arg), void *arg)
{
    size_t cursor = 0;
    struct deis_str unit;
    void *value;

    while (deis_map_next(r->entries, &cursor, &unit, &value)) {
        struct entry *e = value;
        if (e->text && !keep(unit, arg)) {
            free(DEIS_TAKE(e->text));
            e->dirty = true;
        }
    }
    flush_within(r, COALESCE_MS);
}

struct report *report_start(const struct context *ctx,
                            void (*on_seed)(struct deis_str unit, struct deis_str text, void *arg),
                            void (*on_seeded)(void *arg), void *arg)
{
    struct report *r = deis_alloc(sizeof(*r));

    r->ctx = ctx;
    r->on_seed = on_seed;
    r->on_seeded = on_seeded;
    r->arg = arg;
    r->worker = deis_workers_new(ctx->loop, 1, 4);
    r->timer = deis_timer_new(ctx->loop, on_timer, r);
    r->entries = deis_map_new(entry_free);
    deis_timer_after(r->timer, 0);
    return r;
}

void report_stop(struct report *r)
{
    if (!r) {
        return;
    }
    r->stopping = true;
    deis_workers_free(r->worker);
    deis_timer_free(r->timer);
    deis_map_free(r->entries);
    free(r);
}
