/* SPDX-License-Identifier: MIT */
#include "scheduler/logship_priv.h"

#include "lib/base/clock.h"
#include "lib/net/log.h"

#include <errno.h>
#include <sys/inotify.h>
#include <unistd.h>

#define COALESCE_MS   50
#define TICK_MS       2000 /* unfinished lines are given out after that */
#define POLL_TICKS    5    /* every so many ticks all files are looked at */
#define SEND_MAX_MS   5000
#define RETRY_MS      250
#define RETRY_MAX_MS  5000
#define FINISH_MAX_MS 10000
#define IN_FLIGHT_MAX 16
#define MISSED_MAX    2

static void ship(struct shipped *l);

/* --- whose turn it is --- */

static void kick_within(struct logship *s, uint64_t ms)
{
    if (!s->stopping) {
        deis_timer_after(s->kick, ms);
    }
}

static uint64_t pause_left(const struct logship *s)
{
    uint64_t now = deis_now_ms();

    return s->pause_until_ms > now ? s->pause_until_ms - now : 0;
}

static void enqueue(struct shipped *l)
{
    struct logship *s = l->ship;

    l->queued = true;
    l->next = NULL;
    if (s->tail) {
        s->tail->next = l;
    } else {
        s->head = l;
    }
    s->tail = l;
}

void logship_queue(struct shipped *l)
{
    struct logship *s = l->ship;
    bool first = !s->head;

    if (l->queued || l->batch) {
        return;
    }
    enqueue(l);
    if (first) {
        uint64_t pause = pause_left(s);
        kick_within(s, pause > COALESCE_MS && !l->spooling ? pause : COALESCE_MS);
    }
}

static struct shipped *unqueue(struct logship *s)
{
    struct shipped *l = s->head;

    if (l) {
        s->head = l->next;
        s->tail = s->head ? s->tail : NULL;
        l->queued = false;
    }
    return l;
}

static void send_spool(struct logship *s);

static void on_kick(void *arg)
{
    struct logship *s = arg;
    struct shipped *last = s->tail, *l = NULL;

    while (l != last && (l = unqueue(s))) { /* each one once: a failed one queues again */
        unsigned limit = s->failures > 0 ? 1 : IN_FLIGHT_MAX;
        if (l->spooling || (s->in_flight < limit && pause_left(s) == 0)) {
            bool was_last = l == last;
            ship(l);
            l = was_last ? last : NULL;
        } else {
            enqueue(l);
        }
    }
    if (pause_left(s) == 0) {
        send_spool(s);
    } else if (s->head) {
        kick_within(s, pause_left(s));
    }
}

/* --- one log --- */

static void shipped_free(void *p)
{
    struct shipped *l = p;
    struct logship *s = l->ship;

    if (l->wd >= 0) {
        deis_map_remove(s->by_watch, deis_str_n((const char *)&l->wd, sizeof(l->wd)));
        inotify_rm_watch(s->inotify, l->wd);
    }
    logbatch_free(l->batch);
    logsource_free(l->source);
    deis_timer_free(l->deadline);
    free(l->id);
    free(l->app);
    free(l->process);
    free(l);
}

static void remove_from_queue(struct shipped *l)
{
    struct logship *s = l->ship;

    if (!l->queued) {
        return;
    }
    struct shipped **at = &s->head;
    s->tail = NULL;
    while (*at) {
        if (*at == l) {
            *at = l->next;
        } else {
            s->tail = *at;
            at = &(*at)->next;
        }
    }
    l->queued = false;
}

static void complete(struct shipped *l)
{
    struct logship *s = l->ship;
    void (*on_done)(void *arg) = l->on_done;
    void *arg = l->arg;

    if (l->spooling && s->spool) {
        logspool_finish(s->spool, l->id);
        kick_within(s, COALESCE_MS);
    }
    remove_from_queue(l);
    deis_map_remove(s->logs, deis_str(l->id));
    logship_save_soon(s);
    if (on_done) {
        on_done(arg);
    }
}

