/* SPDX-License-Identifier: MIT */
/*
 * A watch is a list, then a stream of lines from the revision after it. What curl delivers is only
 * stored; all decisions and all callbacks to the owner run from a timer, so that the owner may do
 * anything there, stop the watch included.
 */
#include "lib/etcd/etcd_client.h"
#include "lib/etcd/watch_mirror.h"
#include "lib/net/log.h"

#include <assert.h>

#define LIST_TIMEOUT_MS    5000u
#define CREATED_TIMEOUT_MS 5000u  /* a request that etcd misunderstands is never answered */
#define SILENCE_MAX_MS     20000u /* etcd reports progress more often */
#define BACKOFF_MS         100u
#define BACKOFF_MAX_MS     2000u
#define LIST_BYTES_MAX     ((size_t)16 * 1024 * 1024)
#define LINES_BYTES_MAX    ((size_t)8 * 1024 * 1024)
#define KEEP_BYTES         ((size_t)32 * 1024) /* of an empty input buffer */

struct deis_etcd_watch {
    struct deis_etcd *etcd;
    struct deis_loop *loop;
    char *below; /* what etcd is asked to tell of */
    char **prefixes;
    size_t prefix_count;
    struct deis_etcd_watch_ops ops;
    void *arg;

    enum { WAITING, LISTING, OPENING, LIVE } state;
    struct deis_httpc_streams *streams;
    struct deis_httpc_stream *stream; /* NULL: none, or over */
    unsigned endpoint;                /* that the stream goes to */
    struct deis_timer *retry;         /* in WAITING */
    struct deis_timer *deadline;      /* in OPENING and LIVE */
    struct deis_timer *arrived;       /* something of the stream is to be handled */
    unsigned attempt;

    struct deis_buf in; /* of the stream, not handled yet */
    size_t scanned;     /* bytes of in that hold no line end */
    int status;
    bool over; /* the stream has ended, and over_err says how */
    struct deis_err over_err;

    bool must_list;
    struct deis_etcd_pager pager; /* in LISTING */
    size_t listed;                /* prefixes */

    struct deis_etcd_mirror mirror;
    int64_t cursor; /* all up to this revision was reported */
    uint64_t cluster_id;
    bool dirty;     /* changes were reported since on_synced */
    bool in_pieces; /* in the middle of a fragmented answer */

    enum { UNTOLD, TOLD_AWAY, TOLD_CONNECTED } told;

    bool busy;    /* in a callback of ours */
    bool stopped; /* while busy */
};

/* --- the owner is told --- */

static void tell_state(struct deis_etcd_watch *w, bool connected, const struct deis_err *why)
{
    int told = connected ? TOLD_CONNECTED : TOLD_AWAY;

    if ((int)w->told == told) {
        return;
    }
    if (!connected) {
        deis_warn("watch on etcd is interrupted", KV_S("prefix", w->below), KV_ERR(why));
    } else if (w->told == TOLD_AWAY) {
        deis_info("watch on etcd goes on", KV_S("prefix", w->below));
    }
    w->told = connected ? TOLD_CONNECTED : TOLD_AWAY;
    if (w->ops.on_state && !w->stopped) {
        w->ops.on_state(connected, w->arg);
    }
}

static void tell_change(struct deis_etcd_watch *w, const struct deis_etcd_kv *kv, bool deleted)
{
    w->dirty = true;
    if (!w->stopped) {
        w->ops.on_change(kv, deleted, w->arg);
    }
}

static void tell_synced(struct deis_etcd_watch *w)
{
    w->dirty = false;
    if (!w->stopped) {
        w->ops.on_synced(w->cursor, w->arg);
    }
}

/* --- the mirror --- */

static void take_put(struct deis_etcd_watch *w, const struct deis_etcd_kv *kv)
{
    if (deis_etcd_mirror_put(&w->mirror, deis_str(kv->key), kv->mod_revision)) {
        tell_change(w, kv, false);
    }
}

