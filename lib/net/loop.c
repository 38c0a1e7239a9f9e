/* SPDX-License-Identifier: MIT */
#include "lib/net/loop.h"

#include "lib/net/log.h"

#include <curl/curl.h>
#include <errno.h>
#include <event2/thread.h>
#include <jansson.h>
#include <link.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

/* Posts may post again; what still waits after so many rounds when the loop is freed is dropped. */
#define FREE_ROUNDS 16

struct post {
    void (*fn)(void *arg);
    void *arg;
    struct post *next;
};

struct deis_loop {
    struct event_base *base;
    struct event *signals[2];
    bool stop_asked; /* by a signal */
    void (*on_stop)(void *arg);
    void *on_stop_arg;
    struct event *posted;
    atomic_bool stopping;
    struct deis_workers *workers; /* list, newest first */

    pthread_mutex_t lock; /* guards first, last and workers */
    struct post *first;
    struct post *last;
};

struct deis_timer {
    struct event *event;
    struct timeval period; /* zero = once */
    void (*fn)(void *arg);
    void *arg;
};

void deis_runtime_init(const char *service)
{
    deis_log_init(service);
    signal(SIGPIPE, SIG_IGN);
    mallopt(M_ARENA_MAX, 2);
    mallopt(M_TRIM_THRESHOLD, 64 * 1024);
    mallopt(M_MMAP_THRESHOLD, 64 * 1024);
    json_object_seed(0);
    /* Before curl does it: neither openssl.cnf nor error texts are worth their memory to us. */
    OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_LOAD_CRYPTO_STRINGS, NULL);
    if (evthread_use_pthreads() != 0 || curl_global_init(CURL_GLOBAL_DEFAULT) != 0) {
        deis_error("cannot initialise libevent or libcurl");
        abort();
    }
}

static void on_signal(evutil_socket_t sig, short what, void *arg)
{
    struct deis_loop *loop = arg;
    if (loop->on_stop == NULL || loop->stop_asked) {
        deis_loop_stop(loop);
        return;
    }
    loop->stop_asked = true;
    loop->on_stop(loop->on_stop_arg);
}

static struct post *take_posts(struct deis_loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    struct post *p = loop->first;
    loop->first = NULL;
    loop->last = NULL;
    pthread_mutex_unlock(&loop->lock);
    return p;
}

static bool run_posts(struct deis_loop *loop)
{
    struct post *p = take_posts(loop);
    bool any = p != NULL;
    while (p != NULL) {
        struct post *next = p->next;
        p->fn(p->arg);
        free(p);
        p = next;
    }
    return any;
}

static void on_posted(evutil_socket_t fd, short what, void *arg)
{
    run_posts(arg);
}

struct deis_loop *deis_loop_new(void)
{
    struct deis_loop *loop = deis_alloc(sizeof(*loop));
    pthread_mutex_init(&loop->lock, NULL);
    loop->base = event_base_new();
    if (loop->base != NULL) {
        loop->posted = event_new(loop->base, -1, 0, on_posted, loop);
        loop->signals[0] = evsignal_new(loop->base, SIGTERM, on_signal, loop);
        loop->signals[1] = evsignal_new(loop->base, SIGINT, on_signal, loop);
    }
    if (loop->posted == NULL || loop->signals[0] == NULL || loop->signals[1] == NULL) {
        deis_error("cannot create an event loop", KV_S("err", strerror(errno)));
        abort();
    }
    return loop;
}

struct event_base *deis_loop_base(struct deis_loop *loop)
{
    return loop->base;
}

void deis_loop_on_stop(struct deis_loop *loop, void (*on_stop)(void *arg), void *arg)
{
    loop->on_stop = on_stop;
    loop->on_stop_arg = arg;
}

static int unmap_read_only(struct dl_phdr_info *object, size_t size, void *arg)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        if (part->p_type == PT_LOAD && !(part->p_flags & PF_W)) {
            uintptr_t first = (object->dlpi_addr + part->p_vaddr) & ~(page - 1);
            uintptr_t end = object->dlpi_addr + part->p_vaddr + part->p_memsz;
            madvise((void *)first, end - first, MADV_DONTNEED);
        }
    }
    return 0;
}

/* Give back what only the start has touched of libraries' code and tables, most of what an idle
 * service has mapped. It was never written; what is needed again is still in the page cache. */
static void forget_start(void)
{
    dl_iterate_phdr(unmap_read_only, NULL);
}

void deis_loop_run(struct deis_loop *loop)
{
    /* libevent can serve signals on one base of a process only: the main thread's. */
    bool with_signals = gettid() == getpid();
    if (with_signals) {
        forget_start();
    }
    for (size_t i = 0; with_signals && i < DEIS_COUNT(loop->signals); i++) {
        event_add(loop->signals[i], NULL);
    }
    event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY);
    for (size_t i = 0; with_signals && i < DEIS_COUNT(loop->signals); i++) {
        event_del(loop->signals[i]);
    }
    atomic_store(&loop->stopping, false);
}

static void break_loop(void *arg)
{
    struct deis_loop *loop = arg;
    event_base_loopbreak(loop->base);
}

