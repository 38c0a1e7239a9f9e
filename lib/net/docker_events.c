/* SPDX-License-Identifier: MIT */
#include "lib/base/clock.h"
#include "lib/net/docker_client.h"
#include "lib/net/log.h"

#include <inttypes.h>

#define BACKOFF_MS     200
#define BACKOFF_MAX_MS 2000

struct deis_docker_events {
    struct deis_docker *docker;
    struct deis_loop *loop;
    struct deis_timer *retry;
    char *label;
    void (*on_event)(const char *action, const char *container_id, const json_t *attributes,
                     void *arg);
    void (*on_reconnected)(void *arg);
    void *arg;
    struct docker_stream *stream;
    struct docker_lines lines;
    unsigned attempt;
    bool busy;    /* in on_data */
    bool stopped; /* while busy */
};

static void on_object(const json_t *obj, void *arg)
{
    const struct deis_docker_events *ev = arg;
    const json_t *actor = json_object_get(obj, "Actor");
    const char *action = json_string_value(json_object_get(obj, "Action"));
    const char *id = json_string_value(json_object_get(actor, "ID"));

    /* After a stop from on_event the rest of the data is let pass. */
    if (action && id && !ev->stopped) {
        ev->on_event(action, id, json_object_get(actor, "Attributes"), ev->arg);
    }
}

static void on_open(void *arg)
{
    struct deis_docker_events *ev = arg;
    ev->attempt = 0;
    ev->on_reconnected(ev->arg);
}

static void retry_later(struct deis_docker_events *ev, const struct deis_err *err)
{
    docker_stream_free(DEIS_TAKE(ev->stream));
    if (ev->attempt == 0) {
        deis_warn("events of the Docker Engine are away",
                  KV_S("err", err ? err->msg : "the Engine ended the stream"));
    }
    deis_timer_after(ev->retry, deis_backoff_ms(ev->attempt++, BACKOFF_MS, BACKOFF_MAX_MS));
}

static void on_end(const struct deis_err *err, void *arg)
{
    retry_later(arg, err);
}

static void on_data(struct deis_str data, void *arg)
{
    struct deis_docker_events *ev = arg;
    struct deis_err err = DEIS_ERR_INIT;

    ev->busy = true;
    int rc = docker_lines_feed(&ev->lines, data, on_object, ev, &err);
    ev->busy = false;
    if (ev->stopped) {
        deis_docker_events_stop(ev);
    } else if (rc < 0) {
        retry_later(ev, &err);
    }
}

static void on_connect(void *arg)
{
    static const struct docker_stream_ops ops = {
        .on_open = on_open,
        .on_data = on_data,
        .on_end = on_end,
    };
    struct deis_docker_events *ev = arg;
    deis_autobuf struct deis_buf path = DEIS_BUF_INIT(16 * 1024);
    deis_autojson json_t *filters =
        json_pack("{s:[s],s:[s]}", "type", "container", "label", ev->label);
    uint64_t now_us = deis_wall_us();

    /* The Engine answers before it has subscribed us: with "since" it makes up for that moment. */
    deis_buf_addf(&path, "/events?since=%" PRIu64 ".%06" PRIu64, now_us / 1000000,
                  now_us % 1000000);
    docker_query_json(&path, "filters", filters);
    docker_lines_clear(&ev->lines);
    docker_lines_init(&ev->lines);
    ev->stream = docker_stream_start(ev->docker, ev->loop, "GET", path.data, false, &ops, ev);
}

struct deis_docker_events *deis_docker_events_start(
    struct deis_docker *d, struct deis_loop *loop, const char *label,
    void (*on_event)(const char *action, const char *container_id, const json_t *attributes,
                     void *arg),
    void (*on_reconnected)(void *arg), void *arg)
{
    struct deis_docker_events *ev = deis_alloc(sizeof(*ev));

    ev->docker = d;
    ev->loop = loop;
    ev->label = deis_strdup(label);
    ev->on_event = on_event;
    ev->on_reconnected = on_reconnected;
    ev->arg = arg;
    docker_lines_init(&ev->lines);
    ev->retry = deis_timer_new(loop, on_connect, ev);
    deis_timer_after(ev->retry, 0);
    return ev;
}

void deis_docker_events_stop(struct deis_docker_events *ev)
{
    if (!ev) {
        return;
    }
    if (ev->busy) {
        ev->stopped = true;
        return;
    }
    docker_stream_free(ev->stream);
    docker_lines_clear(&ev->lines);
    deis_timer_free(ev->retry);
    free(ev->label);
    free(ev);
}
