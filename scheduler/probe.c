/* SPDX-License-Identifier: MIT */
#include "scheduler/probe.h"

#include "lib/wire/h1.h"
#include "lib/wire/url.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/util.h>
#include <stdio.h>
#include <sys/socket.h>

#define TIMEOUT_MS       1000
#define EAGER_TIMEOUT_MS 300
#define ANSWER_MAX       (16 * 1024)

struct probe {
    struct bufferevent *bev;
    struct deis_timer *deadline;
    char *path; /* NULL = connecting is enough */
    char *host;
    char *address;
    uint16_t port;
    uint64_t timeout_ms;
    char error[256]; /* why it failed, "" = passed; set before the end */
    void (*on_done)(const char *error, void *arg);
    void *arg;
};

void probe_cancel(struct probe *p)
{
    if (!p) {
        return;
    }
    if (p->bev) {
        bufferevent_free(p->bev);
    }
    deis_timer_free(p->deadline);
    free(p->path);
    free(p->host);
    free(p->address);
    free(p);
}

static void finish(struct probe *p)
{
    void (*on_done)(const char *error, void *arg) = p->on_done;
    void *arg = p->arg;
    char error[sizeof(p->error)];

    memcpy(error, p->error, sizeof(error));
    probe_cancel(p);
    on_done(*error ? error : NULL, arg);
}

static void on_deadline(void *arg)
{
    struct probe *p = arg;

    if (!*p->error) {
        if (p->path) {
            snprintf(p->error, sizeof(p->error),
                     "no answer to GET %.100s on port %u within %llu ms", p->path, p->port,
                     (unsigned long long)p->timeout_ms);
        } else {
            snprintf(p->error, sizeof(p->error), "no connection to port %u within %llu ms", p->port,
                     (unsigned long long)p->timeout_ms);
        }
    }
    finish(p);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct probe *p = arg;

    if (what & BEV_EVENT_CONNECTED) {
        if (!p->path) {
            finish(p);
            return;
        }
        evbuffer_add_printf(bufferevent_get_output(bev),
                            "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: deis-health\r\n"
                            "Accept: */*\r\nConnection: close\r\n\r\n",
                            p->path, p->host);
        return;
    }
    if (p->path && (what & BEV_EVENT_READING)) {
        snprintf(p->error, sizeof(p->error), "no HTTP answer to GET %.100s on port %u", p->path,
                 p->port);
    } else {
        snprintf(p->error, sizeof(p->error), "port %u does not accept connections", p->port);
    }
    finish(p);
}

static void on_read(struct bufferevent *bev, void *arg)
{
    static const struct deis_h1_limits limits = DEIS_H1_LIMITS_DEFAULT;
    struct probe *p = arg;
    struct evbuffer *in = bufferevent_get_input(bev);
    size_t len = evbuffer_get_length(in), scanned = 0, used;
    struct deis_h1_head head;
    struct deis_err err = DEIS_ERR_INIT;

    struct deis_str input = deis_str_n((const char *)evbuffer_pullup(in, -1), len);
    switch (deis_h1_parse_response(input, DEIS_STR("GET"), &limits, &scanned, &head, &used, &err)) {
    case DEIS_H1_MORE:
        if (len < ANSWER_MAX) {
            return;
        }
        snprintf(p->error, sizeof(p->error), "the answer to GET %.100s is too long", p->path);
        break;
    case DEIS_H1_BAD:
        snprintf(p->error, sizeof(p->error), "bad answer to GET %.100s: %.100s", p->path, err.msg);
        break;
    case DEIS_H1_DONE:
        if (head.status >= 100 && head.status < 200) {
            evbuffer_drain(in, used);
            on_read(bev, arg);
            return;
        }
        if (head.status != 200) {
            snprintf(p->error, sizeof(p->error), "GET %.100s on port %u answered %d instead of 200",
                     p->path, p->port, head.status);
        }
        break;
    }
    finish(p);
}

struct probe *probe_start(struct deis_loop *loop, const char *address,
                          const struct deis_health *health, const char *host, bool eager,
                          void (*on_done)(const char *error, void *arg), void *arg)
{
    struct probe *p = deis_alloc(sizeof(*p));
    struct sockaddr_storage peer;
    int peer_len = sizeof(peer);
    struct deis_str name;

    p->on_done = on_done;
    p->arg = arg;
    p->path = health->path ? deis_strdup(health->path) : NULL;
    p->host = deis_strdup(host);
    p->address = deis_strdup(address);
    p->timeout_ms = !health->path            ? (eager ? EAGER_TIMEOUT_MS : TIMEOUT_MS)
                    : health->timeout_ms > 0 ? health->timeout_ms
                                             : TIMEOUT_MS;
    if (p->timeout_ms > PROBE_TIMEOUT_MAX_MS) {
        p->timeout_ms = PROBE_TIMEOUT_MAX_MS;
    }
    p->deadline = deis_timer_new(loop, on_deadline, p);
    if (deis_addr_split(deis_str(address), &name, &p->port, NULL) < 0 ||
        evutil_parse_sockaddr_port(address, (struct sockaddr *)&peer, &peer_len) < 0) {
        snprintf(p->error, sizeof(p->error), "it has no address");
        deis_timer_after(p->deadline, 0);
        return p;
    }
    p->bev = bufferevent_socket_new(deis_loop_base(loop), -1,
                                    BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
    bufferevent_setcb(p->bev, on_read, NULL, on_event, p);
    bufferevent_enable(p->bev, EV_READ | EV_WRITE);
    deis_timer_after(p->deadline, p->timeout_ms);
    if (bufferevent_socket_connect(p->bev, (struct sockaddr *)&peer, peer_len) < 0) {
        snprintf(p->error, sizeof(p->error), "port %u does not accept connections", p->port);
        deis_timer_after(p->deadline, 0);
    }
    return p;
}
