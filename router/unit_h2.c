/* SPDX-License-Identifier: MIT */
#include "router/exchange.h"
#include "router/h2_fields.h"
#include "router/sock.h"
#include "router/unit_h2_priv.h"

enum {
    WINDOW = 96 * 1024, /* so that what is not read fits a buffer, beside a head */
    READ_MAX = 64 * 1024,
    OUT_ENOUGH = 64 * 1024,
};

struct unit_h2_shared {
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
};

static struct exchange *exchange_of(const struct unit_h2 *h)
{
    return h->up->exchange;
}

static bool is_ours(const struct unit_h2 *h, int32_t stream)
{
    return h->stream != 0 && h->stream == stream;
}

/* --- what comes in --- */

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct unit_h2 *h = arg;

    if (is_ours(h, frame->hd.stream_id)) {
        h->head = (struct h2_answer){ .accept = h->websocket ? h->accept : NULL };
        bytes_release(&h->worker->pool, &h->block);
        h->heading = !h->final;
    }
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *arg)
{
    struct unit_h2 *h = arg;
    struct bufpool *pool = &h->worker->pool;
    struct deis_str n = deis_str_n((const char *)name, name_len);
    struct deis_str v = deis_str_n((const char *)value, value_len);

    if (!is_ours(h, frame->hd.stream_id)) {
        return 0;
    }
    if (h->heading) {
        if (!bytes_reserve(pool, &h->block, h->head.len + name_len + value_len + H2_ANSWER_EXTRA)) {
            h->head.bad = true;
            return 0;
        }
        h2_answer_add(&h->head, h->block.data, n, v);
        h->block.len = (uint32_t)h->head.len;
    } else {
        h2_trailers_add(pool, &h->trailers, n, v);
    }
    return 0;
}

