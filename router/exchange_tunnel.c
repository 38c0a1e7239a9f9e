/* SPDX-License-Identifier: MIT */
/*
 * A WebSocket of which one side at least is a stream of HTTP/2 (RFC 8441). To a unit of HTTP/1.1 it
 * is an upgrade; once that is granted the exchange goes on with two bodies that are bytes as they
 * come.
 */
#include "router/core/http_head.h"
#include "router/core/websocket.h"
#include "router/exchange.h"
#include "router/h2.h"

#include <sys/socket.h>

char *exchange_move_texts(struct exchange *x)
{
    struct deis_str *views[] = { &x->method, &x->target, &x->host, &x->request_id,
                                 &x->from.client };
    size_t len = 0;

    for (size_t i = 0; i < DEIS_COUNT(views); i++) {
        len += views[i]->len;
    }
    char *text = deis_realloc_array(NULL, len + 1, 1);
    char *p = text;
    for (size_t i = 0; i < DEIS_COUNT(views); i++) {
        memcpy(p, views[i]->ptr, views[i]->len);
        views[i]->ptr = p;
        p += views[i]->len;
    }
    return text;
}

/* It may last for days: the buffer of its head is for others. Returns what came behind the head,
 * from off on; yours. */
static struct bytes release_head(struct exchange *x)
{
    struct bytes early = x->in;

    early.off = x->taken;
    x->text = exchange_move_texts(x);
    x->in = (struct bytes){ NULL, 0, 0, 0 };
    x->head_len = 0;
    x->taken = 0;
    return early;
}

static void begin(struct exchange *x)
{
    struct worker *w = x->worker;

    route_endpoint_good(x->endpoint);
    atomic_fetch_sub_explicit(&x->app->stats->in_flight, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&w->counters.tunnels, 1, memory_order_relaxed);
    x->tunnel = true;
    x->first_us = w->now_us;
    x->status = w->answer.status;
    x->keep_alive = false;
    x->held = false;
    x->request_done = false;
    x->framing = DEIS_H1_UNTIL_CLOSE;
    x->answer_framing = DEIS_H1_UNTIL_CLOSE;
    x->out = x->client->stream ? OUT_STREAM : OUT_CLOSE;
    x->head_out = true;
}

/* Tell the client; rest: the first bytes of the unit's. */
static bool grant(struct exchange *x, char *rest, size_t rest_len)
{
    struct http_answer answer = { .upgrade = true, .keep_alive = true, .client_minor = x->minor };
    struct worker *w = x->worker;
    struct iovec iov[2] = { { w->out, 0 }, { rest, rest_len } };

    client_read_enable(x->client, true);
    x->bytes_out += rest_len;
    if (x->client->stream) {
        h2_stream_accept(x->client->stream, &w->answer);
        return rest_len == 0 || exchange_to_client(x, iov + 1, 1);
    }
    iov[0].iov_len = http_head_write_answer(w->out, WORKER_OUT, &w->answer, &answer);
    return exchange_to_client(x, iov, rest_len > 0 ? 2 : 1);
}

bool exchange_answer_upgrade(struct exchange *x, char *rest, size_t rest_len)
{
    struct worker *w = x->worker;

    exchange_parse_again(x);
    if (!x->upgrade || w->answer.status != 101 || x->to_unit.len > 0 ||
        !websocket_is_accepted(&w->request, &w->answer)) {
        return exchange_fail(x, PAGE_BAD_ANSWER);
    }
    begin(x);
    struct bytes early = release_head(x);
    bool on = grant(x, rest, rest_len);
    if (on && early.len > early.off) {
        on = exchange_forward_tunnel(x, early.data + early.off, early.len - early.off);
    }
    bytes_release(&w->pool, &early);
    return on;
}

bool exchange_forward_tunnel(struct exchange *x, char *data, size_t len)
{
    struct iovec iov = { data, len };

    x->body_bytes += len;
    x->request_done = len == 0;
    if (len > 0 || (x->up && x->up->h2)) {
        return exchange_to_unit(x, &iov, 1);
    }
    if (x->up) {
        (void)shutdown(x->up->fd, SHUT_WR);
    }
    return true;
}
