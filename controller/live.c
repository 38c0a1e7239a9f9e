/* SPDX-License-Identifier: MIT */
#include "controller/live.h"

#include "lib/base/clock.h"

#include <pthread.h>
#include <sys/queue.h>

#define LIVES_MAX    512
#define PROGRESS_MAX 500
#define KEEP_MS      120000
#define TICK_MS      1000

struct live {
    struct lives *lives;
    char *id;
    unsigned refs; /* the table's and the callers' */
    bool ended;
    bool dropped; /* out of the table before its end: nobody here carries it */
    uint64_t ended_ms;
    char *progress[PROGRESS_MAX + 1];
    size_t progress_count;
    struct outcome outcome;
};

/* Somebody to be told once. */
struct waiter {
    TAILQ_ENTRY(waiter) link;
    struct live *live; /* with a reference; NULL: only the time counts */
    size_t seen;
    uint64_t until_ms;
    live_fn *fn;
    void *arg;
    struct live_status status;
};

TAILQ_HEAD(waiter_list, waiter);

struct lives {
    pthread_mutex_t lock;
    struct deis_map *table;
    struct waiter_list waiters;
    struct deis_timer *tick;
};

static void live_free(struct live *v)
{
    for (size_t i = 0; i < v->progress_count; i++) {
        free(v->progress[i]);
    }
    outcome_clear(&v->outcome);
    free(v->id);
    free(v);
}

/* Under the lock. */
static void release(struct live *v)
{
    if (--v->refs == 0) {
        live_free(v);
    }
}

static void table_release(void *value)
{
    release(value);
}

static void outcome_copy(struct outcome *to, const struct outcome *from)
{
    *to = *from;
    to->app = from->app ? deis_strdup(from->app) : NULL;
    to->reason = from->reason ? deis_strdup(from->reason) : NULL;
    to->log = deis_strv_copy(from->log);
}

/* --- who waits --- */

static bool is_news(const struct waiter *w)
{
    const struct live *v = w->live;

    return v && (v->ended || v->dropped || v->progress_count > w->seen);
}

/* Under the lock. */
static void fill_status(struct waiter *w)
{
    const struct live *v = w->live;

    if (v) {
        size_t from = w->seen < v->progress_count ? w->seen : v->progress_count;
        w->status.progress = deis_strv_copy(v->progress + from);
        w->status.ended = v->ended;
    }
    if (v && v->ended) {
        outcome_copy(&w->status.outcome, &v->outcome);
    }
}

/* Tell all for whom there is news, or whose time is over. */
static void tell(struct lives *l, uint64_t now_ms)
{
    struct waiter_list ready = TAILQ_HEAD_INITIALIZER(ready);
    struct waiter *w, *next;

    pthread_mutex_lock(&l->lock);
    for (w = TAILQ_FIRST(&l->waiters); w; w = next) {
        next = TAILQ_NEXT(w, link);
        if (is_news(w) || w->until_ms <= now_ms) {
            TAILQ_REMOVE(&l->waiters, w, link);
            TAILQ_INSERT_TAIL(&ready, w, link);
            fill_status(w);
        }
    }
    pthread_mutex_unlock(&l->lock);
    while ((w = TAILQ_FIRST(&ready)) != NULL) {
        TAILQ_REMOVE(&ready, w, link);
        w->fn(&w->status, w->arg);
        live_unref(w->live);
        deis_strv_free(w->status.progress);
        outcome_clear(&w->status.outcome);
        free(w);
    }
}

static void on_tick(void *arg)
{
    tell(arg, deis_now_ms());
}

void lives_tell(struct lives *l, struct live *v, size_t seen, uint64_t timeout_ms, live_fn *fn,
                void *arg)
{
    struct waiter *w = deis_alloc(sizeof(*w));
    uint64_t now = deis_now_ms();

    *w = (struct waiter){
        .live = v, .seen = seen, .until_ms = now + timeout_ms, .fn = fn, .arg = arg
    };
    pthread_mutex_lock(&l->lock);
    if (v) {
        v->refs++;
    }
    TAILQ_INSERT_TAIL(&l->waiters, w, link);
    pthread_mutex_unlock(&l->lock);
    tell(l, now);
}

/* --- the table --- */

struct lives *lives_new(struct deis_loop *loop)
{
    struct lives *l = deis_alloc(sizeof(*l));

    pthread_mutex_init(&l->lock, NULL);
    l->table = deis_map_new(table_release);
    TAILQ_INIT(&l->waiters);
    l->tick = deis_timer_new(loop, on_tick, l);
    deis_timer_every(l->tick, TICK_MS);
    return l;
}

void lives_free(struct lives *l)
{
    if (!l) {
        return;
    }
    deis_timer_free(l->tick);
    tell(l, UINT64_MAX);
    deis_map_free(l->table);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

static void forget_old(struct lives *l)
{
    size_t cursor = 0;
    struct deis_str id;
    void *value;
    uint64_t now = deis_now_ms();

    while (deis_map_next(l->table, &cursor, &id, &value)) {
        const struct live *v = value;
        if (v->ended && now - v->ended_ms > KEEP_MS) {
            deis_map_remove(l->table, id);
        }
    }
}

struct live *live_find(struct lives *l, const char *id)
{
    pthread_mutex_lock(&l->lock);
    struct live *v = deis_map_get(l->table, deis_str(id));
    if (v) {
        v->refs++;
    }
    pthread_mutex_unlock(&l->lock);
    return v;
}

struct live *live_get(struct lives *l, const char *id, bool *ret_new)
{
    pthread_mutex_lock(&l->lock);
    forget_old(l);
    struct live *v = deis_map_get(l->table, deis_str(id));
    *ret_new = !v;
    if (!v && deis_map_count(l->table) < LIVES_MAX) {
        v = deis_alloc(sizeof(*v));
        v->lives = l;
        v->id = deis_strdup(id);
        v->refs = 1;
        deis_map_set(l->table, deis_str(id), v);
    }
    if (v) {
        v->refs++;
    }
    pthread_mutex_unlock(&l->lock);
    return v;
}

void live_unref(struct live *v)
{
    if (v) {
        struct lives *l = v->lives;
        pthread_mutex_lock(&l->lock);
        release(v);
        pthread_mutex_unlock(&l->lock);
    }
}

/* --- what becomes of one --- */

void live_drop(struct live *v)
{
    struct lives *l = v->lives;

    pthread_mutex_lock(&l->lock);
    v->dropped = true;
    if (deis_map_get(l->table, deis_str(v->id)) == v) {
        deis_map_remove(l->table, deis_str(v->id));
    }
    pthread_mutex_unlock(&l->lock);
    tell(l, 0);
}

void live_progress(struct live *v, const char *format, ...)
{
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(1024);
    va_list args;

    if (!v) {
        return;
    }
    va_start(args, format);
    deis_buf_vaddf(&text, format, args);
    va_end(args);
    pthread_mutex_lock(&v->lives->lock);
    if (v->progress_count < PROGRESS_MAX) {
        v->progress[v->progress_count++] = deis_strdup(text.data);
    }
    pthread_mutex_unlock(&v->lives->lock);
    tell(v->lives, 0);
}

void live_end(struct live *v, const struct outcome *o)
{
    if (!v) {
        return;
    }
    pthread_mutex_lock(&v->lives->lock);
    if (!v->ended) {
        outcome_copy(&v->outcome, o);
        v->ended = true;
        v->ended_ms = deis_now_ms();
    }
    pthread_mutex_unlock(&v->lives->lock);
    tell(v->lives, 0);
}
