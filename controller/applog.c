/* SPDX-License-Identifier: MIT */
#include "controller/applog.h"

#include "controller/core/oneline.h"
#include "log.pb-c.h"

#include "lib/base/clock.h"
#include "lib/net/log.h"

#include <pthread.h>

#define QUEUE_MAX      512 /* lines */
#define BATCH_MAX      64
#define LINE_MAX_BYTES 8192
#define TEXT_MAX_BYTES ((size_t)1 << 20) /* before it is cut */
#define SEND_MS        5000

struct line {
    uint64_t position;
    uint64_t time_ms;
    uint64_t lost;
    char *app;
    char *text;
};

struct applog {
    struct ctl *ctl;
    pthread_mutex_t lock; /* of the queue */
    struct line queue[QUEUE_MAX];
    size_t first;
    size_t count;
    uint64_t next_position;
    char source[64];
    bool sending;
    unsigned attempt;
    struct deis_timer *retry;
};

static void send_batch(void *arg);

static void line_clear(struct line *l)
{
    free(l->app);
    free(l->text);
    *l = (struct line){ 0 };
}

static struct line *line_at(struct applog *l, size_t i)
{
    return &l->queue[(l->first + i) % QUEUE_MAX];
}

static void pop_first(struct applog *l)
{
    line_clear(line_at(l, 0));
    l->first = (l->first + 1) % QUEUE_MAX;
    l->count--;
}

struct applog *applog_start(struct ctl *ctl)
{
    struct applog *l = deis_alloc(sizeof(*l));

    l->ctl = ctl;
    l->next_position = 1;
    pthread_mutex_init(&l->lock, NULL);
    snprintf(l->source, sizeof(l->source), "controller/%s", ctl->boot);
    l->retry = deis_timer_new(ctl->loop, send_batch, l);
    return l;
}

void applog_stop(struct applog *l)
{
    if (!l) {
        return;
    }
    deis_timer_free(l->retry);
    while (l->count > 0) {
        pop_first(l);
    }
    pthread_mutex_destroy(&l->lock);
    free(l);
}

void applog_write(struct ctl *ctl, const char *app, const char *format, ...)
{
    struct applog *l = ctl->applog;
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(TEXT_MAX_BYTES);
    uint64_t lost = 0;
    va_list args;

    va_start(args, format);
    deis_buf_vaddf(&text, format, args);
    va_end(args);
    pthread_mutex_lock(&l->lock);
    while (l->count >= QUEUE_MAX) {
        struct line *old = line_at(l, 0);
        lost += strlen(old->text) + old->lost;
        pop_first(l);
    }
    if (lost > 0 && l->count > 0) {
        line_at(l, 0)->lost += lost;
    }
    *line_at(l, l->count) = (struct line){ .position = l->next_position++,
                                           .time_ms = deis_wall_ms(),
                                           .app = deis_strdup(app),
                                           .text = oneline(deis_buf_str(&text), LINE_MAX_BYTES) };
    l->count++;
    pthread_mutex_unlock(&l->lock);
    deis_loop_post(ctl->loop, send_batch, l);
}

bool applog_is_empty(struct applog *l)
{
    pthread_mutex_lock(&l->lock);
    bool empty = l->count == 0;
    pthread_mutex_unlock(&l->lock);
    return empty;
}

/* Drop what the logger has. */
static void acknowledge(struct applog *l, uint64_t position)
{
    pthread_mutex_lock(&l->lock);
    while (l->count > 0 && line_at(l, 0)->position <= position) {
        pop_first(l);
    }
    pthread_mutex_unlock(&l->lock);
}

static void on_done(const ProtobufCMessage *msg, const struct deis_err *err, void *arg)
{
    struct applog *l = arg;

    l->sending = false;
    if (err && err->code == DEIS_CANCELLED) {
        return;
    }
    if (msg) {
        const Deis__LogAppended *answer = (const Deis__LogAppended *)(const void *)msg;
        l->attempt = 0;
        acknowledge(l, answer->position);
        send_batch(l);
        return;
    }
    if (l->attempt == 0) {
        deis_warn("logger does not take lines, trying again", KV_ERR(err));
    }
    deis_timer_after(l->retry, deis_backoff_ms(l->attempt++, 500, 10000));
}

/* Fill the batch from the head of the queue; texts are copies, as the queue may move meanwhile. */
static size_t take_batch(struct applog *l, Deis__LogLine *lines, Deis__LogLine **list)
{
    size_t n;

    pthread_mutex_lock(&l->lock);
    for (n = 0; n < l->count && n < BATCH_MAX; n++) {
        const struct line *from = line_at(l, n);
        Deis__LogLine init = DEIS__LOG_LINE__INIT;
        static char process[] = "deis-controller";
        init.position = from->position;
        init.time_ms = from->time_ms;
        init.lost = from->lost;
        init.app = deis_strdup(from->app);
        init.process = process;
        init.text.len = strlen(from->text);
        init.text.data = (uint8_t *)deis_strdup(from->text);
        lines[n] = init;
        list[n] = &lines[n];
    }
    pthread_mutex_unlock(&l->lock);
    return n;
}

static void send_batch(void *arg)
{
    struct applog *l = arg;
    char address[DEIS_KEY_MAX];
    Deis__LogLine lines[BATCH_MAX];
    Deis__LogLine *list[BATCH_MAX];
    Deis__LogAppend append = DEIS__LOG_APPEND__INIT;

    if (l->sending) {
        return;
    }
    size_t n = take_batch(l, lines, list);
    if (n == 0) {
        return;
    }
    if (deis_directory_find(l->ctl->directory, "logger", "bus", address)) {
        append.source = l->source;
        append.n_lines = n;
        append.lines = list;
        l->sending = true;
        deis_bus_send(l->ctl->bus_client, address, "logger.append", NULL, &append.base,
                      &deis__log_appended__descriptor, SEND_MS, on_done, l);
    } else {
        deis_timer_after(l->retry, 2000);
    }
    for (size_t i = 0; i < n; i++) {
        free(lines[i].app);
        free(lines[i].text.data);
    }
}