static bool add_text(struct unit_h2 *h, const void *data, size_t len)
{
    struct bytes *b = &h->text;

    if (b->off > 0 && b->len + len > b->cap) {
        memmove(b->data, b->data + b->off, b->len - b->off);
        b->len -= b->off;
        b->off = 0;
    }
    return bytes_add(&h->worker->pool, b, data, len);
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t len, void *arg)
{
    struct unit_h2 *h = arg;

    if (!is_ours(h, id)) {
        return nghttp2_session_consume(session, id, len) == 0 ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    if (len > 0) {
        h->body = true;
        h->failed = h->failed || !add_text(h, data, len);
    }
    return 0;
}

static void on_head(struct unit_h2 *h, bool ends)
{
    const struct exchange *x = exchange_of(h);
    struct bufpool *pool = &h->worker->pool;

    if (!bytes_reserve(pool, &h->block, h->head.len + H2_ANSWER_EXTRA) ||
        !h2_answer_finish(&h->head, h->block.data,
                          ends && x && !x->head_only && !x->client->stream) ||
        !add_text(h, h->block.data, h->head.len)) {
        h->failed = true;
    }
    h->heads += h->head.len;
    bytes_release(pool, &h->block);
    h->final = h->head.status >= 200;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct unit_h2 *h = arg;
    bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;

    if (frame->hd.type == NGHTTP2_SETTINGS && (frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) {
        h->settled = true;
    }
    if (!is_ours(h, frame->hd.stream_id)) {
        return 0;
    }
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        if (h->heading) {
            on_head(h, ends);
        }
        h->ended = h->ended || ends;
        break;
    case NGHTTP2_DATA: h->ended = h->ended || ends; break;
    default: break;
    }
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t error, void *arg)
{
    struct unit_h2 *h = arg;

    if (is_ours(h, id)) {
        h->closed = true;
        h->refused = error == NGHTTP2_REFUSED_STREAM;
        h->failed = h->failed || !h->ended;
    }
    return 0;
}

/* --- what goes out --- */

/* A WebSocket that is not granted yet has nothing to end. */
static bool has_ended(const struct unit_h2 *h, const struct exchange *x)
{
    return x->request_done && (!h->websocket || x->tunnel);
}

ssize_t unit_h2_read_body(nghttp2_session *session, int32_t id, uint8_t *buf, size_t len,
                          uint32_t *flags, nghttp2_data_source *source, void *arg)
{
    struct unit_h2 *h = arg;
    struct exchange *x = exchange_of(h);

    if (!x || !is_ours(h, id)) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    struct bytes *b = &x->to_unit;
    size_t there = b->len - b->off;
    size_t n = there < len ? there : len;
    if (there == 0 && !has_ended(h, x)) {
        h->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    if (n > 0) {
        memcpy(buf, b->data + b->off, n);
        b->off += (uint32_t)n;
    }
    if (b->off == b->len) {
        bytes_release(&h->worker->pool, b);
        if (has_ended(h, x)) {
            *flags |= NGHTTP2_DATA_FLAG_EOF;
            *flags |= h2_trailers_submit(session, id, &x->request_trailers)
                          ? NGHTTP2_DATA_FLAG_NO_END_STREAM
                          : 0;
        }
    }
    return (ssize_t)n;
}

/* Frames into worker->out; how many bytes, -1: the session is broken. */
static ssize_t gather(struct unit_h2 *h)
{
    size_t filled = 0;

    while (filled < OUT_ENOUGH) {
        const uint8_t *data;
        ssize_t n = nghttp2_session_mem_send(h->session, &data);
        if (n < 0) {
            errno = EPROTO;
            return -1;
        }
        if (n == 0) {
            break;
        }
        memcpy(h->worker->out + filled, data, (size_t)n);
        filled += (size_t)n;
    }
    return (ssize_t)filled;
}

/* False: the socket takes no more, or (errno other than EAGAIN) is broken. */
static bool send_some(struct unit_h2 *h, const char *data, size_t len, size_t *ret_sent)
{
    ssize_t n = sock_send(h->up->fd, data, len);

    *ret_sent = n > 0 ? (size_t)n : 0;
    h->sent = h->sent || n > 0;
    return n >= 0 && (size_t)n == len;
}

/* A broken socket would be reported as writable for ever. */
static enum unit_h2_sent broken(const struct unit_h2 *h)
{
    int saved = errno;

    event_del(&h->up->writable);
    errno = saved;
    return UNIT_H2_BROKEN;
}

static enum unit_h2_sent blocked(const struct unit_h2 *h, size_t sent)
{
    if (sent == 0 && !sock_would_block()) {
        return broken(h);
    }
    event_add(&h->up->writable, NULL);
    return UNIT_H2_HELD;
}

enum unit_h2_sent unit_h2_send(struct unit_h2 *h)
{
    struct exchange *x = exchange_of(h);
    struct bytes *b = &h->out;
    size_t sent;
    ssize_t n;

    if (h->deferred && x && (has_ended(h, x) || x->to_unit.len > 0)) {
        h->deferred = false;
        (void)nghttp2_session_resume_data(h->session, h->stream);
    }
    if (b->len > 0) {
        bool all = send_some(h, b->data + b->off, b->len - b->off, &sent);
        b->off += (uint32_t)sent;
        if (!all) {
            return blocked(h, sent);
        }
        bytes_release(&h->worker->pool, b);
    }
    while ((n = gather(h)) > 0) {
        if (!send_some(h, h->worker->out, (size_t)n, &sent)) {
            enum unit_h2_sent outcome = blocked(h, sent);
            if (outcome == UNIT_H2_HELD &&
                !bytes_add(&h->worker->pool, b, h->worker->out + sent, (size_t)n - sent)) {
                errno = ENOBUFS;
                return broken(h);
            }
            return outcome;
        }
    }
    if (n < 0) {
        return broken(h);
    }
    event_del(&h->up->writable);
    return x && x->to_unit.len > 0 ? UNIT_H2_HELD : UNIT_H2_SENT;
}

/* --- for the exchange --- */

/* False: nothing more is to be had. */
static bool take_input(struct unit_h2 *h)
{
    ssize_t n = sock_recv(h->up->fd, h->worker->out, READ_MAX);

    if (n < 0 && sock_would_block()) {
        return true;
    }
    if (n <= 0 ||
        nghttp2_session_mem_recv(h->session, (const uint8_t *)h->worker->out, (size_t)n) < 0) {
        h->failed = h->failed || !h->ended;
        return false;
    }
    return true;
}

bool unit_h2_has_more(const struct unit_h2 *h)
{
    return h->text.len > h->text.off || h->ended || h->failed;
}

/* Send what has become possible, or due. */
static void go_on(struct unit_h2 *h)
{
    struct exchange *x = exchange_of(h);

    if (unit_h2_send(h) == UNIT_H2_BROKEN) {
        h->failed = h->failed || !h->ended;
    }
    if (!x->request_done && x->to_unit.len == 0) {
        client_read_enable(x->client, true);
    }
}

bool unit_h2_read_on(struct unit_h2 *h)
{
    bool more = take_input(h);

    if (more) {
        go_on(h);
    }
    if (!nghttp2_session_want_read(h->session)) {
        more = false; /* what the unit sent was against the rules, and it has been told so */
        h->failed = h->failed || !h->ended;
    }
    return more;
}

/* The first n bytes of the text were read. */
static void took_text(struct unit_h2 *h, size_t n)
{
    struct bytes *b = &h->text;
    size_t of_heads = n < h->heads ? n : h->heads;

    b->off += (uint32_t)n;
    if (b->off == b->len) {
        bytes_release(&h->worker->pool, b);
    }
    h->heads -= of_heads;
    (void)nghttp2_session_consume(h->session, h->stream, n - of_heads);
    if (nghttp2_session_want_write(h->session)) {
        go_on(h); /* with the credit */
    }
}

ssize_t unit_h2_recv(struct unit_h2 *h, void *data, size_t len)
{
    struct bytes *b = &h->text;

    if (!unit_h2_has_more(h)) {
        (void)unit_h2_read_on(h);
    }
    size_t there = b->len - b->off;
    if (there > 0) {
        size_t n = there < len ? there : len;
        memcpy(data, b->data + b->off, n);
        took_text(h, n);
        if (unit_h2_has_more(h)) {
            event_active(&h->up->readable, EV_READ, 0);
        }
        return (ssize_t)n;
    }
    errno = h->failed ? ECONNRESET : EAGAIN;
    return h->ended ? 0 : -1;
}

bool unit_h2_is_bodyless(const struct unit_h2 *h)
{
    return h->ended && !h->body && h->trailers.len == 0;
}

struct bytes unit_h2_take_trailers(struct unit_h2 *h)
{
    struct bytes trailers = h->trailers;

    h->trailers = (struct bytes){ NULL, 0, 0, 0 };
    return trailers;
}

size_t unit_h2_buffers(const struct unit_h2 *h)
{
    return h->block.cap + h->text.cap + h->trailers.cap + h->out.cap;
}

bool unit_h2_has_sent(const struct unit_h2 *h)
{
    return h->sent;
}

bool unit_h2_is_refused(const struct unit_h2 *h)
{
    return h->refused;
}

bool unit_h2_takes_requests(const struct unit_h2 *h)
{
    return nghttp2_session_check_request_allowed(h->session) != 0 &&
           nghttp2_session_get_remote_settings(h->session,
                                               NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS) > 0;
}

bool unit_h2_is_reusable(const struct unit_h2 *h)
{
    return h->ended && h->closed && !h->failed && h->out.len == 0 && h->text.len == 0 &&
           unit_h2_takes_requests(h);
}

bool unit_h2_on_idle(struct unit_h2 *h)
{
    h->stream = 0;
    return take_input(h) && unit_h2_send(h) != UNIT_H2_BROKEN && unit_h2_takes_requests(h);
}

/* --- life --- */

static struct unit_h2_shared *shared_new(void)
{
    struct unit_h2_shared *shared = deis_alloc(sizeof(*shared));
    nghttp2_session_callbacks *c;
    nghttp2_option *o;

    if (nghttp2_session_callbacks_new(&c) != 0 || nghttp2_option_new(&o) != 0) {
        abort(); /* out of memory */
    }
    nghttp2_session_callbacks_set_on_begin_headers_callback(c, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(c, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(c, on_stream_close);
    nghttp2_option_set_no_auto_window_update(o, 1);
    shared->callbacks = c;
    shared->option = o;
    return shared;
}

void unit_h2_shared_free(struct unit_h2_shared *shared)
{
    if (shared) {
        nghttp2_session_callbacks_del(shared->callbacks);
        nghttp2_option_del(shared->option);
        free(shared);
    }
}

struct unit_h2 *unit_h2_new(struct upstream *u)
{
    static const nghttp2_settings_entry settings[] = {
        { NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
        { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW },
        { NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, H2_ANSWER_MAX },
    };
    struct unit_h2 *h = deis_alloc(sizeof(*h));
    struct worker *w = u->worker;

    h->up = u;
    h->worker = w;
    if (!w->unit_h2_shared) {
        w->unit_h2_shared = shared_new();
    }
    if (nghttp2_session_client_new2(&h->session, w->unit_h2_shared->callbacks, h,
                                    w->unit_h2_shared->option) != 0 ||
        nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, settings, DEIS_COUNT(settings)) !=
            0 ||
        nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0, WINDOW) != 0) {
        abort(); /* out of memory */
    }
    return h;
}

void unit_h2_free(struct unit_h2 *h)
{
    if (h) {
        struct bufpool *pool = &h->worker->pool;
        bytes_release(pool, &h->block);
        bytes_release(pool, &h->text);
        bytes_release(pool, &h->trailers);
        bytes_release(pool, &h->out);
        nghttp2_session_del(h->session);
        free(h);
    }
}