static void acknowledged(struct shipped *l)
{
    if (l->has_after) {
        l->safe = l->after;
        l->has_safe = true;
        logship_save_soon(l->ship);
    }
    logbatch_free(DEIS_TAKE(l->batch));
}

/* The logger has lines of this container with higher positions than those it was sent now. Where
 * they began is not known: rather a line twice than one that is taken for another. */
static bool is_behind(const struct shipped *l, const Deis__LogAppended *answer)
{
    const struct logbatch *b = l->batch;

    return logsource_is_unsure(l->source) && answer->position > b->lines[b->count - 1].position;
}

static void go_beyond(struct shipped *l, uint64_t position)
{
    struct logplace from = l->has_safe ? l->safe : (struct logplace){ 0 };

    deis_warn("lines of a container may come twice", KV_S("app", l->app), KV_S("container", l->id));
    from.base = position - from.offset;
    logbatch_free(DEIS_TAKE(l->batch));
    logsource_rewind(l->source, &from);
}

static void on_appended(const ProtobufCMessage *msg, const struct deis_err *err, void *arg)
{
    struct shipped *l = arg;
    struct logship *s = l->ship;

    s->in_flight--;
    if (s->stopping) {
        return;
    }
    if (err) {
        if (s->failures++ == 0) {
            deis_warn("the logger takes no lines, keeping them", KV_ERR(err));
        }
        logbatch_free(DEIS_TAKE(l->batch));
        logsource_rewind(l->source, l->has_safe ? &l->safe : NULL);
        if (l->finishing) {
            l->spooling = true;
        }
        s->pause_until_ms =
            deis_now_ms() + deis_backoff_ms(s->failures - 1, RETRY_MS, RETRY_MAX_MS);
    } else {
        if (s->failures > 0) {
            deis_info("the logger takes lines again");
        }
        s->failures = 0;
        const Deis__LogAppended *answer = (const Deis__LogAppended *)(const void *)msg;
        if (is_behind(l, answer)) {
            go_beyond(l, answer->position);
        } else {
            acknowledged(l);
        }
    }
    logship_queue(l);
    kick_within(s, l->spooling ? 0 : pause_left(s));
}

static void fail_now(struct shipped *l, enum deis_code code, const char *text)
{
    struct deis_err err = DEIS_ERR_INIT;

    deis_err_set(&err, code, "%s", text);
    l->ship->in_flight++;
    on_appended(NULL, &err, l);
}

static void send_batch(struct shipped *l)
{
    struct logship *s = l->ship;
    char address[DEIS_KEY_MAX];

    if (!deis_directory_find(s->ctx->directory, "logger", "bus", address)) {
        fail_now(l, DEIS_UNAVAILABLE, "no logger is registered");
        return;
    }
    s->in_flight++;
    deis_bus_send(s->ctx->bus, address, "logger.append", NULL, &l->batch->message.base,
                  &deis__log_appended__descriptor, SEND_MAX_MS, on_appended, l);
}

/* Its lines count as handed over once the spool's file is finished, not before: an agent that is
 * killed in between begins anew. */
static void spool_batch(struct shipped *l)
{
    struct deis_err err = DEIS_ERR_INIT;

    if (!l->ship->spool || logspool_add(l->ship->spool, l->id, l->batch, &err) < 0) {
        deis_error("lines of a removed container are lost", KV_S("app", l->app),
                   KV_I("lines", l->batch->count), KV_ERR(&err));
    }
    logbatch_free(DEIS_TAKE(l->batch));
}

/* Must it wait until its beginning is on disk? */
static bool is_held(struct shipped *l)
{
    if (!l->has_safe && logsource_begin(l->source, &l->safe)) {
        l->has_safe = true;
        l->beginning = BEGINNING_NEW;
        logship_save_now(l->ship);
    }
    return l->beginning != BEGINNING_FREE;
}

