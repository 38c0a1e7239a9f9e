/* SPDX-License-Identifier: MIT */
/*
 * logger.append: lines are written, synced and then acknowledged. One sync runs at a time; what
 * comes in meanwhile shares the next one.
 */
#include "log.pb-c.h"
#include "logger/logger.h"

#include "lib/base/clock.h"
#include "lib/net/log.h"

#include <unistd.h>

/* An append whose answer waits for the disk. */
struct answer {
    struct deis_bus_call *call;
    uint64_t position;
};

struct syncing {
    struct logger *logger;
    struct answer *answers;
    size_t count;
    int *fds;
    size_t fd_count;
    bool failed;
};

static void sync_work(void *arg)
{
    struct syncing *sync = arg;

    for (size_t i = 0; i < sync->fd_count; i++) {
        sync->failed |= fdatasync(sync->fds[i]) < 0;
        close(sync->fds[i]);
    }
}

static void sync_next(struct logger *l);

/* The positions in memory count lines that may not be on disk. The senders keep what was not
 * acknowledged and repeat it to the next process, which knows what it finds. */
static void give_up(struct logger *l, const struct deis_err *err)
{
    if (!l->broken) {
        deis_error("stopping", KV_ERR(err));
        l->broken = true;
        deis_loop_stop(l->loop);
    }
}

static void sync_done(void *arg)
{
    struct syncing *sync = arg;
    struct logger *l = sync->logger;
    struct deis_err err = DEIS_ERR_INIT;

    if (sync->failed || log_store_is_broken(l->store)) {
        sync->failed = true;
        deis_err_set(&err, DEIS_SYSTEM, "the log can't be synced to disk");
        give_up(l, &err);
    }
    for (size_t i = 0; i < sync->count; i++) {
        Deis__LogAppended done = DEIS__LOG_APPENDED__INIT;
        done.position = sync->answers[i].position;
        if (sync->failed) {
            deis_bus_fail(sync->answers[i].call, &err);
        } else {
            deis_bus_reply(sync->answers[i].call, &done.base);
        }
    }
    free(sync->answers);
    free(sync->fds);
    free(sync);
    l->sync_running = false;
    if (!l->stopping) {
        sync_next(l);
    }
}

static void sync_next(struct logger *l)
{
    struct deis_err err = DEIS_ERR_INIT;
    struct syncing *sync = l->pending;

    if (!sync || l->sync_running) {
        return;
    }
    l->pending = NULL;
    l->sync_running = true;
    sync->fd_count = log_store_take_dirty(l->store, &sync->fds);
    if (deis_workers_run(l->workers, sync_work, sync_done, sync, &err) < 0) {
        sync_work(sync); /* the queue is for these only: can't be full */
        sync_done(sync);
    }
}

static void answer_after_sync(struct logger *l, struct deis_bus_call *call, uint64_t position)
{
    if (!l->pending) {
        l->pending = deis_alloc(sizeof(*l->pending));
        l->pending->logger = l;
    }
    struct syncing *sync = l->pending;
    sync->answers = deis_realloc_array(sync->answers, sync->count + 1, sizeof(*sync->answers));
    sync->answers[sync->count++] = (struct answer){ call, position };
    sync_next(l);
}

static bool is_line_valid(const Deis__LogLine *line)
{
    size_t process_len = strlen(line->process);

    return deis_str_is_label(deis_str(line->app)) && process_len > 0 &&
           process_len <= RECORD_NAME_MAX && deis_str_is_utf8(deis_str(line->process));
}

static int append_line(struct logger *l, struct deis_str source, const Deis__LogLine *line,
                       struct deis_err *err)
{
    struct record r = {
        .time_ms = line->time_ms,
        .position = line->position,
        .lost = line->lost,
        .source = source,
        .process = deis_str(line->process),
        .text = deis_str_first(deis_str_n((const char *)line->text.data, line->text.len),
                               RECORD_TEXT_MAX),
    };

    if (!is_line_valid(line)) {
        l->dropped++;
        deis_warn("line with a bad app or process name dropped", KV_V("source", source));
        return 0;
    }
    return log_store_append(l->store, deis_str(line->app), &r, err);
}

void logger_syncs_end(struct logger *l)
{
    struct syncing *sync = l->pending;

    if (sync) {
        l->pending = NULL;
        sync->fd_count = log_store_take_dirty(l->store, &sync->fds);
        sync_work(sync);
        sync_done(sync);
    }
}

void logger_append(struct deis_bus_call *call, const ProtobufCMessage *msg, void *arg)
{
    const Deis__LogAppend *m = (const Deis__LogAppend *)msg;
    struct logger *l = arg;
    struct deis_str source = deis_str(m->source);
    struct deis_err err = DEIS_ERR_INIT;

    if (source.len == 0 || source.len > RECORD_NAME_MAX || !deis_str_is_utf8(source) ||
        deis_str_find(source, '\n') >= 0) {
        deis_err_set(&err, DEIS_INVALID, "the name of the source is not valid");
        deis_bus_fail(call, &err);
        return;
    }
    uint64_t stored = sources_position(l->sources, source);
    for (size_t i = 0; i < m->n_lines; i++) {
        const Deis__LogLine *line = m->lines[i];
        if (line->position <= stored) {
            continue; /* a repeat */
        }
        if (append_line(l, source, line, &err) < 0) {
            deis_error("line not stored", KV_ERR(&err));
            if (log_store_is_broken(l->store)) {
                give_up(l, &err);
            }
            deis_bus_fail(call, &err);
            return;
        }
        stored = line->position;
        sources_store(l->sources, source, stored, deis_wall_ms());
        logger_wake(l, deis_str(line->app));
    }
    answer_after_sync(l, call, stored);
}