static void take_deletion(struct deis_etcd_watch *w, const struct deis_etcd_kv *kv)
{
    if (deis_etcd_mirror_remove(&w->mirror, deis_str(kv->key))) {
        tell_change(w, kv, true);
    }
}

static void drop_unlisted(struct deis_etcd_watch *w)
{
    size_t cursor = 0;
    char *key;

    while ((key = deis_etcd_mirror_drop_unlisted(&w->mirror, &cursor))) {
        const struct deis_etcd_kv kv = {
            .key = key,
            .value = DEIS_STR(""),
            .mod_revision = w->pager.revision,
        };
        tell_change(w, &kv, true);
        free(key);
    }
}

static bool is_followed(const struct deis_etcd_watch *w, const char *key)
{
    for (size_t i = 0; i < w->prefix_count; i++) {
        if (deis_str_starts(deis_str(key), w->prefixes[i])) {
            return true;
        }
    }
    return false;
}

/* --- streams --- */

static bool on_data(int status, struct deis_str data, void *arg)
{
    struct deis_etcd_watch *w = arg;

    w->status = status;
    deis_buf_add_str(&w->in, data);
    if (w->state == LIVE) {
        deis_timer_after(w->deadline, SILENCE_MAX_MS);
    }
    deis_timer_after(w->arrived, 0);
    return !deis_buf_failed(&w->in);
}

static void on_done(int status, const struct deis_err *err, void *arg)
{
    struct deis_etcd_watch *w = arg;

    if (!w->stream) {
        return; /* cancelled by us */
    }
    w->stream = NULL;
    w->over = true;
    w->status = status;
    w->over_err = err ? *err : (struct deis_err)DEIS_ERR_INIT;
    deis_timer_after(w->arrived, 0);
}

static void drop_stream(struct deis_etcd_watch *w)
{
    struct deis_httpc_stream *st = DEIS_TAKE(w->stream);

    if (st) {
        deis_httpc_stream_cancel(st);
    }
    deis_timer_cancel(w->deadline);
    deis_timer_cancel(w->arrived);
    deis_buf_clear(&w->in);
    w->scanned = 0;
    w->over = false;
}

static void start_stream(struct deis_etcd_watch *w, const char *path, const struct deis_buf *body,
                         uint64_t timeout_ms, size_t input_max)
{
    static const char *const headers[] = { "Content-Type: application/json", DEIS_ETCD_HAS_LEADER,
                                           NULL };
    w->endpoint = deis_etcd_preferred(w->etcd);
    deis_autofree char *url =
        deis_asprintf("%s/v3/%s", deis_etcd_endpoint(w->etcd, w->endpoint), path);
    const struct deis_httpc_request req = {
        .method = "POST",
        .url = url,
        .headers = headers,
        .body = deis_buf_str(body),
        .timeout_ms = timeout_ms,
        .connect_timeout_ms = DEIS_ETCD_CONNECT_MS,
        .on_data = on_data,
        .arg = w,
        .tls = deis_etcd_tls(w->etcd),
    };

    drop_stream(w);
    deis_buf_init(&w->in, input_max);
    w->stream = deis_httpc_stream_start(w->streams, &req, on_done);
}

/* Begin again after a while. */
static void retry_later(struct deis_etcd_watch *w, const struct deis_err *why)
{
    drop_stream(w);
    deis_etcd_pager_clear(&w->pager);
    w->state = WAITING;
    deis_timer_after(w->retry, deis_backoff_ms(w->attempt, BACKOFF_MS, BACKOFF_MAX_MS));
    w->attempt++;
    tell_state(w, false, why);
}

static void fail(struct deis_etcd_watch *w, const struct deis_err *why)
{
    deis_etcd_avoid(w->etcd, w->endpoint);
    retry_later(w, why);
}

/* --- list --- */

