/* SPDX-License-Identifier: MIT */
/*
 * A lease kept alive: one request after the other, each a stream on the loop. The lease counts as
 * lost when its time to live has passed since the last renewal was *sent*, which is before etcd
 * thinks so.
 */
#include "lib/base/clock.h"
#include "lib/etcd/etcd_client.h"
#include "lib/net/log.h"

#define ANSWER_BYTES_MAX  65536u
#define BACKOFF_MS        100u
#define GRANT_BACKOFF_MS  2000u /* at most, between tries to get a lease */
#define RENEW_BACKOFF_MS  500u  /* at most, between tries to renew it */
#define REVOKE_TIMEOUT_MS 500u

struct deis_etcd_lease {
    struct deis_etcd *etcd;
    unsigned ttl_s;
    void (*on_granted)(int64_t lease, void *arg);
    void (*on_lost)(void *arg);
    void *arg;

    int64_t id; /* 0: not granted yet */
    bool lost;
    uint64_t expires_ms; /* of a granted lease, as far as we know */
    uint64_t sent_ms;    /* the request under way */

    struct deis_httpc_streams *streams;
    struct deis_httpc_stream *stream; /* NULL: none under way */
    struct deis_timer *send;
    struct deis_timer *answered;
    struct deis_timer *expiry;
    unsigned endpoint;
    unsigned attempt;
    struct deis_buf in;
    int status;
    struct deis_err over_err;

    bool busy;    /* in a callback of ours */
    bool stopped; /* while busy */
};

/* --- requests --- */

static bool on_data(int status, struct deis_str data, void *arg)
{
    struct deis_etcd_lease *l = arg;
    deis_buf_add_str(&l->in, data);
    return !deis_buf_failed(&l->in);
}

static void on_done(int status, const struct deis_err *err, void *arg)
{
    struct deis_etcd_lease *l = arg;

    if (!l->stream) {
        return; /* cancelled by us */
    }
    l->stream = NULL;
    l->status = status;
    l->over_err = err ? *err : (struct deis_err)DEIS_ERR_INIT;
    deis_timer_after(l->answered, 0);
}

static void drop_stream(struct deis_etcd_lease *l)
{
    struct deis_httpc_stream *st = DEIS_TAKE(l->stream);

    if (st) {
        deis_httpc_stream_cancel(st);
    }
    deis_timer_cancel(l->answered);
    deis_buf_clear(&l->in);
}

static void on_send(void *arg)
{
    static const char *const headers[] = { "Content-Type: application/json", DEIS_ETCD_HAS_LEADER,
                                           NULL };
    struct deis_etcd_lease *l = arg;
    deis_autobuf struct deis_buf body = DEIS_BUF_INIT(DEIS_ETCD_BODY_MAX);
    uint64_t timeout_ms = deis_etcd_timeout_ms(l->etcd);
    uint64_t third_ms = l->ttl_s * 1000ull / 3;

    if (l->id == 0) {
        deis_etcd_encode_grant(l->ttl_s, &body);
    } else {
        deis_etcd_encode_lease_id(l->id, &body);
        timeout_ms = timeout_ms < third_ms ? timeout_ms : third_ms;
    }
    l->endpoint = deis_etcd_preferred(l->etcd);
    deis_autofree char *url =
        deis_asprintf("%s/v3/lease/%s", deis_etcd_endpoint(l->etcd, l->endpoint),
                      l->id == 0 ? "grant" : "keepalive");
    const struct deis_httpc_request req = {
        .method = "POST",
        .url = url,
        .headers = headers,
        .body = deis_buf_str(&body),
        .timeout_ms = timeout_ms,
        .connect_timeout_ms = DEIS_ETCD_CONNECT_MS,
        .on_data = on_data,
        .arg = l,
        .tls = deis_etcd_tls(l->etcd),
    };
    drop_stream(l);
    l->sent_ms = deis_now_ms();
    l->stream = deis_httpc_stream_start(l->streams, &req, on_done);
}

/* --- answers --- */

static void lose(struct deis_etcd_lease *l, const struct deis_err *why)
{
    drop_stream(l);
    deis_timer_cancel(l->send);
    deis_timer_cancel(l->expiry);
    l->lost = true;
    deis_warn("etcd lease is lost", KV_ERR(why));
    l->on_lost(l->arg);
}

