/* SPDX-License-Identifier: MIT */
#include "controller/follow.h"

#include "controller/logline.h"

#include "lib/base/clock.h"
#include "lib/net/log.h"

#define STREAMS_MAX 256
#define USER_MAX    64 /* of them, of one user */
#define POLL_MS     20000
#define RETRY_MS    1000
#define CHUNK_MAX   (2 << 20)
#define CHECK_MS    5000 /* how long it is taken for granted that the caller may read them */

struct stream {
    struct stream *next;
    struct ctl *ctl;
    struct deis_http_req *req; /* NULL: over, freed when no call is pending */
    char *app;
    char *user;
    char token[65]; /* its hash */
    enum access_right right;
    uint64_t checked_ms;
    bool allowed;
    char *process;
    char *cursor;
    char *text; /* to be written once it is known that the caller may read it */
    size_t text_len;
    uint32_t lines;
    bool polling; /* or checking: something is pending */
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
    free(s->user);
    free(s->text);
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

static void stream_end(struct stream *s)
{
    struct deis_http_req *req = s->req;

    stream_over(s);
    deis_http_reply_end(req);
}

/* Write what has come, if anything has, and go on. */
static void deliver(struct stream *s)
{
    deis_autofree char *text = DEIS_TAKE(s->text);

    if (s->text_len > 0) {
        s->writable = false;
        deis_http_reply_chunk(s->req, deis_str_n(text, s->text_len));
    } else if (s->cursor) {
        poll_next(s);
    } else { /* nothing was ever logged: the logger does not wait */
        deis_timer_after(s->retry, RETRY_MS);
    }
}

/* An etcd that is away takes no right back. */
static void check_work(void *arg)
{
    struct stream *s = arg;
    struct deis_err err = DEIS_ERR_INIT;
    int r = auth_still(s->ctl, s->user, s->token, s->app, s->right, &err);

    s->allowed = r != DEIS_DENIED && r != DEIS_NOT_FOUND;
}

static void checked(void *arg)
{
    struct stream *s = arg;

    s->polling = false;
    if (!s->req) {
        stream_free(s);
    } else if (s->allowed) {
        s->checked_ms = deis_now_ms();
        deliver(s);
    } else {
        stream_end(s);
    }
}

/* The lines of s->text go out, unless the caller may no longer read them. */
static void check(struct stream *s)
{
    struct deis_err err = DEIS_ERR_INIT;

    if (deis_now_ms() - s->checked_ms < CHECK_MS) {
        deliver(s);
        return;
    }
    s->polling = true;
    if (deis_workers_run(s->ctl->requests, check_work, checked, s, &err) < 0) {
        s->polling = false;
        deis_timer_after(s->retry, RETRY_MS);
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
    if (deis_buf_failed(&text)) {
        deis_buf_reset(&text);
    }
    s->text = deis_buf_take(&text, &s->text_len);
    check(s);
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
    if (s->text) { /* there was no room for the check */
        check(s);
        return;
    }
    if (!deis_directory_find(s->ctl->directory, "logger", "bus", address)) {
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

static unsigned streams_of(const char *user)
{
    unsigned count = 0;

    for (const struct stream *s = streams; s; s = s->next) {
        count += strcmp(s->user, user) == 0;
    }
    return count;
}

/* Is there room for one more of this user? False: answered. */
static bool has_room(const char *user, struct deis_http_req *req)
{
    deis_autojson json_t *doc = NULL;

    if (stream_count >= STREAMS_MAX) {
        doc = json_pack("{s:s}", "detail", "Too many logs are followed at once, try again");
    } else if (streams_of(user) >= USER_MAX) {
        deis_autofree char *text =
            deis_asprintf("You follow %d logs already, that is the limit: end one", USER_MAX);
        doc = json_pack("{s:s}", "detail", text);
    }
    if (doc) {
        deis_http_reply_json(req, 503, doc);
    }
    return !doc;
}

void follow_start(const struct api *a, struct deis_http_req *req)
{
    if (!has_room(a->user, req)) {
        return;
    }
    struct stream *s = deis_alloc(sizeof(*s));
    s->ctl = a->ctl;
    s->req = req;
    s->app = deis_strdup(a->app_id);
    s->user = deis_strdup(a->user);
    snprintf(s->token, sizeof(s->token), "%s", a->token);
    s->right = a->match.route->right;
    s->checked_ms = deis_now_ms();
    s->process = a->follow_process ? deis_strdup(a->follow_process) : NULL;
    s->lines = a->follow_lines;
    s->writable = true;
    s->retry = deis_timer_new(a->ctl->loop, poll_next, s);
    s->next = streams;
    streams = s;
    stream_count++;
    deis_http_reply_start(req, 200, "text/plain", UINT64_MAX, on_writable, s);
    poll_next(s);
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
