/* SPDX-License-Identifier: MIT */
/*
 * Open-loop HTTP client: request n is due at start + n / rate, whatever became of those before it;
 * each carries its number. Counts every request that did not get a 200 in time. On a machine that
 * can't keep up, those that are due while very many are under way are sent when some have ended:
 * their latency tells. Used by the acceptance test ("no request fails while ...") and by hand.
 *
 *   openloop --address 127.0.0.1:80 --host hello.localhost --rate 200 --seconds 30
 *
 * Without --seconds it runs until SIGTERM or SIGINT. Ends with one JSON object on stdout; exit
 * status 1 when a request failed.
 */
#include "lib/base/clock.h"
#include "lib/wire/h1.h"
#include "lib/wire/json.h"
#include "lib/wire/url.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>

#define TIMEOUT_S       30
#define IN_FLIGHT_MAX   500 /* also a bound of descriptors */
#define BODY_MAX        (1 << 20)
#define FAILURES_SHOWN  10
#define BODIES_SHOWN    16
#define LATENCY_BUCKETS 60001 /* one a millisecond, the last for all above */

struct request {
    uint64_t number;
    uint64_t due_ms;
};

struct conn {
    struct conn *next_idle;
    struct bufferevent *bev;
    struct request request;
    bool busy;
    bool reused; /* it has carried an answer before */
    size_t scanned;
    bool head_done;
    struct deis_h1_chunked chunked;
    enum deis_h1_framing framing;
    uint64_t left;
    bool keep;
    int status;
    struct deis_buf body;
};

static struct {
    struct event_base *base;
    struct sockaddr_in address;
    const char *host;
    const char *path;
    double rate;
    uint64_t seconds;
    uint64_t start_ms;
    uint64_t sent;
    uint64_t answered;
    uint64_t ok;
    uint64_t failed;
    uint64_t retried;
    uint64_t max_ms;
    bool stopping;
    struct conn *idle;
    uint32_t latency[LATENCY_BUCKETS];
    json_t *failures;
    json_t *bodies; /* first line of the body -> count */
} g;

static void send_request(struct request request, bool fresh);

static void conn_free(struct conn *c)
{
    for (struct conn **p = &g.idle; *p; p = &(*p)->next_idle) {
        if (*p == c) {
            *p = c->next_idle;
            break;
        }
    }
    bufferevent_free(c->bev);
    deis_buf_clear(&c->body);
    free(c);
}

static void finish_if_done(void)
{
    if (g.stopping && g.answered == g.sent) {
        event_base_loopbreak(g.base);
    }
}

static void count_body(const struct conn *c)
{
    struct deis_str rest = deis_buf_str(&c->body);
    struct deis_str line;

    deis_str_split(&rest, '\n', &line);
    deis_autofree char *key = deis_str_dup(deis_str_first(line, 80));
    json_t *count = json_object_get(g.bodies, key);
    if (count) {
        json_integer_set(count, json_integer_value(count) + 1);
    } else if (json_object_size(g.bodies) < BODIES_SHOWN) {
        json_object_set_new(g.bodies, key, json_integer(1));
    }
}

static void request_failed(const struct request *r, const char *why)
{
    g.answered++;
    g.failed++;
    if (json_array_size(g.failures) < FAILURES_SHOWN) {
        json_t *f = json_object();
        json_object_set_new(f, "number", json_integer((json_int_t)r->number));
        json_object_set_new(f, "at_ms", json_integer((json_int_t)(r->due_ms - g.start_ms)));
        json_object_set_new(f, "why", json_string(why));
        json_array_append_new(g.failures, f);
    }
    finish_if_done();
}

static void conn_failed(struct conn *c, const char *why)
{
    struct request request = c->request;
    bool busy = c->busy;
    bool stale =
        c->reused && !c->head_done && evbuffer_get_length(bufferevent_get_input(c->bev)) == 0;

    conn_free(c);
    if (!busy) {
        return;
    }
    if (stale) { /* a kept-alive connection may be closed at any time: a GET is sent again, once */
        g.retried++;
        send_request(request, true);
        return;
    }
    request_failed(&request, why);
}

static void answer_done(struct conn *c)
{
    uint64_t ms = deis_now_ms() - c->request.due_ms;
    char why[64];

    g.latency[ms < LATENCY_BUCKETS ? ms : LATENCY_BUCKETS - 1]++;
    g.max_ms = ms > g.max_ms ? ms : g.max_ms;
    if (c->status == 200) {
        g.answered++;
        g.ok++;
        count_body(c);
    } else {
        snprintf(why, sizeof(why), "status %d", c->status);
        request_failed(&c->request, why);
    }
    c->busy = false;
    if (c->keep) {
        c->reused = true;
        c->next_idle = g.idle;
        g.idle = c;
        bufferevent_set_timeouts(c->bev, NULL, NULL);
    } else {
        conn_free(c);
    }
    finish_if_done();
}