static void request_page(struct deis_etcd_watch *w)
{
    deis_autobuf struct deis_buf body = DEIS_BUF_INIT(DEIS_ETCD_BODY_MAX);
    deis_etcd_pager_request(&w->pager, &body);
    start_stream(w, "kv/range", &body, LIST_TIMEOUT_MS, LIST_BYTES_MAX);
}

static void start_list(struct deis_etcd_watch *w)
{
    deis_etcd_pager_clear(&w->pager);
    deis_etcd_pager_init(&w->pager, deis_str(w->prefixes[0]), 0, false);
    w->state = LISTING;
    w->must_list = true;
    w->listed = 0;
    deis_etcd_mirror_begin_list(&w->mirror);
    request_page(w);
}

static void open_stream(struct deis_etcd_watch *w);

static void finish_list(struct deis_etcd_watch *w)
{
    drop_unlisted(w);
    w->cursor = w->pager.revision;
    w->cluster_id = w->pager.cluster_id;
    w->mirror.reset = false;
    w->must_list = false;
    deis_etcd_pager_clear(&w->pager);
    tell_synced(w);
    if (!w->stopped) {
        open_stream(w);
    }
}

static void take_page(struct deis_etcd_watch *w)
{
    struct deis_etcd_range page = { 0 };
    struct deis_err err = DEIS_ERR_INIT;

    if (deis_etcd_pager_answer(&w->pager, deis_buf_str(&w->in), &page, &err) < 0) {
        deis_etcd_range_clear(&page);
        fail(w, &err);
        return;
    }
    if (w->cluster_id != 0 &&
        (w->pager.cluster_id != w->cluster_id || w->pager.revision < w->cursor)) {
        w->mirror.reset = true;
    }
    deis_buf_clear(&w->in);
    for (size_t i = 0; i < page.count; i++) {
        take_put(w, &page.kvs[i]);
    }
    deis_etcd_range_clear(&page);
    if (w->stopped) {
        return;
    }
    if (w->pager.done && ++w->listed < w->prefix_count) {
        deis_etcd_pager_turn_to(&w->pager, deis_str(w->prefixes[w->listed]));
    }
    if (w->pager.done) {
        finish_list(w);
    } else {
        request_page(w);
    }
}

static void handle_list(struct deis_etcd_watch *w)
{
    struct deis_err err = w->over_err;

    if (!w->over) {
        return;
    }
    if (deis_buf_failed(&w->in) && deis_etcd_pager_shrink(&w->pager)) {
        request_page(w);
        return;
    }
    if (err.code != DEIS_OK) {
        fail(w, &err);
    } else if (w->status == 200) {
        take_page(w);
    } else if (deis_etcd_decode_error(w->status, deis_buf_str(&w->in), &err) ==
               DEIS_ETCD_COMPACTED) {
        retry_later(w, &err);
    } else {
        fail(w, &err);
    }
}

/* --- stream --- */

static void open_stream(struct deis_etcd_watch *w)
{
    deis_autobuf struct deis_buf body = DEIS_BUF_INIT(DEIS_ETCD_BODY_MAX);

    deis_etcd_encode_watch(deis_str(w->below), w->cursor + 1, &body);
    start_stream(w, "watch", &body, 0, LINES_BYTES_MAX);
    w->state = OPENING;
    w->in_pieces = false;
    deis_timer_after(w->deadline, CREATED_TIMEOUT_MS);
}

static void list_again(struct deis_etcd_watch *w, const char *why)
{
    struct deis_err err = DEIS_ERR_INIT;

    deis_err_set(&err, DEIS_CONFLICT, "%s", why);
    w->must_list = true;
    retry_later(w, &err);
}

static void take_created(struct deis_etcd_watch *w, const struct deis_etcd_watch_line *line)
{
    if (line->header.cluster_id != w->cluster_id || line->header.revision < w->cursor) {
        list_again(w, "etcd's history is not the one that was watched");
        return;
    }
    w->state = LIVE;
    w->attempt = 0;
    deis_timer_after(w->deadline, SILENCE_MAX_MS);
    tell_state(w, true, NULL);
}