void deis_loop_stop(struct deis_loop *loop)
{
    /* By a post: a break that comes before the loop runs would be forgotten by libevent. */
    if (!atomic_exchange(&loop->stopping, true)) {
        deis_loop_post(loop, break_loop, loop);
    }
}

void deis_loop_post(struct deis_loop *loop, void (*fn)(void *arg), void *arg)
{
    struct post *p = deis_alloc(sizeof(*p));
    p->fn = fn;
    p->arg = arg;
    pthread_mutex_lock(&loop->lock);
    bool was_empty = loop->first == NULL;
    if (was_empty) {
        loop->first = p;
    } else {
        loop->last->next = p;
    }
    loop->last = p;
    if (was_empty) {
        event_active(loop->posted, EV_TIMEOUT, 0);
    }
    pthread_mutex_unlock(&loop->lock);
}

static struct timeval to_timeval(uint64_t ms)
{
    return (struct timeval){ .tv_sec = (time_t)(ms / 1000),
                             .tv_usec = (suseconds_t)(ms % 1000) * 1000 };
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct deis_timer *t = arg;
    if (t->period.tv_sec != 0 || t->period.tv_usec != 0) {
        event_add(t->event, &t->period);
    }
    t->fn(t->arg);
}

struct deis_timer *deis_timer_new(struct deis_loop *loop, void (*fn)(void *arg), void *arg)
{
    struct deis_timer *t = deis_alloc(sizeof(*t));
    t->fn = fn;
    t->arg = arg;
    t->event = evtimer_new(loop->base, on_timer, t);
    if (t->event == NULL) {
        abort();
    }
    return t;
}

void deis_timer_after(struct deis_timer *t, uint64_t ms)
{
    struct timeval delay = to_timeval(ms);
    t->period = (struct timeval){ 0 };
    event_add(t->event, &delay);
}

void deis_timer_every(struct deis_timer *t, uint64_t ms)
{
    t->period = to_timeval(ms > 0 ? ms : 1);
    event_add(t->event, &t->period);
}

void deis_timer_cancel(struct deis_timer *t)
{
    event_del(t->event);
}

void deis_timer_free(struct deis_timer *t)
{
    if (t != NULL) {
        event_free(t->event);
        free(t);
    }
}

/* --- worker threads --- */

#define IDLE_SECONDS 10

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#    define STACK_BYTES 1048576U
#else
#    define STACK_BYTES 262144U
#endif

struct job {
    void (*work)(void *arg);
    void (*done)(void *arg);
    void *arg;
    struct job *next;
};

struct job_list {
    struct job *first;
    struct job **tail;
};

/* A slot for a thread. A thread that left for want of work is still to be joined. */
struct worker {
    bool started;
    bool ended; /* set by the thread */
    pthread_t thread;
    struct deis_workers *owner;
};

struct deis_workers {
    struct deis_loop *loop;
    struct deis_workers *next; /* in the loop's list */
    struct event *finished_event;

    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t work_came;
    struct job_list queue;
    struct job_list finished;
    unsigned open_jobs; /* waiting or running */
    unsigned waiting;
    unsigned idle;
    unsigned queue_max;
    bool closing;
    unsigned slot_count;
    struct worker slots[];
};

static void job_list_init(struct job_list *l)
{
    l->first = NULL;
    l->tail = &l->first;
}

static void job_list_add(struct job_list *l, struct job *j)
{
    j->next = NULL;
    *l->tail = j;
    l->tail = &j->next;
}

static struct job *job_list_take(struct job_list *l)
{
    struct job *j = l->first;
    if (j != NULL) {
        l->first = j->next;
        if (l->first == NULL) {
            l->tail = &l->first;
        }
    }
    return j;
}

/* On the loop, or in deis_workers_free(). */
static void deliver_finished(struct deis_workers *w)
{
    pthread_mutex_lock(&w->lock);
    struct job *j = w->finished.first;
    job_list_init(&w->finished);
    pthread_mutex_unlock(&w->lock);
    while (j != NULL) {
        struct job *next = j->next;
        if (j->done != NULL) {
            j->done(j->arg);
        }
        free(j);
        j = next;
    }
}

static void on_finished(evutil_socket_t fd, short what, void *arg)
{
    deliver_finished(arg);
}

/* Called with the lock held: the next job, or NULL when the thread shall end. */
static struct job *wait_for_job(struct deis_workers *w)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += IDLE_SECONDS;
    int rc = 0;
    while (w->queue.first == NULL && !w->closing && rc != ETIMEDOUT) {
        w->idle++;
        rc = pthread_cond_timedwait(&w->work_came, &w->lock, &until);
        w->idle--;
    }
    struct job *j = job_list_take(&w->queue);
    if (j != NULL) {
        w->waiting--;
    }
    return j;
}