/* 1: the head is complete; 0: more is needed; -1: it is no HTTP. */
static int read_head(struct conn *c, struct evbuffer *in)
{
    static const struct deis_h1_limits limits = DEIS_H1_LIMITS_DEFAULT;
    struct deis_h1_head head;
    struct deis_err err = DEIS_ERR_INIT;
    size_t used;
    struct deis_str data = { (const char *)evbuffer_pullup(in, -1), evbuffer_get_length(in) };

    switch (
        deis_h1_parse_response(data, DEIS_STR("GET"), &limits, &c->scanned, &head, &used, &err)) {
    case DEIS_H1_MORE: return 0;
    case DEIS_H1_BAD: return -1;
    case DEIS_H1_DONE: break;
    }
    c->head_done = true;
    c->status = head.status;
    c->framing = head.framing;
    c->left = head.framing == DEIS_H1_LENGTH ? head.content_length : 0;
    c->keep = head.keep_alive && head.framing != DEIS_H1_UNTIL_CLOSE;
    c->chunked = (struct deis_h1_chunked){ 0 };
    evbuffer_drain(in, used);
    return 1;
}

/* 1: the body is complete; 0: more is needed; -1: bad framing. */
static int read_body(struct conn *c, struct evbuffer *in)
{
    struct deis_err err = DEIS_ERR_INIT;
    struct deis_str data = { (const char *)evbuffer_pullup(in, -1), evbuffer_get_length(in) };

    if (c->framing == DEIS_H1_CHUNKED) {
        enum deis_h1_result r;
        struct deis_str part;
        do {
            r = deis_h1_chunked_feed(&c->chunked, &data, &part, &err);
            deis_buf_add_str(&c->body, part);
        } while (r == DEIS_H1_MORE && data.len > 0);
        evbuffer_drain(in, evbuffer_get_length(in) - data.len);
        return r == DEIS_H1_DONE ? 1 : r == DEIS_H1_BAD ? -1 : 0;
    }
    size_t take = data.len < c->left ? data.len : (size_t)c->left;
    if (c->framing == DEIS_H1_UNTIL_CLOSE) {
        take = data.len;
    }
    deis_buf_add(&c->body, data.ptr, take);
    evbuffer_drain(in, take);
    c->left -= c->framing == DEIS_H1_LENGTH ? take : 0;
    return c->framing != DEIS_H1_UNTIL_CLOSE && c->left == 0 ? 1 : 0;
}

static void on_read(struct bufferevent *bev, void *arg)
{
    struct conn *c = arg;
    struct evbuffer *in = bufferevent_get_input(bev);

    if (!c->busy) {
        conn_free(c); /* bytes that nobody asked for */
        return;
    }
    int r = c->head_done ? 1 : read_head(c, in);
    if (r == 1) {
        r = read_body(c, in);
    }
    if (r < 0) {
        conn_failed(c, "the answer is no valid HTTP");
    } else if (r == 1) {
        answer_done(c);
    }
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct conn *c = arg;

    if (what & BEV_EVENT_CONNECTED) {
        return;
    }
    if (c->busy && c->head_done && c->framing == DEIS_H1_UNTIL_CLOSE && (what & BEV_EVENT_EOF)) {
        c->keep = false;
        answer_done(c);
        return;
    }
    conn_failed(c, what & BEV_EVENT_TIMEOUT ? "no answer in time"
                   : what & BEV_EVENT_EOF   ? "closed before the answer was complete"
                                            : evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()));
}

static struct conn *conn_new(void)
{
    struct conn *c = deis_alloc(sizeof(*c));
    int one = 1;