static void take_events(struct deis_etcd_watch *w, const struct deis_etcd_watch_line *line)
{
    for (size_t i = 0; i < line->count; i++) {
        const struct deis_etcd_event *ev = &line->events[i];
        if (ev->kv.mod_revision <= w->cursor || !is_followed(w, ev->kv.key)) {
            continue;
        }
        if (ev->deleted) {
            take_deletion(w, &ev->kv);
        } else {
            take_put(w, &ev->kv);
        }
    }
    w->in_pieces = line->fragment;
    if (line->count == 0) {
        /* Progress: everything up to the header's revision was sent. */
        if (!line->fragment && line->header.revision > w->cursor) {
            w->cursor = line->header.revision;
        }
        return;
    }
    /* More of the last revision may be in the next fragment; of those before it all has come. */
    int64_t last = line->events[line->count - 1].kv.mod_revision - (line->fragment ? 1 : 0);
    if (last > w->cursor) {
        w->cursor = last;
    }
}

/* false: the stream is given up. */
static bool take_line(struct deis_etcd_watch *w, struct deis_str text)
{
    struct deis_etcd_watch_line line;
    struct deis_err err = DEIS_ERR_INIT;

    text = deis_str_trim(text);
    if (text.len == 0) {
        return true;
    }
    if (deis_etcd_decode_watch_line(text, &line, &err) < 0) {
        fail(w, &err);
        return false;
    }
    if (line.canceled && line.compact_revision != 0) {
        list_again(w, "etcd has compacted what was not seen yet");
    } else if (line.canceled) {
        deis_err_set(&err, DEIS_UNAVAILABLE, "etcd refused the watch: %s", line.reason);
        fail(w, &err);
    } else if (line.created) {
        take_created(w, &line);
    } else if (w->state == LIVE) {
        take_events(w, &line);
    }
    deis_etcd_watch_line_clear(&line);
    return w->state == OPENING || w->state == LIVE;
}

/* Handle the complete lines; false: the stream is given up. */
static bool take_lines(struct deis_etcd_watch *w)
{
    size_t used = 0;

    for (;;) {
        struct deis_str rest = deis_str_skip(deis_buf_str(&w->in), used);
        ptrdiff_t end = deis_str_find(deis_str_skip(rest, w->scanned), '\n');
        if (end < 0) {
            break;
        }
        size_t len = w->scanned + (size_t)end;
        w->scanned = 0;
        if (!take_line(w, deis_str_first(rest, len))) {
            return false;
        }
        if (w->stopped) {
            return false;
        }
        used += len + 1;
    }
    w->scanned = w->in.len - used;
    if (used == w->in.len && w->in.cap > KEEP_BYTES) {
        deis_buf_clear(&w->in);
    } else if (used > 0) {
        deis_buf_drain(&w->in, used);
    }
    return true;
}

static void handle_lines(struct deis_etcd_watch *w)
{
    if (deis_buf_failed(&w->in)) {
        list_again(w, "etcd sent more at once than is taken");
        return;
    }
    if (w->over && w->status != 0 && w->status != 200) {
        deis_etcd_decode_error(w->status, deis_buf_str(&w->in), &w->over_err);
        fail(w, &w->over_err);
        return;
    }
    if (w->status != 200 && !w->over) {
        return;
    }
    bool goes_on = take_lines(w);
    if (w->dirty && !w->in_pieces && !w->stopped) {
        tell_synced(w);
    }
    if (!goes_on || !w->over || w->stopped) {
        return;
    }
    /* The last line may lack its end: it tells why the stream ended. */
    struct deis_err err = w->over_err;
    if (!take_line(w, deis_buf_str(&w->in)) || w->stopped) {
        return;
    }
    if (err.code == DEIS_OK) {
        deis_err_set(&err, DEIS_UNAVAILABLE, "etcd ended the watch");
    }
    fail(w, &err);
}

