/* SPDX-License-Identifier: MIT */
#include "router/unit_h2.h"

#include "router/core/h2_answer.h"
#include "router/exchange.h"
#include "router/h2_fields.h"
#include "router/sock.h"

#include <nghttp2/nghttp2.h>

enum {
    WINDOW = 1024 * 1024, /* what is not read stays in the socket */
    READ_MAX = 64 * 1024, /* so that it fits a buffer when decoded */
    OUT_ENOUGH = 64 * 1024,
    FIELDS_MAX = DEIS_H1_MAX_HEADERS + 5,
};

struct unit_h2_shared {
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
};

struct unit_h2 {
    struct upstream *up;
    struct worker *worker;
    nghttp2_session *session;
    int32_t stream;        /* of the request under way; 0: none */
    struct h2_answer head; /* that is coming in */
    struct bytes block;    /* its text so far */
    struct bytes text;     /* what the exchange has not read */
    struct bytes trailers;
    struct bytes out; /* what the socket did not take */
    bool heading;     /* the block that comes in is a head, no trailers */
    bool final;       /* the head of the answer itself has come */
    bool body;        /* bytes of its body */
    bool ended;       /* all of the answer has come */
    bool failed;      /* the stream, or the connection */
    bool closed;      /* both sides are done with the stream */
    bool deferred;    /* the body waits for more */
    bool sent;        /* bytes since the request began */
    bool refused;     /* by the unit, which has done nothing for it */
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
        memset(&h->head, 0, sizeof(h->head));
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

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t len, void *arg)
{
    struct unit_h2 *h = arg;

    if (is_ours(h, id) && len > 0) {
        h->body = true;
        h->failed = h->failed || !bytes_add(&h->worker->pool, &h->text, data, len);
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
        !bytes_add(pool, &h->text, h->block.data, h->head.len)) {
        h->failed = true;
    }
    bytes_release(pool, &h->block);
    h->final = h->head.status >= 200;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct unit_h2 *h = arg;
    bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;

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

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *buf, size_t len,
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
    if (there == 0 && !x->request_done) {
        h->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    if (n > 0) {
        memcpy(buf, b->data + b->off, n);
        b->off += (uint32_t)n;
    }
    if (b->off == b->len) {
        bytes_release(&h->worker->pool, b);
        if (x->request_done) {
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

    if (h->deferred && x && (x->request_done || x->to_unit.len > 0)) {
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

/* What is no field of HTTP/2 (section 8.2.2), or goes by another name there. */
static bool is_dropped(struct deis_str name)
{
    return deis_str_ieq_cstr(name, "host") || deis_str_ieq_cstr(name, "transfer-encoding") ||
           deis_str_ieq_cstr(name, "connection") || deis_str_ieq_cstr(name, "upgrade");
}

bool unit_h2_request(struct unit_h2 *h, const struct deis_h1_head *head, bool trailers)
{
    nghttp2_data_provider provider = { .source.ptr = NULL, .read_callback = read_body };
    nghttp2_nv fields[FIELDS_MAX];
    size_t n = 0;

    fields[n++] = h2_field(DEIS_STR(":method"), head->method);
    fields[n++] = h2_field(DEIS_STR(":scheme"), DEIS_STR("http"));
    fields[n++] = h2_field(DEIS_STR(":authority"), head->host);
    fields[n++] = h2_field(DEIS_STR(":path"), head->target);
    for (size_t i = 0; i < head->header_count; i++) {
        if (!is_dropped(head->headers[i].name)) {
            fields[n++] = h2_field(head->headers[i].name, head->headers[i].value);
        }
    }
    if (trailers) {
        fields[n++] = h2_field(DEIS_STR("te"), DEIS_STR("trailers"));
    }
    h->final = false;
    h->body = false;
    h->ended = false;
    h->closed = false;
    h->deferred = false;
    h->sent = false;
    h->refused = false;
    bytes_release(&h->worker->pool, &h->trailers);
    h->stream = nghttp2_submit_request(h->session, NULL, fields, n,
                                       head->framing == DEIS_H1_NO_BODY ? NULL : &provider, NULL);
    return h->stream > 0;
}

/* --- for the exchange --- */

/* False: nothing more is to be had. */
static bool take_input(struct unit_h2 *h, size_t max)
{
    ssize_t n = sock_recv(h->up->fd, h->worker->out, max < READ_MAX ? max : READ_MAX);

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

ssize_t unit_h2_recv(struct unit_h2 *h, void *data, size_t len)
{
    struct bytes *b = &h->text;
    struct exchange *x = exchange_of(h);

    if (!unit_h2_has_more(h)) {
        if (take_input(h, len) && unit_h2_send(h) == UNIT_H2_BROKEN) {
            h->failed = h->failed || !h->ended;
        }
        if (!x->request_done && x->to_unit.len == 0) {
            client_read_enable(x->client, true);
        }
    }
    size_t there = b->len - b->off;
    if (there > 0) {
        size_t n = there < len ? there : len;
        memcpy(data, b->data + b->off, n);
        b->off += (uint32_t)n;
        if (b->off == b->len) {
            bytes_release(&h->worker->pool, b);
        }
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

bool unit_h2_has_sent(const struct unit_h2 *h)
{
    return h->sent;
}

bool unit_h2_is_refused(const struct unit_h2 *h)
{
    return h->refused;
}

bool unit_h2_is_reusable(const struct unit_h2 *h)
{
    return h->ended && h->closed && !h->failed && h->out.len == 0 && h->text.len == 0 &&
           nghttp2_session_check_request_allowed(h->session) != 0;
}

bool unit_h2_on_idle(struct unit_h2 *h)
{
    h->stream = 0;
    return take_input(h, READ_MAX) && unit_h2_send(h) != UNIT_H2_BROKEN &&
           nghttp2_session_check_request_allowed(h->session) != 0;
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
