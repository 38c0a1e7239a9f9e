/* SPDX-License-Identifier: MIT */
#include "router/worker.h"

#include "router/client.h"
#include "router/core/pages.h"
#include "router/examiner.h"
#include "router/exchange.h"
#include "router/gzip.h"
#include "router/h2.h"
#include "router/shed.h"
#include "router/tunnel.h"
#include "router/unit_h2.h"
#include "router/upstream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    TICK_US = 200000,
    ACCEPT_BATCH = 32,
    STACK_BYTES = 256 * 1024,
    SILENT_S = 1,
};

static const uint64_t wait_ms[WAIT_COUNT] = {
    [WAIT_HANDSHAKE] = 10000,  [WAIT_IDLE] = 75000,     [WAIT_HEAD] = 30000,
    [WAIT_BODY] = 75000,       [WAIT_CLIENT] = 75000,   [WAIT_CONNECT] = 1000,
    [WAIT_ANSWER] = 1300000,   [WAIT_LINGER] = 2000,    [WAIT_UPSTREAM] = 60000,
    [WAIT_TUNNEL] = 1300000,   [WAIT_STREAM] = 1300000, [WAIT_UNIT] = 1000,
    [WAIT_TUNNEL_UNIT] = 1000,
};

void worker_look_at_clock(struct worker *w)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    w->now_us = (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
    send_batch_look(&w->sends, w->now_us);
}

/* xorshift128+: for load balancing and request ids, nothing secret. */
uint64_t worker_random(struct worker *w)
{
    uint64_t a = w->random[0];
    uint64_t b = w->random[1];

    w->random[0] = b;
    a ^= a << 23;
    w->random[1] = a ^ b ^ (a >> 18) ^ (b >> 5);
    return w->random[1] + b;
}

static void tick_arm(struct worker *w)
{
    static const struct timeval tick = { 0, TICK_US };

    if (!w->ticking) {
        w->ticking = true;
        event_add(&w->ev_tick, &tick);
    }
}

static void tick_due(struct worker *w)
{
    if (w->pool.over) {
        event_active(&w->ev_tick, EV_TIMEOUT, 0); /* not here: the caller is at work on a client */
    } else {
        tick_arm(w);
    }
}

void worker_held_more(struct worker *w)
{
    tick_due(w);
}

void worker_wait(struct worker *w, enum wait wait, struct deadline *d)
{
    deadline_set(&w->waits[wait], d, w->now_us / 1000);
    tick_due(w);
}

void worker_wait_for(struct worker *w, enum wait wait, uint64_t own_ms, struct deadline *d)
{
    struct deadline_list *own = NULL;

    if (own_ms > 0 && own_ms != w->waits[wait].ms) {
        own = waits_get(&w->own_waits, own_ms, client_on_deadline);
    }
    deadline_set(own ? own : &w->waits[wait], d, w->now_us / 1000);
    tick_due(w);
}

struct worker_slot *worker_slot(struct worker *w, const struct route_endpoint *e)
{
    if (e->slot >= w->slot_count) {
        uint32_t count = (e->slot + 64) & ~UINT32_C(63);
        w->slots = deis_realloc_array(w->slots, count, sizeof(*w->slots));
        memset(w->slots + w->slot_count, 0, (count - w->slot_count) * sizeof(*w->slots));
        w->slot_count = count;
    }
    return &w->slots[e->slot];
}

void worker_release_endpoint(struct worker *w, struct route_endpoint *e)
{
    if (atomic_fetch_sub(&e->in_flight, 1) == 1 && atomic_load(w->opts.idle_wanted) > 0) {
        deis_loop_post(w->opts.main_loop, w->opts.on_idle, w->opts.arg);
    }
}

static void end_if_drained(struct worker *w)
{
    if (w->draining && atomic_load(&w->counters.connections) == 0) {
        event_base_loopbreak(w->base);
    }
}

void worker_connection_closed(struct worker *w)
{
    atomic_fetch_sub_explicit(&w->counters.connections, 1, memory_order_relaxed);
    end_if_drained(w);
}