    c->bev = bufferevent_socket_new(g.base, -1, BEV_OPT_CLOSE_ON_FREE);
    deis_buf_init(&c->body, BODY_MAX);
    bufferevent_setcb(c->bev, on_read, NULL, on_event, c);
    bufferevent_enable(c->bev, EV_READ | EV_WRITE);
    if (bufferevent_socket_connect(c->bev, (struct sockaddr *)&g.address, sizeof(g.address)) < 0) {
        bufferevent_free(c->bev);
        free(c);
        return NULL;
    }
    setsockopt(bufferevent_getfd(c->bev), IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return c;
}

static void send_request(struct request request, bool fresh)
{
    static const struct timeval timeout = { .tv_sec = TIMEOUT_S };
    struct conn *c = fresh ? NULL : g.idle;

    if (c) {
        g.idle = c->next_idle;
        c->next_idle = NULL;
    } else {
        c = conn_new();
        if (!c) {
            request_failed(&request, "can't connect");
            return;
        }
    }
    c->request = request;
    c->busy = true;
    c->head_done = false;
    c->scanned = 0;
    deis_buf_reset(&c->body);
    bufferevent_set_timeouts(c->bev, &timeout, NULL);
    evbuffer_add_printf(bufferevent_get_output(c->bev),
                        "GET %s?n=%llu HTTP/1.1\r\nHost: %s\r\nX-Request-Id: n%llu\r\n\r\n", g.path,
                        (unsigned long long)request.number, g.host,
                        (unsigned long long)request.number);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    uint64_t now = deis_now_ms();

    if (g.seconds > 0 && now - g.start_ms >= g.seconds * 1000) {
        g.stopping = true;
    }
    while (!g.stopping) {
        struct request request = {
            .number = g.sent,
            .due_ms = g.start_ms + (uint64_t)((double)g.sent * 1000.0 / g.rate),
        };
        if (request.due_ms > now || g.sent - g.answered >= IN_FLIGHT_MAX) {
            break;
        }
        g.sent++;
        send_request(request, false);
    }
    finish_if_done();
}

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
    g.stopping = true;
    finish_if_done();
}

static uint64_t percentile(double p)
{
    uint64_t total = 0;
    uint64_t seen = 0;

    for (size_t i = 0; i < LATENCY_BUCKETS; i++) {
        total += g.latency[i];
    }
    for (size_t i = 0; i < LATENCY_BUCKETS; i++) {
        seen += g.latency[i];
        if ((double)seen >= p * (double)total) {
            return i;
        }
    }
    return 0;
}

static void print_result(void)
{
    deis_autojson json_t *out = json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:O, s:O}", "sent", (json_int_t)g.sent, "ok",
        (json_int_t)g.ok, "failed", (json_int_t)g.failed, "retried", (json_int_t)g.retried,
        "p50_ms", (json_int_t)percentile(0.5), "p99_ms", (json_int_t)percentile(0.99), "max_ms",
        (json_int_t)g.max_ms, "bodies", g.bodies, "failures", g.failures);
    deis_autofree char *text = deis_json_dump(out);

    printf("%s\n", text);
}

static int parse_address(const char *text)
{
    struct deis_str host;
    uint16_t port;
    struct deis_err err = DEIS_ERR_INIT;

    if (deis_addr_split(deis_str(text), &host, &port, &err) < 0) {
        fprintf(stderr, "openloop: %s\n", err.msg);
        return -1;
    }
    deis_autofree char *name = deis_str_dup(host);
    g.address = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port) };
    if (inet_pton(AF_INET, name, &g.address.sin_addr) != 1) {
        fprintf(stderr, "openloop: '%s' is no IPv4 address\n", name);
        return -1;
    }
    return 0;
}

static int parse_options(int argc, char **argv)
{
    static const struct option options[] = {
        { "address", required_argument, NULL, 'a' }, { "host", required_argument, NULL, 'H' },
        { "path", required_argument, NULL, 'p' },    { "rate", required_argument, NULL, 'r' },
        { "seconds", required_argument, NULL, 's' }, { NULL, 0, NULL, 0 },
    };
    const char *address = NULL;
    int c;

    g.path = "/";
    g.rate = 200;
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case 'a': address = optarg; break;
        case 'H': g.host = optarg; break;
        case 'p': g.path = optarg; break;
        case 'r': g.rate = strtod(optarg, NULL); break;
        case 's': g.seconds = strtoull(optarg, NULL, 10); break;
        default: return -1;
        }
    }
    if (!address || !g.host || !(g.rate > 0 && g.rate <= 100000)) {
        fprintf(stderr, "usage: openloop --address IP:PORT --host NAME [--path /] [--rate N] "
                        "[--seconds N]\n");
        return -1;
    }
    return parse_address(address);
}

int main(int argc, char **argv)
{
    static const struct timeval tick = { .tv_usec = 1000 };

    if (parse_options(argc, argv) < 0) {
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    g.base = event_base_new();
    g.failures = json_array();
    g.bodies = json_object();
    g.start_ms = deis_now_ms();
    struct event *ticker = event_new(g.base, -1, EV_PERSIST, on_tick, NULL);
    struct event *term = evsignal_new(g.base, SIGTERM, on_signal, NULL);
    struct event *interrupt = evsignal_new(g.base, SIGINT, on_signal, NULL);
    event_add(ticker, &tick);
    event_add(term, NULL);
    event_add(interrupt, NULL);
    event_base_dispatch(g.base);
    print_result();

    int failed = g.failed > 0;
    while (g.idle) {
        conn_free(g.idle);
    }
    event_free(ticker);
    event_free(term);
    event_free(interrupt);
    event_base_free(g.base);
    json_decref(g.failures);
    json_decref(g.bodies);
    return failed;
}
