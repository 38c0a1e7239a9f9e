/* SPDX-License-Identifier: MIT */
/* logger.read and logger.delete; a read with a cursor may wait for the next line. */
#include "log.pb-c.h"
#include "logger/logger.h"

#include "lib/base/clock.h"
#include "lib/net/log.h"

#include <inttypes.h>

#define ANSWER_MAX_BYTES (768 * 1024)
#define LINES_MAX        10000
#define LINES_DEFAULT    100
#define WAIT_MAX_MS      60000
#define WAITERS_MAX      1024
#define LOST_NOTE_MAX    80

struct waiter {
    struct waiter *next;
    struct logger *logger;
    struct deis_bus_call *call;
    char *app;
    char *filter;
    uint64_t from_seq;
    struct deis_timer *timer;
    bool scheduled; /* an answer is posted */
};

struct answer {
    Deis__LogEntry **entries;
    size_t count;
};

static void add_entry(const struct record *r, void *arg)
{
    struct answer *a = arg;
    Deis__LogEntry *e = deis_alloc(sizeof(*e));

    deis__log_entry__init(e);
    e->time_ms = r->time_ms;
    e->process = deis_str_dup(r->process);
    if (r->lost > 0) {
        struct deis_buf text = DEIS_BUF_INIT(RECORD_TEXT_MAX + LOST_NOTE_MAX);
        deis_buf_addf(&text, "[%" PRIu64 " bytes of output were lost here] ", r->lost);
        deis_buf_add_str(&text, r->text);
        e->text.len = text.len;
        e->text.data = (uint8_t *)deis_buf_take(&text, NULL);
    } else {
        e->text = (ProtobufCBinaryData){ r->text.len, (uint8_t *)deis_str_dup(r->text) };
    }
    a->entries = deis_realloc_array(a->entries, a->count + 1, sizeof(*a->entries));
    a->entries[a->count++] = e;
}

static void answer_clear(struct answer *a)
{
    for (size_t i = 0; i < a->count; i++) {
        free(a->entries[i]->process);
        free(a->entries[i]->text.data);
        free(a->entries[i]);
    }
    free(a->entries);
}

/* Read and answer; with wait it may leave the call alone when there is nothing: false then. */
static bool answer_read(struct logger *l, struct deis_bus_call *call, const struct log_query *q,
                        bool wait)
{
    Deis__LogLines lines = DEIS__LOG_LINES__INIT;
    struct answer a = { 0 };
    struct deis_err err = DEIS_ERR_INIT;
    uint64_t next;
    bool more;
    char cursor[24];

    if (log_store_read(l->store, q, add_entry, &a, &next, &more, &err) < 0) {
        deis_error("log can't be read", KV_ERR(&err));
        deis_bus_fail(call, &err);
        answer_clear(&a);
        return true;
    }
    if (wait && a.count == 0) {
        return false;
    }
    snprintf(cursor, sizeof(cursor), "%" PRIu64, next);
    lines.entries = a.entries;
    lines.n_entries = a.count;
    lines.cursor = cursor;
    lines.more = more;
    deis_bus_reply(call, &lines.base);
    answer_clear(&a);
    return true;
}

static void waiter_free(struct waiter *w)
{
    struct logger *l = w->logger;

    for (struct waiter **p = &l->waiters; *p; p = &(*p)->next) {
        if (*p == w) {
            *p = w->next;
            l->waiter_count--;
            break;
        }
    }
    deis_timer_free(w->timer);
    free(w->app);
    free(w->filter);
    free(w);
}

static struct log_query query_of(const struct waiter *w)
{
    return (struct log_query){ .app = deis_str(w->app),
                               .filter = deis_str(w->filter),
                               .from_seq = w->from_seq,
                               .max_bytes = ANSWER_MAX_BYTES };
}

static void on_timeout(void *arg)
{
    struct waiter *w = arg;
    struct log_query q = query_of(w);

    if (q.from_seq > log_store_next_seq(w->logger->store, q.app)) {
        q.from_seq = 1; /* the app's log has begun anew while it waited */
    }
    answer_read(w->logger, w->call, &q, false);
    waiter_free(w);
}

