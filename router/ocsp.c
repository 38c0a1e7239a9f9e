/* SPDX-License-Identifier: MIT */
/* When which responder is asked. */
#include "router/ocsp.h"

#include "router/tls_server.h"

#include "lib/base/clock.h"
#include "lib/base/map.h"
#include "lib/net/log.h"

enum {
    TICK_MS = 1000,
    THREADS = 2,
    QUEUE_MAX = 4,
    AGAIN_MS = 60 * 1000,
    AGAIN_MAX_MS = 3600 * 1000,
    REFRESH_MIN_MS = 5 * 1000,
    REFRESH_MAX_MS = 24 * 3600 * 1000,
};

struct entry {
    struct tls_cert *cert;
    uint64_t due_ms;
    unsigned attempt;
    bool busy;
};

struct ocsp {
    char *ca_file;
    void (*on_staple)(const char *name, struct tls_cert *cert, void *arg);
    void *arg;
    struct deis_workers *workers;
    struct deis_timer *timer;
    struct deis_map *entries;
    unsigned running;
    uint64_t failures;
};

struct job {
    struct ocsp *ocsp;
    char *name;
    struct tls_cert *cert;
    struct ocsp_answer answer;
    int code;
    struct deis_err err;
};

static void on_free_entry(void *value)
{
    struct entry *e = value;

    tls_cert_unref(e->cert);
    free(e);
}

static void work(void *arg)
{
    struct job *j = arg;

    j->code = ocsp_ask(j->cert, j->ocsp->ca_file, &j->answer, &j->err);
}

static void take(struct ocsp *o, struct entry *e, struct job *j)
{
    uint64_t now_ms = deis_wall_ms();
    uint64_t left_ms = j->answer.until_ms > now_ms ? j->answer.until_ms - now_ms : 0;
    uint64_t next_ms = left_ms / 2;
    struct tls_cert *cert =
        tls_cert_stapled(j->cert, deis_buf_str(&j->answer.der), j->answer.until_ms);

    next_ms = next_ms < REFRESH_MIN_MS ? REFRESH_MIN_MS : next_ms;
    e->due_ms = deis_now_ms() + (next_ms < REFRESH_MAX_MS ? next_ms : REFRESH_MAX_MS);
    e->attempt = 0;
    tls_cert_unref(e->cert);
    e->cert = tls_cert_ref(cert);
    o->on_staple(j->name, cert, o->arg);
}

static void done(void *arg)
{
    struct job *j = arg;
    struct ocsp *o = j->ocsp;
    struct entry *e = deis_map_get(o->entries, deis_str(j->name));

    o->running--;
    if (e && e->cert == j->cert) {
        e->busy = false;
        if (j->code == 0) {
            take(o, e, j);
        } else if (j->code == DEIS_NOT_FOUND) {
            deis_debug("no OCSP", KV_S("name", j->name), KV_ERR(&j->err));
            (void)deis_map_remove(o->entries, deis_str(j->name));
        } else {
            o->failures++;
            deis_warn("no OCSP answer", KV_S("name", j->name), KV_ERR(&j->err));
            e->due_ms = deis_now_ms() + deis_backoff_ms(e->attempt++, AGAIN_MS, AGAIN_MAX_MS);
        }
    }
    deis_buf_clear(&j->answer.der);
    tls_cert_unref(j->cert);
    free(j->name);
    free(j);
}

static void ask(struct ocsp *o, struct deis_str name, struct entry *e)
{
    struct job *j = deis_alloc(sizeof(*j));

    j->ocsp = o;
    j->name = deis_str_dup(name);
    j->cert = tls_cert_ref(e->cert);
    e->busy = true;
    o->running++;
    if (deis_workers_run(o->workers, work, done, j, &j->err) < 0) {
        j->code = DEIS_LIMIT;
        done(j);
    }
}

static void on_tick(void *arg)
{
    struct ocsp *o = arg;
    uint64_t now_ms = deis_now_ms();
    size_t cursor = 0;
    struct deis_str name;
    void *value;

    while (o->running < THREADS && deis_map_next(o->entries, &cursor, &name, &value)) {
        struct entry *e = value;
        if (!e->busy && now_ms >= e->due_ms) {
            ask(o, name, e);
        }
    }
    if (deis_map_count(o->entries) == 0) {
        deis_timer_cancel(o->timer);
    }
}

size_t ocsp_stapled(const struct ocsp *o)
{
    uint64_t now_ms = deis_wall_ms();
    size_t count = 0;
    size_t cursor = 0;
    struct deis_str name;
    void *value;

    while (deis_map_next(o->entries, &cursor, &name, &value)) {
        const struct tls_cert *cert = ((const struct entry *)value)->cert;
        count += cert->staple_len > 0 && now_ms < cert->staple_until_ms;
    }
    return count;
}

uint64_t ocsp_failures(const struct ocsp *o)
{
    return o->failures;
}

struct ocsp *ocsp_new(struct deis_loop *loop, const char *ca_file,
                      void (*on_staple)(const char *name, struct tls_cert *cert, void *arg),
                      void *arg)
{
    struct ocsp *o = deis_alloc(sizeof(*o));

    o->ca_file = deis_strdup(ca_file);
    o->on_staple = on_staple;
    o->arg = arg;
    o->workers = deis_workers_new(loop, THREADS, QUEUE_MAX);
    o->timer = deis_timer_new(loop, on_tick, o);
    o->entries = deis_map_new(on_free_entry);
    return o;
}

void ocsp_free(struct ocsp *o)
{
    if (o) {
        /* What comes now finds no entry. */
        deis_map_free(o->entries);
        o->entries = deis_map_new(on_free_entry);
        deis_workers_free(o->workers);
        deis_map_free(o->entries);
        deis_timer_free(o->timer);
        free(o->ca_file);
        free(o);
    }
}

void ocsp_watch(struct ocsp *o, const char *name, struct tls_cert *cert)
{
    if (!cert || !ocsp_has_responder(cert)) {
        (void)deis_map_remove(o->entries, deis_str(name));
        return;
    }
    struct entry *e = deis_alloc(sizeof(*e));
    e->cert = tls_cert_ref(cert);
    deis_map_set(o->entries, deis_str(name), e);
    deis_timer_every(o->timer, TICK_MS);
}
