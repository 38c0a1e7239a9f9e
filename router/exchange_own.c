/* SPDX-License-Identifier: MIT */
/* Answers of the router's own: health checks, certificate authorities, redirects, error pages. */
#include "router/core/challenges.h"
#include "router/core/http_head.h"
#include "router/exchange.h"
#include "router/gate.h"
#include "router/h2.h"

/* A plain GET or HEAD. Asked for an upgrade, an answer of ours would seem to grant it. */
static bool is_question(const struct exchange *x)
{
    return x->request_done && !x->upgrade && (x->head_only || deis_str_eq_cstr(x->method, "GET"));
}

/* A complete answer, at the start of worker->out. */
static void answer_own(struct exchange *x, size_t len)
{
    struct iovec iov = { x->worker->out, len };

    x->head_out = true;
    if (x->client->stream) {
        h2_stream_answer(x->client->stream, deis_str_n(x->worker->out, len), x->method);
        (void)exchange_answer_done(x);
    } else if (exchange_to_client(x, &iov, 1)) {
        (void)exchange_answer_done(x);
    }
}

/* The line of an answer that says so when the connection ends with it. */
static const char *closing_line(struct exchange *x)
{
    x->keep_alive = x->keep_alive && x->minor == 1 && x->request_done && !x->worker->draining;
    return x->keep_alive ? "" : "Connection: close\r\n";
}

bool exchange_check_health(struct exchange *x)
{
    if (!deis_str_eq_cstr(x->target, "/health-check") || !is_question(x)) {
        return false;
    }
    int len = snprintf(x->worker->out, WORKER_OUT,
                       "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n%s\r\n",
                       closing_line(x));
    x->status = 200;
    answer_own(x, (size_t)len);
    return true;
}

bool exchange_meet_challenge(struct exchange *x)
{
    const struct route_https *https = x->worker->table->https;
    const char *answer = https && https->challenges && is_question(x)
                             ? challenges_find(https->challenges, x->target)
                             : NULL;

    if (!answer) {
        return false;
    }
    int len = snprintf(x->worker->out, WORKER_OUT,
                       "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
                       "Content-Length: %zu\r\nCache-Control: no-store\r\n%s\r\n%s",
                       strlen(answer), closing_line(x), x->head_only ? "" : answer);
    x->status = 200;
    answer_own(x, (size_t)len);
    return true;
}

void exchange_redirect(struct exchange *x, struct deis_str host)
{
    const char *port = x->worker->opts.https_port;
    bool default_port = strcmp(port, "443") == 0;
    struct deis_str target = x->target.ptr[0] == '/' ? x->target : DEIS_STR("/");

    int len = snprintf(x->worker->out, WORKER_OUT,
                       "HTTP/1.1 301 Moved Permanently\r\nLocation: https://%.*s%s%s%.*s\r\n"
                       "Content-Length: 0\r\n%s\r\n",
                       DEIS_STR_ARG(host), default_port ? "" : ":", default_port ? "" : port,
                       DEIS_STR_ARG(target), closing_line(x));
    x->status = 301;
    answer_own(x, (size_t)len);
}

/* Errors are rare: the head is parsed again to see what kind of page is wanted. */
static bool wants_json(struct exchange *x)
{
    if (!x->json && x->head_len > 0) {
        exchange_parse_again(x);
        x->json = http_wants_json(&x->worker->request);
    }
    return x->json;
}

bool exchange_fail(struct exchange *x, enum page page)
{
    struct worker *w = x->worker;
    size_t body;

    exchange_drop_up(x, false);
    if (x->tunnel) {
        exchange_end(x, CLIENT_RESET);
        return false;
    }
    x->page = page;
    x->request_done = x->request_done || x->whole;
    exchange_drop_body(x);
    bytes_release(&w->pool, &x->to_unit);
    if (x->head_out) {
        exchange_end(x, x->out == OUT_CLOSE ? CLIENT_RESET : CLIENT_CLOSE);
        return false;
    }
    x->keep_alive = x->keep_alive && x->request_done && !w->draining;
    struct page_opts opts = {
        .json = wants_json(x),
        .head = x->head_only,
        .keep_alive = x->keep_alive,
        .http10 = x->minor == 0,
        .request_id = x->request_id,
        .status = gate_status(x, page),
    };
    if (x->app && x->app->settings) {
        gate_page(x, page, &opts);
    }
    size_t len = page_write(w->out, WORKER_OUT, page, &opts, &body);
    x->status = opts.status;
    x->bytes_out = body;
    answer_own(x, len);
    return false;
}
