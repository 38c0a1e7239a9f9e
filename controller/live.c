/* SPDX-License-Identifier: MIT */
#include "controller/live.h"

#include "lib/base/clock.h"

#include <pthread.h>
#include <time.h>

#define LIVES_MAX    512
#define PROGRESS_MAX 500
#define KEEP_MS      120000

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

struct lives {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct deis_map *table;
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

struct lives *lives_new(void)
{
    struct lives *l = deis_alloc(sizeof(*l));
    pthread_condattr_t attr;

    pthread_mutex_init(&l->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&l->changed, &attr);
    pthread_condattr_destroy(&attr);
    l->table = deis_map_new(table_release);
    return l;
}

void lives_free(struct lives *l)
{
    if (!l) {
        return;
    }
    deis_map_free(l->table);
    pthread_cond_destroy(&l->changed);
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

void live_drop(struct live *v)
{
    struct lives *l = v->lives;

    pthread_mutex_lock(&l->lock);
    v->dropped = true;
    pthread_cond_broadcast(&l->changed);
    if (deis_map_get(l->table, deis_str(v->id)) == v) {
        deis_map_remove(l->table, deis_str(v->id));
    }
    pthread_mutex_unlock(&l->lock);
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
    pthread_cond_broadcast(&v->lives->changed);
    pthread_mutex_unlock(&v->lives->lock);
}

static void outcome_copy(struct outcome *to, const struct outcome *from)
{
    *to = *from;
    to->app = from->app ? deis_strdup(from->app) : NULL;
    to->reason = from->reason ? deis_strdup(from->reason) : NULL;
    to->log = deis_strv_copy(from->log);
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
    pthread_cond_broadcast(&v->lives->changed);
    pthread_mutex_unlock(&v->lives->lock);
}

void live_wait(struct live *v, size_t seen, uint64_t timeout_ms, struct live_status *ret)
{
    struct timespec until;
    int r = 0;

    *ret = (struct live_status){ 0 };
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(timeout_ms / 1000) + (timeout_ms % 1000 > 0);
    pthread_mutex_lock(&v->lives->lock);
    while (!v->ended && !v->dropped && v->progress_count <= seen && r == 0) {
        r = pthread_cond_timedwait(&v->lives->changed, &v->lives->lock, &until);
    }
    size_t from = seen < v->progress_count ? seen : v->progress_count;
    ret->progress = deis_strv_copy(v->progress + from);
    ret->ended = v->ended;
    if (v->ended) {
        outcome_copy(&ret->outcome, &v->outcome);
    }
    pthread_mutex_unlock(&v->lives->lock);
}

void live_status_clear(struct live_status *s)
{
    deis_strv_free(s->progress);
    outcome_clear(&s->outcome);
    *s = (struct live_status){ 0 };
}
