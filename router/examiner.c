/* SPDX-License-Identifier: MIT */
#include "router/examiner.h"

#include "router/worker.h"

#include <sys/eventfd.h>
#include <unistd.h>

enum { JOBS_MAX = 256 };

struct queue {
    struct examiner_job *first;
    struct examiner_job *last;
};

struct examiner {
    struct worker *worker;
    pthread_t thread;
    int fd; /* something is done */
    struct event ev;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct queue asked; /* under the lock, as what follows */
    struct queue done;
    bool stop;
};

static void put(struct queue *q, struct examiner_job *job)
{
    job->next = NULL;
    *(q->first ? &q->last->next : &q->first) = job;
    q->last = job;
}

static struct examiner_job *get(struct queue *q)
{
    struct examiner_job *job = q->first;

    if (job) {
        q->first = job->next;
    }
    return job;
}

static bool take_out(struct queue *q, struct examiner_job *job)
{
    struct examiner_job *before = NULL;
    struct examiner_job *at = q->first;

    while (at && at != job) {
        before = at;
        at = at->next;
    }
    if (!at) {
        return false;
    }
    *(before ? &before->next : &q->first) = job->next;
    q->last = q->last == job ? before : q->last;
    return true;
}

static void examine(struct examiner_job *job)
{
    job->verdict =
        job->is_body ? firewall_check_body(job->check, job->body, job->is_whole) : firewall_check_head(job->check);
}

static void *run(void *arg)
{
    struct examiner *e = arg;
    uint64_t one = 1;

    pthread_mutex_lock(&e->lock);
    while (!e->stop) {
        struct examiner_job *job = get(&e->asked);
        if (!job) {
            pthread_cond_wait(&e->changed, &e->lock);
            continue;
        }
        pthread_mutex_unlock(&e->lock);
        examine(job);
        pthread_mutex_lock(&e->lock);
        put(&e->done, job);
        (void)!write(e->fd, &one, sizeof(one));
    }
    pthread_mutex_unlock(&e->lock);
    return NULL;
}

static void on_done(evutil_socket_t fd, short what, void *arg)
{
    struct examiner *e = arg;
    struct examiner_job *job;
    uint64_t n;

    worker_look_at_clock(e->worker);
    (void)!read(fd, &n, sizeof(n));
    pthread_mutex_lock(&e->lock);
    struct queue done = e->done;
    e->done.first = NULL;
    pthread_mutex_unlock(&e->lock);
    while ((job = get(&done))) {
        atomic_fetch_sub_explicit(&e->worker->counters.checks, 1, memory_order_relaxed);
        job->on_done(job);
    }
}

/* NULL: there is nothing to make it of. */
static struct examiner *examiner_new(struct worker *w)
{
    struct examiner *e = deis_alloc(sizeof(*e));

    e->worker = w;
    e->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    pthread_mutex_init(&e->lock, NULL);
    pthread_cond_init(&e->changed, NULL);
    if (e->fd < 0 || pthread_create(&e->thread, NULL, run, e) != 0) {
        if (e->fd >= 0) {
            close(e->fd);
        }
        free(e);
        return NULL;
    }
    event_assign(&e->ev, w->base, e->fd, EV_READ | EV_PERSIST, on_done, e);
    event_add(&e->ev, NULL);
    return e;
}

bool examiner_is_full(const struct examiner *e)
{
    return e && atomic_load_explicit(&e->worker->counters.checks, memory_order_relaxed) >= JOBS_MAX;
}

void examiner_add(struct worker *w, struct examiner_job *job)
{
    struct examiner *e = w->examiner ? w->examiner : examiner_new(w);

    w->examiner = e;
    if (!e) { /* slow is better than not at all */
        examine(job);
        job->on_done(job);
        return;
    }
    atomic_fetch_add_explicit(&w->counters.checks, 1, memory_order_relaxed);
    pthread_mutex_lock(&e->lock);
    put(&e->asked, job);
    pthread_cond_signal(&e->changed);
    pthread_mutex_unlock(&e->lock);
}

bool examiner_cancel(struct examiner *e, struct examiner_job *job)
{
    pthread_mutex_lock(&e->lock);
    bool taken = take_out(&e->asked, job);
    pthread_mutex_unlock(&e->lock);
    atomic_fetch_sub_explicit(&e->worker->counters.checks, taken, memory_order_relaxed);
    return taken;
}

void examiner_free(struct examiner *e)
{
    struct examiner_job *job;

    if (!e) {
        return;
    }
    pthread_mutex_lock(&e->lock);
    e->stop = true;
    pthread_cond_signal(&e->changed);
    pthread_mutex_unlock(&e->lock);
    pthread_join(e->thread, NULL);
    while ((job = get(&e->done)) || (job = get(&e->asked))) {
        job->on_done(job);
    }
    event_del(&e->ev);
    close(e->fd);
    pthread_cond_destroy(&e->changed);
    pthread_mutex_destroy(&e->lock);
    free(e);
}
