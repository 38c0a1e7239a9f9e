/* SPDX-License-Identifier: MIT */
#include "router/firewall_load.h"

#include "lib/base/clock.h"
#include "lib/net/log.h"

#include <limits.h>
#include <pthread.h>
#include <unistd.h>

enum { RETRY_MS = 10 * 1000 };

#define MODULE "lib/deis/deis-router-firewall.so"

struct firewall_load {
    struct deis_loop *loop;
    char *module;
    const char *rules;
    struct deis_timer *retry;
    struct firewall_place place;
    bool wanted;
    bool running; /* the thread; what is below is its own meanwhile */
    pthread_t thread;
    struct firewall *loaded; /* NULL: err says why not */
    struct deis_err err;
    uint64_t took_us;
};

/* DIR/bin/deis-router has it in DIR/lib/deis. */
static char *beside_program(void)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path));
    struct deis_str dir = deis_str_n(path, n > 0 ? (size_t)n : 0);

    for (int up = 0; up < 2; up++) {
        ptrdiff_t slash = deis_str_rfind(dir, '/');
        dir = deis_str_first(dir, slash > 0 ? (size_t)slash : 0);
    }
    return deis_asprintf("%.*s/" MODULE, DEIS_STR_ARG(dir));
}

static void load(struct firewall_load *l)
{
    uint64_t start_us = deis_now_us();

    if (firewall_open(l->module, l->rules, &l->loaded, &l->err) < 0) {
        l->loaded = NULL;
    }
    l->took_us = deis_now_us() - start_us;
}

static void take(struct firewall_load *l)
{
    if (l->loaded) {
        deis_info("the firewall is loaded", KV_I("ms", l->took_us / 1000));
        atomic_store(&l->place.loaded, l->loaded);
        atomic_store(&l->place.failed, false);
        return;
    }
    deis_error("no firewall: requests that it is to examine are refused", KV_ERR(&l->err));
    atomic_store(&l->place.failed, true);
    deis_timer_after(l->retry, RETRY_MS);
}

static void on_loaded(void *arg)
{
    struct firewall_load *l = arg;

    if (l->running) { /* else it was waited for */
        l->running = false;
        (void)pthread_join(l->thread, NULL);
        take(l);
    }
}

static void *run(void *arg)
{
    struct firewall_load *l = arg;

    load(l);
    deis_loop_post(l->loop, on_loaded, l);
    return NULL;
}

static void start(struct firewall_load *l)
{
    int code = pthread_create(&l->thread, NULL, run, l);

    l->running = code == 0;
    if (code != 0) {
        deis_err_errno(&l->err, code, "can't start a thread for the firewall");
        take(l);
    }
}

static void on_retry(void *arg)
{
    start(arg);
}

struct firewall_load *firewall_load_new(struct deis_loop *loop, const char *module,
                                        const char *rules)
{
    struct firewall_load *l = deis_alloc(sizeof(*l));

    l->loop = loop;
    l->module = module ? deis_strdup(module) : beside_program();
    l->rules = rules;
    l->retry = deis_timer_new(loop, on_retry, l);
    return l;
}

void firewall_load_stop(struct firewall_load *l)
{
    if (!l) {
        return;
    }
    if (l->running) {
        l->running = false;
        (void)pthread_join(l->thread, NULL);
    }
    deis_timer_free(DEIS_TAKE(l->retry));
}

void firewall_load_free(struct firewall_load *l)
{
    if (!l) {
        return;
    }
    firewall_close(l->loaded);
    free(l->module);
    free(l);
}

void firewall_load_want(struct firewall_load *l, bool now)
{
    if (l->wanted) {
        return;
    }
    l->wanted = true;
    if (now) {
        load(l);
        take(l);
    } else {
        start(l);
    }
}

const struct firewall_place *firewall_load_place(const struct firewall_load *l)
{
    return &l->place;
}