static void *worker_main(void *arg)
{
    struct worker *self = arg;
    struct deis_workers *w = self->owner;
    pthread_mutex_lock(&w->lock);
    for (struct job *j = wait_for_job(w); j != NULL; j = wait_for_job(w)) {
        pthread_mutex_unlock(&w->lock);
        j->work(j->arg);
        pthread_mutex_lock(&w->lock);
        w->open_jobs--;
        if (w->finished.first == NULL) {
            event_active(w->finished_event, EV_TIMEOUT, 0);
        }
        job_list_add(&w->finished, j);
    }
    self->ended = true;
    bool closing = w->closing;
    pthread_mutex_unlock(&w->lock);
    if (!closing) {
        malloc_trim(0);
    }
    return NULL;
}

struct deis_workers *deis_workers_new(struct deis_loop *loop, unsigned threads, unsigned queue_max)
{
    unsigned slots = threads > 0 ? threads : 1;
    struct deis_workers *w = deis_alloc(sizeof(*w) + slots * sizeof(w->slots[0]));
    w->loop = loop;
    w->queue_max = queue_max;
    w->slot_count = slots;
    job_list_init(&w->queue);
    job_list_init(&w->finished);
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->work_came, &attr);
    pthread_condattr_destroy(&attr);
    w->finished_event = event_new(loop->base, -1, 0, on_finished, w);
    if (w->finished_event == NULL) {
        abort();
    }
    pthread_mutex_lock(&loop->lock);
    w->next = loop->workers;
    loop->workers = w;
    pthread_mutex_unlock(&loop->lock);
    return w;
}

static int start_thread(struct worker *slot)
{
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    int rc = pthread_create(&slot->thread, &attr, worker_main, slot);
    pthread_attr_destroy(&attr);
    return rc;
}

/* Called with the lock held. Failing is fine as long as another thread lives. */
static int add_thread(struct deis_workers *w)
{
    struct worker *slot = NULL;
    bool any_live = false;
    for (unsigned i = 0; i < w->slot_count; i++) {
        bool live = w->slots[i].started && !w->slots[i].ended;
        any_live = any_live || live;
        if (slot == NULL && !live) {
            slot = &w->slots[i];
        }
    }
    if (slot == NULL) {
        return 0;
    }
    if (slot->started) {
        pthread_join(slot->thread, NULL);
    }
    *slot = (struct worker){ .owner = w };
    int rc = start_thread(slot);
    slot->started = rc == 0;
    return any_live ? 0 : rc;
}

int deis_workers_run(struct deis_workers *w, void (*work)(void *arg), void (*done)(void *arg),
                     void *arg, struct deis_err *err)
{
    pthread_mutex_lock(&w->lock);
    int rc = 0;
    if (w->open_jobs >= w->slot_count + w->queue_max) {
        rc = deis_err_set(err, DEIS_LIMIT, "too many jobs at once, try again later");
    } else if (w->waiting >= w->idle) {
        int errnum = add_thread(w);
        if (errnum != 0) {
            rc = deis_err_errno(err, errnum, "cannot start a worker thread");
        }
    }
    if (rc == 0) {
        struct job *j = deis_alloc(sizeof(*j));
        j->work = work;
        j->done = done;
        j->arg = arg;
        job_list_add(&w->queue, j);
        w->open_jobs++;
        w->waiting++;
        pthread_cond_signal(&w->work_came);
    }
    pthread_mutex_unlock(&w->lock);
    return rc;
}

void deis_workers_free(struct deis_workers *w)
{
    if (w == NULL) {
        return;
    }
    pthread_mutex_lock(&w->lock);
    w->closing = true;
    pthread_cond_broadcast(&w->work_came);
    pthread_mutex_unlock(&w->lock);
    for (unsigned i = 0; i < w->slot_count; i++) {
        if (w->slots[i].started) {
            pthread_join(w->slots[i].thread, NULL);
        }
    }
    deliver_finished(w);
    event_free(w->finished_event);

    pthread_mutex_lock(&w->loop->lock);
    struct deis_workers **link = &w->loop->workers;
    while (*link != w) {
        link = &(*link)->next;
    }
    *link = w->next;
    pthread_mutex_unlock(&w->loop->lock);
    pthread_cond_destroy(&w->work_came);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

void deis_loop_free(struct deis_loop *loop)
{
    if (loop == NULL) {
        return;
    }
    for (struct deis_workers *w = loop->workers, *next; w != NULL; w = next) {
        next = w->next;
        deis_workers_free(w);
    }
    for (int i = 0; i < FREE_ROUNDS && run_posts(loop); i++) {
    }
    for (struct post *p = take_posts(loop), *next; p != NULL; p = next) {
        next = p->next;
        free(p);
    }
    event_free(loop->posted);
    event_free(loop->signals[0]);
    event_free(loop->signals[1]);
    event_base_free(loop->base);
    pthread_mutex_destroy(&loop->lock);
    free(loop);
}

uint64_t deis_backoff_ms(unsigned attempt, uint64_t base_ms, uint64_t max_ms)
{
    uint64_t delay = base_ms < max_ms ? base_ms : max_ms;
    for (unsigned i = 0; i < attempt && delay < max_ms; i++) {
        delay = delay > max_ms / 2 ? max_ms : delay * 2;
    }
    uint64_t random = 0;
    if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != (ssize_t)sizeof(random)) {
        random = delay;
    }
    return delay - random % (delay / 2 + 1);
}
