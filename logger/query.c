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
#define TURN_BYTES       (1024 * 1024) /* of logs, read in a turn of the loop; to the segment's end */

struct answer {
    Deis__LogEntry **entries;
    size_t count;
};

/* A logger.read. It is in turn, or waits for a line. */
struct waiter {
    struct waiter *next;
    struct deis_bus_call *call;
    char *app;
    char *filter;
    uint64_t wait_ms; /* 0: it is answered, whatever was found */
    struct log_search search;
    struct answer found;
    struct logger *logger;
    struct deis_timer *timer; /* of one that waits */
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

static void waiter_free(struct waiter *w)
{
    w->logger->waiter_count--;
    deis_timer_free(w->timer);
    answer_clear(&w->found);
    free(w->app);
    free(w->filter);
    free(w);
}

static void append(struct waiter **list, struct waiter *w)
{
    while (*list) {
        list = &(*list)->next;
    }
    w->next = NULL;
    *list = w;
}

static void unlink_from(struct waiter **list, const struct waiter *w)
{
    while (*list != w) {
        list = &(*list)->next;
    }
    *list = w->next;
}

/* 0: the last lines. */
static void search_from(struct waiter *w, uint64_t seq)
{
    if (seq > log_store_next_seq(w->logger->store, deis_str(w->app))) {
        seq = 1; /* the app's log has begun anew since */
    }
    w->search = (struct log_search){
        .q = { .app = deis_str(w->app),
               .filter = deis_str(w->filter),
               .from_seq = seq,
               .lines = w->search.q.lines,
               .max_bytes = ANSWER_MAX_BYTES },
    };
}

/* Lines that came in one batch go out in one answer: the timer fires after the current callback. */
static void queue(struct waiter *w)
{
    struct logger *l = w->logger;

    append(&l->readers, w);
    deis_timer_after(l->read_timer, 0);
}

static void reply(struct waiter *w)
{
    Deis__LogLines lines = DEIS__LOG_LINES__INIT;
    char cursor[24];

    snprintf(cursor, sizeof(cursor), "%" PRIu64, w->search.next);
    lines.entries = w->found.entries;
    lines.n_entries = w->found.count;
    lines.cursor = cursor;
    lines.more = w->search.more;
    deis_bus_reply(w->call, &lines.base);
    waiter_free(w);
}

static void on_timeout(void *arg)
{
    struct waiter *w = arg;

    unlink_from(&w->logger->waiters, w);
    w->wait_ms = 0;
    search_from(w, w->search.next);
    queue(w);
}

/* All of the log was looked through, as it was when the search began. */
static void found(struct waiter *w)
{
    struct logger *l = w->logger;

    if (w->wait_ms == 0 || w->found.count > 0) {
        reply(w);
    } else if (log_store_next_seq(l->store, w->search.q.app) != w->search.next) {
        search_from(w, w->search.next);
        queue(w);
    } else {
        append(&l->waiters, w);
        deis_timer_after(w->timer, w->wait_ms);
    }
}

/* The oldest reading goes on, for a while; what else the logger has to do comes in between. */
static void on_turn(void *arg)
{
    struct logger *l = arg;
    struct deis_err err = DEIS_ERR_INIT;
    uint64_t scanned = 0;

    while (l->readers && scanned < TURN_BYTES) {
        struct waiter *w = l->readers;
        uint64_t before = w->search.scanned;
        int code = log_store_search(l->store, &w->search, add_entry, &w->found, &err);
        scanned += w->search.scanned - before;
        if (code > 0) {
            continue;
        }
        l->readers = w->next;
        if (code == 0) {
            found(w);
            continue;
        }
        deis_error("log can't be read", KV_ERR(&err));
        deis_bus_fail(w->call, &err);
        waiter_free(w);
    }
    if (l->readers) {
        deis_timer_after(l->read_timer, 0);
    }
}

void logger_wake(struct logger *l, struct deis_str app)
{
    struct waiter **p = &l->waiters;

    while (*p) {
        struct waiter *w = *p;
        if (!deis_str_eq_cstr(app, w->app)) {
            p = &w->next;
            continue;
        }
        *p = w->next;
        deis_timer_cancel(w->timer);
        w->wait_ms = 0;
        search_from(w, w->search.next);
        queue(w);
    }
}

void logger_read(struct deis_bus_call *call, const ProtobufCMessage *msg, void *arg)
{
    const Deis__LogRead *m = (const Deis__LogRead *)msg;
    struct logger *l = arg;
    struct deis_err err = DEIS_ERR_INIT;
    uint64_t from = 0;

    if (!deis_str_is_label(deis_str(m->app)) || strlen(m->process) > RECORD_NAME_MAX) {
        deis_err_set(&err, DEIS_INVALID, "the app's or the process' name is not valid");
    } else if (m->cursor[0] != '\0' &&
               deis_str_to_u64(deis_str(m->cursor), 1, UINT64_MAX, &from, &err) < 0) {
        deis_err_wrap(&err, "cursor");
    } else if (l->waiter_count >= WAITERS_MAX) {
        deis_err_set(&err, DEIS_LIMIT, "too many readers of logs at once");
    }
    if (err.code != DEIS_OK) {
        deis_bus_fail(call, &err);
        return;
    }
    struct waiter *w = deis_alloc(sizeof(*w));
    w->logger = l;
    w->call = call;
    w->app = deis_strdup(m->app);
    w->filter = deis_strdup(m->process);
    w->wait_ms = from == 0 ? 0 : m->wait_ms < WAIT_MAX_MS ? m->wait_ms : WAIT_MAX_MS;
    w->timer = deis_timer_new(l->loop, on_timeout, w);
    w->search.q.lines = m->lines == 0 ? LINES_DEFAULT : m->lines < LINES_MAX ? m->lines : LINES_MAX;
    l->waiter_count++;
    search_from(w, from);
    queue(w);
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

static void end_all(struct waiter **list)
{
    struct deis_err err = DEIS_ERR_INIT;

    deis_err_set(&err, DEIS_UNAVAILABLE, "the logger stops");
    while (*list) {
        struct waiter *w = *list;
        *list = w->next;
        deis_bus_fail(w->call, &err);
        waiter_free(w);
    }
}

void logger_readers_start(struct logger *l)
{
    l->read_timer = deis_timer_new(l->loop, on_turn, l);
}

void logger_readers_end(struct logger *l)
{
    end_all(&l->readers);
    end_all(&l->waiters);
    deis_timer_free(DEIS_TAKE(l->read_timer));
}
