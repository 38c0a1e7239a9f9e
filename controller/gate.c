/* SPDX-License-Identifier: MIT */
#include "controller/gate.h"

#include "lib/base/map.h"

#include <pthread.h>
#include <time.h>

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct deis_map *held; /* name -> unsigned * */
    unsigned width;
};

struct gate *gate_new(unsigned width)
{
    struct gate *g = deis_alloc(sizeof(*g));
    pthread_condattr_t attr;

    pthread_mutex_init(&g->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&g->changed, &attr);
    pthread_condattr_destroy(&attr);
    g->held = deis_map_new(free);
    g->width = width;
    return g;
}

void gate_free(struct gate *g)
{
    if (!g) {
        return;
    }
    deis_map_free(g->held);
    pthread_cond_destroy(&g->changed);
    pthread_mutex_destroy(&g->lock);
    free(g);
}

bool gate_enter(struct gate *g, const char *name, uint64_t timeout_ms)
{
    struct timespec until;
    unsigned *count;
    int r = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(timeout_ms / 1000);
    until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&g->lock);
    while ((count = deis_map_get(g->held, deis_str(name))) != NULL && *count >= g->width &&
           r == 0) {
        r = pthread_cond_timedwait(&g->changed, &g->lock, &until);
    }
    bool entered = !count || *count < g->width;
    if (entered && !count) {
        count = deis_alloc(sizeof(*count));
        deis_map_set(g->held, deis_str(name), count);
    }
    if (entered) {
        (*count)++;
    }
    pthread_mutex_unlock(&g->lock);
    return entered;
}

void gate_leave(struct gate *g, const char *name)
{
    pthread_mutex_lock(&g->lock);
    unsigned *count = deis_map_get(g->held, deis_str(name));
    if (count && --*count == 0) {
        deis_map_remove(g->held, deis_str(name));
    }
    pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->lock);
}