static void renewed(struct deis_etcd_lease *l, int64_t id, unsigned ttl_s)
{
    bool granted = l->id == 0;
    uint64_t now_ms = deis_now_ms();

    l->id = id;
    l->attempt = 0;
    l->expires_ms = l->sent_ms + ttl_s * 1000ull;
    deis_timer_after(l->expiry, l->expires_ms > now_ms ? l->expires_ms - now_ms : 0);
    deis_timer_after(l->send, ttl_s * 1000ull / 3);
    if (granted) {
        l->on_granted(id, l->arg);
    }
}

static void try_again(struct deis_etcd_lease *l, const struct deis_err *why)
{
    if (l->attempt == 0) {
        deis_warn(l->id == 0 ? "etcd grants no lease" : "etcd lease is not renewed", KV_ERR(why));
    }
    deis_etcd_avoid(l->etcd, l->endpoint);
    deis_timer_after(l->send, deis_backoff_ms(l->attempt++, BACKOFF_MS,
                                              l->id == 0 ? GRANT_BACKOFF_MS : RENEW_BACKOFF_MS));
}

static void handle_answer(struct deis_etcd_lease *l)
{
    struct deis_err err = l->over_err;
    unsigned ttl_s = 0;
    int64_t id = 0;

    if (err.code == DEIS_OK && l->status == 200) {
        int rc = deis_etcd_decode_lease(deis_buf_str(&l->in), &id, &ttl_s, &err);
        if (rc == DEIS_OK && ttl_s > 0 && id != 0) {
            renewed(l, id, ttl_s);
            return;
        }
        if (rc == DEIS_OK) {
            deis_err_set(&err, DEIS_NOT_FOUND, "etcd does not know the lease any more");
        }
    } else if (err.code == DEIS_OK) {
        deis_etcd_decode_error(l->status, deis_buf_str(&l->in), &err);
    }
    if (err.code == DEIS_NOT_FOUND && l->id != 0) {
        lose(l, &err);
    } else {
        try_again(l, &err);
    }
}

static void leave(struct deis_etcd_lease *l)
{
    l->busy = false;
    if (l->stopped) {
        deis_etcd_lease_stop(l, false);
    }
}

static void on_answered(void *arg)
{
    struct deis_etcd_lease *l = arg;

    l->busy = true;
    handle_answer(l);
    leave(l);
}

static void on_expiry(void *arg)
{
    struct deis_etcd_lease *l = arg;
    struct deis_err err = DEIS_ERR_INIT;
    uint64_t now_ms = deis_now_ms();

    if (now_ms < l->expires_ms) {
        deis_timer_after(l->expiry, l->expires_ms - now_ms);
        return;
    }
    l->busy = true;
    deis_err_set(&err, DEIS_TIMEOUT, "not renewed for %u s", l->ttl_s);
    lose(l, &err);
    leave(l);
}

/* --- life --- */

void deis_etcd_lease_start(struct deis_etcd *e, struct deis_loop *loop, unsigned ttl_s,
                           void (*on_granted)(int64_t lease, void *arg), void (*on_lost)(void *arg),
                           void *arg, struct deis_etcd_lease **ret)
{
    struct deis_etcd_lease *l = deis_alloc(sizeof(*l));

    l->etcd = e;
    l->ttl_s = ttl_s;
    l->on_granted = on_granted;
    l->on_lost = on_lost;
    l->arg = arg;
    l->streams = deis_etcd_streams_ref(e, loop);
    l->send = deis_timer_new(loop, on_send, l);
    l->answered = deis_timer_new(loop, on_answered, l);
    l->expiry = deis_timer_new(loop, on_expiry, l);
    deis_buf_init(&l->in, ANSWER_BYTES_MAX);
    deis_timer_after(l->send, 0);
    *ret = l;
}

void deis_etcd_lease_stop(struct deis_etcd_lease *l, bool revoke)
{
    struct deis_err err = DEIS_ERR_INIT;

    if (!l) {
        return;
    }
    if (revoke && l->id != 0 && !l->lost) {
        l->lost = true;
        if (deis_etcd_revoke_within(l->etcd, l->id, REVOKE_TIMEOUT_MS, &err) < 0) {
            deis_info("etcd lease is left to expire", KV_ERR(&err));
        }
    }
    if (l->busy) {
        l->stopped = true;
        return;
    }
    drop_stream(l);
    deis_timer_free(l->send);
    deis_timer_free(l->answered);
    deis_timer_free(l->expiry);
    deis_etcd_streams_unref(l->etcd);
    free(l);
}
