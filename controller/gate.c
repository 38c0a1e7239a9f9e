/* SPDX-License-Identifier: MIT */
#include "controller/gate.h"

#include "lib/base/map.h"

#include <pthread.h>
#include <time.h>

struct place {
    unsigned held;
    unsigned waiting;
};

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct deis_map *places; /* by name, while somebody holds one or waits */
    unsigned width;
    unsigned waiting_max;
};

struct gate *gate_new(unsigned width, unsigned waiting_max)
{
    struct gate *g = deis_alloc(sizeof(*g));
    pthread_condattr_t attr;

    pthread_mutex_init(&g->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&g->changed, &attr);
    pthread_condattr_destroy(&attr);
    g->places = deis_map_new(free);
    g->width = width;
    g->waiting_max = waiting_max;
    return g;
}

void gate_free(struct gate *g)
{
    if (!g) {
        return;
    }
    deis_map_free(g->places);
    pthread_cond_destroy(&g->changed);
    pthread_mutex_destroy(&g->lock);
    free(g);
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

static struct place *place_of(struct gate *g, const char *name)
{
    struct place *p = deis_map_get(g->places, deis_str(name));

    if (!p) {
        p = deis_alloc(sizeof(*p));
        deis_map_set(g->places, deis_str(name), p);
    }
    return p;
}

static void forget_unused(struct gate *g, const char *name, const struct place *p)
{
    if (p->held == 0 && p->waiting == 0) {
        deis_map_remove(g->places, deis_str(name));
    }
}

bool gate_enter(struct gate *g, const char *name, uint64_t timeout_ms)
{
    struct timespec until = after_ms(timeout_ms);
    int r = 0;

    pthread_mutex_lock(&g->lock);
    struct place *p = place_of(g, name);
    bool may_wait = p->waiting < g->waiting_max;
    p->waiting++;
    while (may_wait && p->held >= g->width && r == 0) {
        r = pthread_cond_timedwait(&g->changed, &g->lock, &until);
    }
    p->waiting--;
    bool entered = p->held < g->width;
    p->held += entered;
    forget_unused(g, name, p);
    pthread_mutex_unlock(&g->lock);
    return entered;
}

void gate_leave(struct gate *g, const char *name)
{
    pthread_mutex_lock(&g->lock);
    struct place *p = place_of(g, name);
    if (p->held > 0) {
        p->held--;
    }
    forget_unused(g, name, p);
    pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->lock);
}