/* Lines that came in one batch go out in one answer: the timer fires after the current callback. */
void logger_wake(struct logger *l, struct deis_str app)
{
    for (struct waiter *w = l->waiters; w; w = w->next) {
        if (!w->scheduled && deis_str_eq_cstr(app, w->app)) {
            w->scheduled = true;
            deis_timer_after(w->timer, 0);
        }
    }
}

static void wait_for_line(struct logger *l, struct deis_bus_call *call, const struct log_query *q,
                          uint64_t wait_ms)
{
    struct deis_err err = DEIS_ERR_INIT;

    if (l->waiter_count >= WAITERS_MAX) {
        deis_err_set(&err, DEIS_LIMIT, "too many readers follow logs");
        deis_bus_fail(call, &err);
        return;
    }
    struct waiter *w = deis_alloc(sizeof(*w));
    w->logger = l;
    w->call = call;
    w->app = deis_str_dup(q->app);
    w->filter = deis_str_dup(q->filter);
    w->from_seq = q->from_seq;
    w->timer = deis_timer_new(l->loop, on_timeout, w);
    deis_timer_after(w->timer, wait_ms < WAIT_MAX_MS ? wait_ms : WAIT_MAX_MS);
    w->next = l->waiters;
    l->waiters = w;
    l->waiter_count++;
}

void logger_read(struct deis_bus_call *call, const ProtobufCMessage *msg, void *arg)
{
    const Deis__LogRead *m = (const Deis__LogRead *)msg;
    struct logger *l = arg;
    struct deis_err err = DEIS_ERR_INIT;
    struct log_query q = {
        .app = deis_str(m->app),
        .filter = deis_str(m->process),
        .lines = m->lines == 0          ? LINES_DEFAULT
                 : m->lines < LINES_MAX ? m->lines
                                        : LINES_MAX,
        .max_bytes = ANSWER_MAX_BYTES,
    };

    if (!deis_str_is_label(q.app) || q.filter.len > RECORD_NAME_MAX) {
        deis_err_set(&err, DEIS_INVALID, "the app's or the process' name is not valid");
    } else if (m->cursor[0] != '\0') {
        if (deis_str_to_u64(deis_str(m->cursor), 1, UINT64_MAX, &q.from_seq, &err) < 0) {
            deis_err_wrap(&err, "cursor");
        } else if (q.from_seq > log_store_next_seq(l->store, q.app)) {
            q.from_seq = 1; /* the app's log has begun anew since */
        }
    }
    if (err.code != DEIS_OK) {
        deis_bus_fail(call, &err);
        return;
    }
    bool may_wait = q.from_seq > 0 && m->wait_ms > 0;
    if (!answer_read(l, call, &q, may_wait)) {
        wait_for_line(l, call, &q, m->wait_ms);
    }
}

void logger_delete(struct deis_bus_call *call, const ProtobufCMessage *msg, void *arg)
{
    const Deis__LogDelete *m = (const Deis__LogDelete *)msg;
    Deis__LogDeleted done = DEIS__LOG_DELETED__INIT;
    struct logger *l = arg;
    struct deis_err err = DEIS_ERR_INIT;

    if (!deis_str_is_label(deis_str(m->app))) {
        deis_err_set(&err, DEIS_INVALID, "the app's name is not valid");
        deis_bus_fail(call, &err);
    } else if (log_store_delete(l->store, deis_str(m->app), &err) < 0) {
        deis_error("log not deleted", KV_ERR(&err));
        deis_bus_fail(call, &err);
    } else {
        deis_bus_reply(call, &done.base);
    }
}

void logger_waiters_end(struct logger *l)
{
    struct deis_err err = DEIS_ERR_INIT;

    deis_err_set(&err, DEIS_UNAVAILABLE, "the logger stops");
    while (l->waiters) {
        deis_bus_fail(l->waiters->call, &err);
        waiter_free(l->waiters);
    }
}