/* Read what is there and hand it over. No batch is under way. */
static void ship(struct shipped *l)
{
    if (is_held(l)) {
        return;
    }
    struct logbatch *b = logbatch_new();
    bool more = logsource_read(l->source, b);

    l->active = true;
    if ((l->flush || (l->finishing && !more)) && logsource_is_pending(l->source) && !more) {
        logsource_flush(l->source, b);
    }
    l->flush = false;
    if (b->count == 0) {
        logbatch_free(b);
        if (l->finishing) {
            complete(l);
        }
        return;
    }
    l->has_after = logsource_place(l->source, &l->after);
    l->batch = b;
    logbatch_close(b, l->id, l->app, l->process);
    if (l->spooling) {
        spool_batch(l);
        logship_queue(l);
        kick_within(l->ship, 0);
    } else {
        send_batch(l);
    }
}

/* --- the spool --- */

static void on_spool_sent(const ProtobufCMessage *msg, const struct deis_err *err, void *arg)
{
    struct logship *s = arg;

    s->spool_sending = false;
    if (s->stopping) {
        return;
    }
    if (err) {
        s->pause_until_ms = deis_now_ms() + deis_backoff_ms(s->failures++, RETRY_MS, RETRY_MAX_MS);
        kick_within(s, pause_left(s));
        return;
    }
    s->failures = 0;
    logspool_sent(s->spool);
    kick_within(s, 0);
}

static void send_spool(struct logship *s)
{
    char address[DEIS_KEY_MAX];
    Deis__LogAppend *message;

    if (s->spool_sending || !s->spool ||
        !deis_directory_find(s->ctx->directory, "logger", "bus", address) ||
        !(message = logspool_next(s->spool))) {
        return;
    }
    s->spool_sending = true;
    deis_bus_send(s->ctx->bus, address, "logger.append", NULL, &message->base,
                  &deis__log_appended__descriptor, SEND_MAX_MS, on_spool_sent, s);
}

/* --- changes of files --- */

static void on_inotify(evutil_socket_t fd, short what, void *arg)
{
    struct logship *s = arg;
    char buf[4096] __attribute__((aligned(8)));
    ssize_t n;

    while ((n = read(fd, buf, sizeof(buf))) > 0) {
        for (ssize_t at = 0; at < n;) {
            const struct inotify_event *ev = (const struct inotify_event *)(buf + at);
            struct shipped *l =
                deis_map_get(s->by_watch, deis_str_n((const char *)&ev->wd, sizeof(ev->wd)));
            if (l && (ev->mask & IN_IGNORED)) {
                deis_map_remove(s->by_watch, deis_str_n((const char *)&ev->wd, sizeof(ev->wd)));
                l->wd = -1;
            } else if (l) {
                logship_queue(l);
            }
            at += (ssize_t)(sizeof(*ev) + ev->len);
        }
    }
}

static void watch_folder(struct shipped *l)
{
    struct logship *s = l->ship;

    l->wd = inotify_add_watch(s->inotify, logsource_folder(l->source),
                              IN_MODIFY | IN_CREATE | IN_ONLYDIR);
    if (l->wd >= 0) {
        deis_map_set(s->by_watch, deis_str_n((const char *)&l->wd, sizeof(l->wd)), l);
    }
}

static void on_tick(void *arg)
{
    struct logship *s = arg;
    bool poll = ++s->ticks % POLL_TICKS == 0;
    size_t cursor = 0;
    struct deis_str id;
    void *value;

    while (deis_map_next(s->logs, &cursor, &id, &value)) {
        struct shipped *l = value;
        if (l->wd < 0) {
            watch_folder(l);
        }
        if (logsource_is_pending(l->source) && !l->batch && !l->active) {
            l->flush = true;
            logship_queue(l);
        } else if (poll) {
            logship_queue(l);
        }
        l->active = false;
    }
    if (poll) {
        kick_within(s, COALESCE_MS);
    }
}

/* --- interface --- */