/* --- timers: each enters and leaves, so that the owner may stop the watch meanwhile --- */

static void leave(struct deis_etcd_watch *w)
{
    w->busy = false;
    if (w->stopped) {
        deis_etcd_watch_stop(w);
    }
}

static void on_arrived(void *arg)
{
    struct deis_etcd_watch *w = arg;

    w->busy = true;
    if (w->state == LISTING) {
        handle_list(w);
    } else if (w->state == OPENING || w->state == LIVE) {
        handle_lines(w);
    }
    leave(w);
}

static void on_deadline(void *arg)
{
    struct deis_etcd_watch *w = arg;
    struct deis_err err = DEIS_ERR_INIT;

    w->busy = true;
    deis_err_set(&err, DEIS_TIMEOUT, "etcd has said nothing for %u s",
                 (w->state == LIVE ? SILENCE_MAX_MS : CREATED_TIMEOUT_MS) / 1000);
    fail(w, &err);
    leave(w);
}

static void on_retry(void *arg)
{
    struct deis_etcd_watch *w = arg;

    w->busy = true;
    if (w->must_list) {
        start_list(w);
    } else {
        open_stream(w);
    }
    leave(w);
}

/* --- life --- */

struct deis_etcd_watch *deis_etcd_watch_start_several(struct deis_etcd *e, struct deis_loop *loop,
                                                      const char *below,
                                                      const char *const *prefixes, size_t count,
                                                      const struct deis_etcd_watch_ops *ops,
                                                      void *arg)
{
    struct deis_etcd_watch *w = deis_alloc(sizeof(*w));

    assert(count > 0);
    w->etcd = e;
    w->loop = loop;
    w->below = deis_strdup(below);
    w->prefixes = deis_alloc(count * sizeof(*w->prefixes));
    for (; w->prefix_count < count; w->prefix_count++) {
        w->prefixes[w->prefix_count] = deis_asprintf("%s%s", below, prefixes[w->prefix_count]);
    }
    w->ops = *ops;
    w->arg = arg;
    w->streams = deis_etcd_streams_ref(e, loop);
    w->retry = deis_timer_new(loop, on_retry, w);
    w->deadline = deis_timer_new(loop, on_deadline, w);
    w->arrived = deis_timer_new(loop, on_arrived, w);
    deis_buf_init(&w->in, LINES_BYTES_MAX);
    deis_etcd_mirror_init(&w->mirror);
    w->must_list = true;
    deis_timer_after(w->retry, 0);
    return w;
}

struct deis_etcd_watch *deis_etcd_watch_start(struct deis_etcd *e, struct deis_loop *loop,
                                              const char *prefix,
                                              const struct deis_etcd_watch_ops *ops, void *arg)
{
    static const char *const all[] = { "" };

    return deis_etcd_watch_start_several(e, loop, prefix, all, DEIS_COUNT(all), ops, arg);
}

void deis_etcd_watch_stop(struct deis_etcd_watch *w)
{
    if (!w) {
        return;
    }
    if (w->busy) {
        w->stopped = true;
        return;
    }
    drop_stream(w);
    deis_timer_free(w->retry);
    deis_timer_free(w->deadline);
    deis_timer_free(w->arrived);
    deis_etcd_streams_unref(w->etcd);
    deis_etcd_pager_clear(&w->pager);
    deis_buf_clear(&w->in);
    deis_etcd_mirror_clear(&w->mirror);
    for (size_t i = 0; i < w->prefix_count; i++) {
        free(w->prefixes[i]);
    }
    free(w->prefixes);
    free(w->below);
    free(w);
}

uint64_t deis_etcd_watch_cluster(const struct deis_etcd_watch *w)
{
    return w->cluster_id;
}
