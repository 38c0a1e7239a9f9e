/* SPDX-License-Identifier: MIT */
#include "controller/follow.h"

#include "controller/logline.h"

#include "lib/net/log.h"

#define STREAMS_MAX 256
#define POLL_MS     20000
#define RETRY_MS    1000
#define CHUNK_MAX   (2 << 20)

struct stream {
    struct stream *next;
    struct ctl *ctl;
    struct deis_http_req *req; /* NULL: over, freed when no call is pending */
    char *app;
    char *process;
    char *cursor;
    uint32_t lines;
    bool polling;
    bool writable;
    struct deis_timer *retry;
};

/* All streams of the process: they live on the one loop. */
static struct stream *streams;
static unsigned stream_count;

static void poll_next(void *arg);

static void stream_free(struct stream *s)
{
    for (struct stream **p = &streams; *p; p = &(*p)->next) {
        if (*p == s) {
            *p = s->next;
            break;
        }
    }
    stream_count--;
    deis_timer_free(s->retry);
    free(s->app);
    free(s->process);
    free(s->cursor);
    free(s);
}

static void stream_over(struct stream *s)
{
    s->req = NULL;
    if (!s->polling) {
        stream_free(s);
    }
}

static void on_lines(const ProtobufCMessage *msg, const struct deis_err *err, void *arg)
{
    struct stream *s = arg;
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(CHUNK_MAX);

    s->polling = false;
    if (!s->req) {
        stream_free(s);
        return;
    }
    if (!msg) {
        deis_debug("log not read, trying again", KV_ERR(err));
        deis_timer_after(s->retry, RETRY_MS);
        return;
    }
    const Deis__LogLines *lines = (const Deis__LogLines *)(const void *)msg;
    logline_add(&text, s->app, lines);
    if (lines->cursor && *lines->cursor) {
        free(s->cursor);
        s->cursor = deis_strdup(lines->cursor);
    }
    if (text.len > 0 && !deis_buf_failed(&text)) {
        s->writable = false;
        deis_http_reply_chunk(s->req, deis_buf_str(&text));
    } else if (s->cursor) {
        poll_next(s);
    } else {
        deis_timer_after(s->retry,
                         RETRY_MS); /* nothing was ever logged: the logger does not wait */
    }
}

/* Ask for what comes after the cursor, unless the peer has not taken the last part yet. */
static void poll_next(void *arg)
{
    struct stream *s = arg;
    char address[DEIS_KEY_MAX];
    Deis__LogRead read = DEIS__LOG_READ__INIT;

    if (s->polling || !s->req || !s->writable) {
        return;
    }
    if (!deis_directory_find(s->ctl->directory, "logger", NULL, "bus", address)) {
        deis_timer_after(s->retry, RETRY_MS);
        return;
    }
    read.app = s->app;
    read.lines = s->lines;
    read.wait_ms = POLL_MS;
    if (s->cursor) {
        read.cursor = s->cursor;
    }
    if (s->process) {
        read.process = s->process;
    }
    s->polling = true;
    deis_bus_send(s->ctl->bus_client, address, "logger.read", NULL, &read.base,
                  &deis__log_lines__descriptor, POLL_MS + 5000, on_lines, s);
}

static void on_writable(struct deis_http_req *req, void *arg)
{
    struct stream *s = arg;

    s->writable = true;
    poll_next(s);
}

void follow_start(struct ctl *ctl, struct deis_http_req *req, const char *app, const char *process,
                  uint32_t lines)
{
    if (stream_count >= STREAMS_MAX) {
        deis_http_reply(req, 503, "application/json",
                        DEIS_STR("{\"detail\":\"Too many logs are followed at once, try again\"}"));
        return;
    }
    struct stream *s = deis_alloc(sizeof(*s));
    s->ctl = ctl;
    s->req = req;
    s->app = deis_strdup(app);
    s->process = process ? deis_strdup(process) : NULL;
    s->lines = lines;
    s->writable = true;
    s->retry = deis_timer_new(ctl->loop, poll_next, s);
    s->next = streams;
    streams = s;
    stream_count++;
    deis_http_reply_start(req, 200, "text/plain", UINT64_MAX, on_writable, s);
    poll_next(s);
}

static void stream_end(struct stream *s)
{
    struct deis_http_req *req = s->req;

    stream_over(s);
    deis_http_reply_end(req);
}

void follow_gone(struct deis_http_req *req)
{
    for (struct stream *s = streams; s; s = s->next) {
        if (s->req == req) {
            stream_over(s);
            return;
        }
    }
}

void follow_stop_all(struct ctl *ctl)
{
    struct stream *next;

    for (struct stream *s = streams; s; s = next) {
        next = s->next;
        if (s->req && s->ctl == ctl) {
            stream_end(s);
        }
    }
}