void logship_add(struct logship *s, const char *container, const char *app, const char *process)
{
    struct deis_str id = deis_str(container);
    struct logplace place;

    if (id.len == 0 || deis_map_get(s->logs, id)) {
        return;
    }
    struct shipped *l = deis_alloc(sizeof(*l));
    l->ship = s;
    l->id = deis_str_dup(id);
    l->app = deis_strdup(app);
    l->process = deis_strdup(process);
    const json_t *from = json_object_get(s->saved, container);
    if (from && logplace_parse(from, &place, NULL) == 0) {
        l->safe = place;
        l->has_safe = true;
    }
    json_object_del(s->saved, container);
    l->source =
        logsource_new(s->ctx->settings->docker_root, container, l->has_safe ? &l->safe : NULL);
    watch_folder(l);
    deis_map_set(s->logs, id, l);
    logship_queue(l);
}

void logship_ended(struct logship *s, const char *container)
{
    struct shipped *l = deis_map_get(s->logs, deis_str(container));

    if (l) {
        l->flush = true;
        logship_queue(l);
    }
}

static void on_deadline(void *arg)
{
    struct shipped *l = arg;

    l->spooling = true;
    if (!l->batch) { /* else the answer, or its time-out, goes on */
        logship_queue(l);
        kick_within(l->ship, 0);
    }
}

void logship_finish(struct logship *s, const char *container, void (*on_done)(void *arg), void *arg)
{
    struct shipped *l = deis_map_get(s->logs, deis_str(container));

    if (!l) {
        deis_loop_post(s->ctx->loop, on_done, arg);
        return;
    }
    l->finishing = true;
    l->spooling = s->failures > 0;
    l->on_done = on_done;
    l->arg = arg;
    l->deadline = deis_timer_new(s->ctx->loop, on_deadline, l);
    deis_timer_after(l->deadline, FINISH_MAX_MS - SEND_MAX_MS);
    logship_queue(l);
    kick_within(s, 0);
}

void logship_prune(struct logship *s, bool (*exists)(struct deis_str container, void *arg),
                   void *arg)
{
    const char *id;
    json_t *value;
    void *next, *entry;
    size_t cursor = 0;
    struct deis_str name;

    json_object_foreach_safe(s->saved, next, id, value)
    {
        if (!exists(deis_str(id), arg)) {
            json_object_del(s->saved, id);
            logship_save_soon(s);
        }
    }
    while (deis_map_next(s->logs, &cursor, &name, &entry)) {
        struct shipped *l = entry;
        l->missed = exists(name, arg) ? 0 : l->missed + 1;
        if (l->missed == MISSED_MAX && !l->finishing) { /* removed behind our back */
            l->finishing = true;
            logship_queue(l);
        }
    }
}

struct logship *logship_start(const struct context *ctx)
{
    struct logship *s = deis_alloc(sizeof(*s));
    struct deis_err err = DEIS_ERR_INIT;

    s->ctx = ctx;
    s->by_watch = deis_map_new(NULL);
    s->logs = deis_map_new(shipped_free);
    logship_saved_start(s);
    s->spool = logspool_open(ctx->settings->data_dir, &err);
    if (!s->spool) {
        deis_error("no log spool", KV_ERR(&err));
    }
    s->kick = deis_timer_new(ctx->loop, on_kick, s);
    s->tick = deis_timer_new(ctx->loop, on_tick, s);
    deis_timer_every(s->tick, TICK_MS);
    s->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (s->inotify >= 0) {
        s->inotify_event =
            event_new(deis_loop_base(ctx->loop), s->inotify, EV_READ | EV_PERSIST, on_inotify, s);
        event_add(s->inotify_event, NULL);
    } else {
        deis_warn("no inotify: logs are polled");
    }
    kick_within(s, COALESCE_MS);
    return s;
}

void logship_stop(struct logship *s)
{
    if (!s) {
        return;
    }
    s->stopping = true;
    logship_saved_stop(s);
    deis_map_free(s->logs);
    deis_map_free(s->by_watch);
    logspool_close(s->spool);
    deis_timer_free(s->kick);
    deis_timer_free(s->tick);
    if (s->inotify_event) {
        event_free(s->inotify_event);
    }
    deis_autoclose_(&s->inotify);
    free(s);
}
