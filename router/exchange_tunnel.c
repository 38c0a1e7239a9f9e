/* SPDX-License-Identifier: MIT */
/*
 * A WebSocket that a stream of HTTP/2 asked for (RFC 8441). To the unit it is an upgrade of
 * HTTP/1.1; once that is granted the exchange goes on with two bodies that are bytes as they come.
 */
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

/* It may last for days: the buffer of its head is for others. */
static void release_head(struct exchange *x)
{
    x->text = exchange_move_texts(x);
    x->head_len = 0;
    x->taken = 0;
    bytes_release(&x->worker->pool, &x->in);
}

bool exchange_answer_upgrade(struct exchange *x, char *rest, size_t rest_len)
{
    struct worker *w = x->worker;
    struct iovec iov = { rest, rest_len };

    exchange_parse_again(x);
    if (!x->upgrade || w->answer.status != 101 || x->to_unit.len > 0 ||
        !websocket_is_accepted(&w->request, &w->answer)) {
        return exchange_fail(x, PAGE_BAD_ANSWER);
    }
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
    x->out = OUT_STREAM;
    x->head_out = true;
    release_head(x);
    h2_stream_accept(x->client->stream, &w->answer);
    client_read_enable(x->client, true);
    x->bytes_out += rest_len;
    return rest_len == 0 || exchange_to_client(x, &iov, 1);
}

bool exchange_forward_tunnel(struct exchange *x, char *data, size_t len)
{
    struct iovec iov = { data, len };

    x->body_bytes += len;
    x->request_done = len == 0;
    if (len > 0) {
        return exchange_to_unit(x, &iov, 1);
    }
    if (x->up) {
        (void)shutdown(x->up->fd, SHUT_WR);
    }
    return true;
}
