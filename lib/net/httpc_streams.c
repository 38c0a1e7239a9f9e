/* SPDX-License-Identifier: MIT */
/*
 * Streams on the loop, by curl's multi-socket interface. curl_multi_* must not be called from a
 * curl callback, and on_data is one: so starting and removing wait for the "turn" event.
 */
#include "lib/net/httpc_transfer.h"

#include <sys/queue.h>

struct deis_httpc_stream {
    struct httpc_transfer t;
    struct deis_httpc_streams *owner;
    void (*on_done)(int status, const struct deis_err *err, void *arg);
    bool added;                /* to the multi handle */
    bool dead;                 /* on_done was called */
    struct deis_err start_err; /* why it could not be started */
    TAILQ_ENTRY(deis_httpc_stream) link;
};

struct deis_httpc_streams {
    struct deis_loop *loop;
    CURLM *multi;
    struct event *timer;
    struct event *turn;
    TAILQ_HEAD(, deis_httpc_stream) all;
};

static void finish(struct deis_httpc_stream *st, const struct deis_err *err)
{
    if (!st->dead) {
        st->dead = true;
        st->on_done(st->t.status, err, st->t.arg);
    }
}

static void reap(struct deis_httpc_stream *st)
{
    struct deis_httpc_streams *s = st->owner;
    TAILQ_REMOVE(&s->all, st, link);
    if (st->added) {
        curl_multi_remove_handle(s->multi, st->t.easy);
    }
    httpc_transfer_clear(&st->t);
    free(st);
}

static void drain_messages(struct deis_httpc_streams *s)
{
    int left = 0;
    for (const CURLMsg *msg = curl_multi_info_read(s->multi, &left); msg != NULL;
         msg = curl_multi_info_read(s->multi, &left)) {
        struct deis_httpc_stream *st = NULL;
        if (msg->msg != CURLMSG_DONE ||
            curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &st) != CURLE_OK) {
            continue;
        }
        struct deis_err err = DEIS_ERR_INIT;
        bool good = httpc_transfer_result(&st->t, msg->data.result, &err) == 0;
        finish(st, good ? NULL : &err);
        reap(st);
    }
}

static void act(struct deis_httpc_streams *s, curl_socket_t fd, int bits)
{
    int running = 0;
    curl_multi_socket_action(s->multi, fd, bits, &running);
    drain_messages(s);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
    int bits =
        ((what & EV_READ) ? CURL_CSELECT_IN : 0) | ((what & EV_WRITE) ? CURL_CSELECT_OUT : 0);
    act(arg, fd, bits);
}

static void on_timeout(evutil_socket_t fd, short what, void *arg)
{
    act(arg, CURL_SOCKET_TIMEOUT, 0);
}

/* curl wants other events of a socket. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
    struct deis_httpc_streams *s = arg;
    struct event *old = socket_arg;
    if (old != NULL) {
        event_free(old);
    }
    struct event *ev = NULL;
    if (what != CURL_POLL_REMOVE) {
        short wanted = (short)(EV_PERSIST | ((what & CURL_POLL_IN) ? EV_READ : 0) |
                               ((what & CURL_POLL_OUT) ? EV_WRITE : 0));
        ev = event_new(deis_loop_base(s->loop), fd, wanted, on_ready, s);
        if (ev == NULL || event_add(ev, NULL) != 0) {
            abort();
        }
    }
    curl_multi_assign(s->multi, fd, ev);
    return 0;
}

static int on_curl_timer(CURLM *multi, long timeout_ms, void *arg)
{
    struct deis_httpc_streams *s = arg;
    if (timeout_ms < 0) {
        event_del(s->timer);
    } else {
        struct timeval delay = { timeout_ms / 1000, timeout_ms % 1000 * 1000 };
        event_add(s->timer, &delay);
    }
    return 0;
}

static void start_transfer(struct deis_httpc_stream *st)
{
    if (st->start_err.code == DEIS_OK) {
        st->added = curl_multi_add_handle(st->owner->multi, st->t.easy) == CURLM_OK;
        if (!st->added) {
            deis_err_set(&st->start_err, DEIS_INTERNAL, "cannot start a request");
        }
    }
    if (!st->added) {
        finish(st, &st->start_err);
    }
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
    struct deis_httpc_streams *s = arg;
    struct deis_httpc_stream *next = NULL;
    for (struct deis_httpc_stream *st = TAILQ_FIRST(&s->all); st != NULL; st = next) {
        if (!st->dead && !st->added) {
            start_transfer(st);
        }
        next = TAILQ_NEXT(st, link);
        if (st->dead) {
            reap(st);
        }
    }
}

struct deis_httpc_streams *deis_httpc_streams_new(struct deis_loop *loop)
{
    struct deis_httpc_streams *s = deis_alloc(sizeof(*s));
    s->loop = loop;
    TAILQ_INIT(&s->all);
    s->multi = curl_multi_init();
    s->timer = evtimer_new(deis_loop_base(loop), on_timeout, s);
    s->turn = evtimer_new(deis_loop_base(loop), on_turn, s);
    if (s->multi == NULL || s->timer == NULL || s->turn == NULL) {
        abort();
    }
    curl_multi_setopt(s->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(s->multi, CURLMOPT_SOCKETDATA, s);
    curl_multi_setopt(s->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
    curl_multi_setopt(s->multi, CURLMOPT_TIMERDATA, s);
    curl_multi_setopt(s->multi, CURLMOPT_MAXCONNECTS, 4L);
    return s;
}

void deis_httpc_streams_free(struct deis_httpc_streams *s)
{
    if (s == NULL) {
        return;
    }
    struct deis_httpc_stream *next = NULL;
    for (struct deis_httpc_stream *st = TAILQ_FIRST(&s->all); st != NULL; st = next) {
        deis_httpc_stream_cancel(st);
        next = TAILQ_NEXT(st, link);
        reap(st);
    }
    curl_multi_cleanup(s->multi);
    event_free(s->timer);
    event_free(s->turn);
    free(s);
}

struct deis_httpc_stream *deis_httpc_stream_start(
    struct deis_httpc_streams *s, const struct deis_httpc_request *req,
    void (*on_done)(int status, const struct deis_err *err, void *arg))
{
    struct deis_httpc_stream *st = deis_alloc(sizeof(*st));
    st->owner = s;
    st->on_done = on_done;
    if (httpc_transfer_init(&st->t, NULL, req, NULL, &st->start_err) == 0) {
        curl_easy_setopt(st->t.easy, CURLOPT_PRIVATE, st);
    }
    TAILQ_INSERT_TAIL(&s->all, st, link);
    event_active(s->turn, EV_TIMEOUT, 0);
    return st;
}

void deis_httpc_stream_cancel(struct deis_httpc_stream *st)
{
    struct deis_err err = DEIS_ERR_INIT;
    deis_err_set(&err, DEIS_CANCELLED, "request given up");
    st->t.halt = HTTPC_STOPPED;
    event_active(st->owner->turn, EV_TIMEOUT, 0);
    finish(st, &err);
}