static void accept_enable(struct worker *w, bool enable)
{
    for (unsigned i = 0; i < w->listener_count && w->accepting != enable; i++) {
        if (enable) {
            event_add(&w->listeners[i].ev, NULL);
        } else {
            event_del(&w->listeners[i].ev);
        }
    }
    w->accepting = enable;
}

static void refuse(struct worker *w, int fd, bool https)
{
    struct page_opts opts = { .keep_alive = false };
    size_t body;
    size_t len = page_write(w->out, WORKER_OUT, PAGE_TOO_MANY, &opts, &body);

    if (!https) {
        (void)send(fd, w->out, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    close(fd);
    atomic_fetch_add_explicit(&w->counters.refused, 1, memory_order_relaxed);
}

/* False: nothing more to accept now. */
static bool accept_one(struct worker *w, const struct worker_listener *l)
{
    struct sockaddr_storage peer;
    socklen_t len = sizeof(peer);
    int fd = accept4(l->fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0) {
        if (errno == ECONNABORTED || errno == EINTR) {
            return true;
        }
        if (errno != EAGAIN) {
            atomic_fetch_add_explicit(&w->counters.exhausted, 1, memory_order_relaxed);
            if (shed_for_connection(w, NULL)) {
                return true;
            }
            /* Out of descriptors or memory: leave the queue alone until the next tick. */
            accept_enable(w, false);
            tick_arm(w);
        }
        return false;
    }
    atomic_fetch_add_explicit(&w->counters.accepted, 1, memory_order_relaxed);
    unsigned open = (unsigned)atomic_load_explicit(&w->counters.connections, memory_order_relaxed);
    if (open >= w->opts.connections_max && !shed_for_connection(w, NULL)) {
        refuse(w, fd, l->https);
        return true;
    }
    atomic_fetch_add_explicit(&w->counters.connections, 1, memory_order_relaxed);
    client_accept(w, fd, &peer, l->https);
    return true;
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
    struct worker_listener *l = arg;

    worker_look_at_clock(l->worker);
    for (int i = 0; i < ACCEPT_BATCH && accept_one(l->worker, l); i++) {
    }
}

/* A connection is accepted with its first bytes, or when it has been silent for a second: it needs
 * to be waited for only once. */
static void defer_accept(int fd)
{
    static const int seconds = SILENT_S;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof(seconds));
}

static void open_listeners(struct worker *w)
{
    const struct sockets *s = w->opts.sockets;

    const enum socket_kind kinds[] = { SOCKET_HTTP, SOCKET_HTTPS };

    w->listeners =
        deis_alloc((s->count[SOCKET_HTTP] + s->count[SOCKET_HTTPS]) * sizeof(*w->listeners));
    for (size_t k = 0; k < DEIS_COUNT(kinds); k++) {
        for (unsigned i = w->opts.index; i < s->count[kinds[k]]; i += w->opts.worker_count) {
            struct worker_listener *l = &w->listeners[w->listener_count++];
            l->worker = w;
            l->fd = s->fds[kinds[k]][i];
            l->https = kinds[k] == SOCKET_HTTPS;
            defer_accept(l->fd);
            event_assign(&l->ev, w->base, l->fd, EV_READ | EV_PERSIST, on_accept, l);
        }
    }
}

static void close_listeners(struct worker *w)
{
    for (unsigned i = 0; i < w->listener_count; i++) {
        close(w->listeners[i].fd);
    }
    w->listener_count = 0;
}

static void start_draining(struct worker *w)
{
    w->draining = true;
    accept_enable(w, false);
    close_listeners(w);
    h2_drain(w);
}

static void start_stopping(struct worker *w)
{
    w->stopping = true;
    /* Who stands in the queue has connected: serve him. Closing the socket resets later ones. */
    for (unsigned i = 0; i < w->listener_count && !w->paused; i++) {
        while (accept_one(w, &w->listeners[i])) {
        }
    }
    start_draining(w);
    client_drain_idle(w);
}

/* What the main thread has said. */
static void take_orders(struct worker *w)
{
    if (w->paused && atomic_load(&w->resume)) {
        w->paused = false;
        accept_enable(w, true);
    }
    if (atomic_load(&w->leave) && !w->draining) {
        start_draining(w);
    }
    if (atomic_load(&w->stop) && !w->stopping) {
        start_stopping(w);
    }
    if (atomic_load(&w->stop_now)) {
        event_base_loopbreak(w->base);
    } else {
        end_if_drained(w);
    }
}

static void set_answer_timeout(struct worker *w, uint64_t ms)
{
    deadline_list_set_ms(&w->waits[WAIT_ANSWER], ms);
    deadline_list_set_ms(&w->waits[WAIT_STREAM], ms);
    deadline_list_set_ms(&w->waits[WAIT_TUNNEL], ms);
}

static void adopt(struct worker *w, struct route_table *t)
{
    struct route_table *old = w->table;

    w->table = t;
    set_answer_timeout(w, t->limits.answer_timeout_ms);
    upstream_sweep(w, false);
    atomic_store(&w->generation, t->generation);
    route_table_unref(old);
    deis_loop_post(w->opts.main_loop, w->opts.on_adopted, w->opts.arg);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    struct worker *w = arg;
    uint64_t n;

    worker_look_at_clock(w);
    (void)!read(fd, &n, sizeof(n));
    struct route_table *t = atomic_exchange(&w->pending, NULL);
    if (t) {
        adopt(w, t);
    }
    struct edge_policy *p = atomic_exchange(&w->pending_policy, NULL);
    if (p) {
        edge_policy_unref(w->policy);
        w->policy = p;
    }
    take_orders(w);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct worker *w = arg;
    bool more = false;

    worker_look_at_clock(w);
    w->ticking = false;
    if (!w->accepting && !w->paused && w->listener_count > 0) {
        accept_enable(w, true);
    }
    for (int i = 0; i < WAIT_COUNT; i++) {
        deadline_expire(&w->waits[i], w->now_us / 1000);
        more = more || !deadline_list_empty(&w->waits[i]);
    }
    more = waits_expire(&w->own_waits, w->now_us / 1000) || more;
    if (w->pool.over) {
        shed_for_memory(w);
    }
    if (access_log_pending(&w->log)) {
        access_log_flush(&w->log);
    }
    if (more) {
        tick_arm(w);
    }
}

static void on_log_first(void *arg)
{
    struct worker *w = arg;

    deis_loop_post(w->opts.main_loop, w->opts.on_access, w->opts.arg);
}

/* Every connection of a client waits for something, so the lists of waits hold all of them. */
static void close_all(struct worker *w)
{
    struct deadline *d;

    while ((d = deadline_first(&w->waits[WAIT_TUNNEL]))) {
        tunnel_close(d);
    }
    h2_close_all(w);
    for (int i = 0; i < WAIT_UPSTREAM; i++) {
        while ((d = deadline_first(&w->waits[i]))) {
            client_abort(DEIS_OWNER(d, struct client, deadline));
        }
    }
    while ((d = waits_first(&w->own_waits))) {
        client_abort(DEIS_OWNER(d, struct client, deadline));
    }
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;

    send_batch_init(&w->sends, w, w->opts.io_uring);
    (void)event_base_loop(w->base, EVLOOP_NO_EXIT_ON_EMPTY);
    close_all(w);
    examiner_free(w->examiner);
    access_log_flush(&w->log);
    upstream_sweep(w, true);
    atomic_store(&w->generation, UINT64_MAX); /* it uses no table any more, old or new */
    deis_loop_post(w->opts.main_loop, w->opts.on_ended, w->opts.arg);
    return NULL;
}

static void init_waits(struct worker *w)
{
    for (int i = 0; i < WAIT_COUNT; i++) {
        deadline_list_init(&w->waits[i], wait_ms[i], client_on_deadline);
    }
    w->waits[WAIT_UPSTREAM].on_expired = upstream_on_deadline;
    w->waits[WAIT_TUNNEL].on_expired = tunnel_on_deadline;
    w->waits[WAIT_TUNNEL_UNIT].on_expired = tunnel_on_unread;
    set_answer_timeout(w, w->table->limits.answer_timeout_ms);
}

static struct event_base *new_base(void)
{
    struct event_config *config = event_config_new();

    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    event_config_set_flag(config, EVENT_BASE_FLAG_NO_CACHE_TIME);
    struct event_base *base = event_base_new_with_config(config);
    event_config_free(config);
    return base;
}

static void worker_free(struct worker *w)
{
    send_batch_clear(&w->sends);
    if (w->base) {
        event_base_free(w->base);
    }
    close_listeners(w);
    free(w->listeners);
    if (w->wake_fd >= 0) {
        close(w->wake_fd);
    }
    waits_clear(&w->own_waits);
    h2_shared_free(w->h2_shared);
    unit_h2_shared_free(w->unit_h2_shared);
    client_pool_clear(w);
    exchange_pool_clear(w);
    gzip_pool_free(w->gzips);
    bufpool_clear(&w->pool);
    splicer_pool_clear(&w->pipes);
    access_log_clear(&w->log);
    route_table_unref(atomic_exchange(&w->pending, NULL));
    route_table_unref(w->table);
    edge_policy_unref(atomic_exchange(&w->pending_policy, NULL));
    edge_policy_unref(w->policy);
    explicit_bzero(&w->tickets, sizeof(w->tickets));
    free(w->slots);
    free(w->scratch);
    free(w->out);
    free(w);
}

struct worker *worker_start(const struct worker_opts *opts, struct route_table *table,
                            struct deis_err *err)
{
    struct worker *w = deis_alloc(sizeof(*w));
    pthread_attr_t attr;

    w->opts = *opts;
    w->table = route_table_ref(table);
    w->policy = edge_policy_ref(opts->policy);
    atomic_store(&w->generation, table->generation);
    init_waits(w);
    w->pool.limit = opts->buffers_max;
    w->log.fd = opts->access_fd;
    w->log.to_ring = opts->access_ring;
    w->log.on_first = on_log_first;
    w->log.arg = w;
    w->scratch = deis_realloc_array(NULL, WORKER_SCRATCH, 1);
    w->out = deis_realloc_array(NULL, WORKER_OUT, 1);
    w->base = new_base();
    w->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (!w->base || w->wake_fd < 0 ||
        getrandom(w->random, sizeof(w->random), 0) != (ssize_t)sizeof(w->random)) {
        deis_err_errno(err, errno, "worker %u can't start", opts->index);
        worker_free(w);
        return NULL;
    }
    open_listeners(w);
    event_assign(&w->ev_wake, w->base, w->wake_fd, EV_READ | EV_PERSIST, on_wake, w);
    evtimer_assign(&w->ev_tick, w->base, on_tick, w);
    w->paused = opts->paused;
    accept_enable(w, !w->paused);
    event_add(&w->ev_wake, NULL);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    int code = pthread_create(&w->thread, &attr, worker_main, w);
    pthread_attr_destroy(&attr);
    if (code != 0) {
        deis_err_errno(err, code, "worker %u can't start", opts->index);
        worker_free(w);
        return NULL;
    }
    return w;
}

static void wake(struct worker *w)
{
    uint64_t one = 1;

    (void)!write(w->wake_fd, &one, sizeof(one));
}

void worker_give_table(struct worker *w, struct route_table *table)
{
    route_table_unref(atomic_exchange(&w->pending, route_table_ref(table)));
    wake(w);
}

void worker_give_policy(struct worker *w, struct edge_policy *p)
{
    edge_policy_unref(atomic_exchange(&w->pending_policy, edge_policy_ref(p)));
    wake(w);
}

void worker_resume(struct worker *w)
{
    atomic_store(&w->resume, true);
    wake(w);
}

void worker_leave(struct worker *w)
{
    atomic_store(&w->leave, true);
    wake(w);
}

void worker_stop(struct worker *w, bool now)
{
    atomic_store(now ? &w->stop_now : &w->stop, true);
    wake(w);
}

void worker_join(struct worker *w)
{
    pthread_join(w->thread, NULL);
    worker_free(w);
}
