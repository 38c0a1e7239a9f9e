/* SPDX-License-Identifier: MIT */
/* What nghttp2 says about the frames that come in, and the session's settings. */
#include "router/h2_conn.h"
#include "router/h2_fields.h"

enum {
    SETTINGS_COUNT = 5,
    ACKS_MAX = 200, /* of pings and settings that a client does not fetch */
};

struct h2_shared {
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
};

static uint64_t now_ms(const struct h2_conn *conn)
{
    return conn->worker->now_us / 1000;
}

static void on_too_much(struct h2_conn *conn)
{
    if (conn->too_much) {
        return; /* what came with it */
    }
    conn->too_much = true;
    atomic_fetch_add_explicit(&conn->worker->counters.h2_abuses, 1, memory_order_relaxed);
    (void)nghttp2_session_terminate_session(conn->session, NGHTTP2_ENHANCE_YOUR_CALM);
}

void h2_conn_drop_pseudo(struct h2_conn *conn)
{
    while (conn->pseudo_count > 0) {
        nghttp2_rcbuf_decref(conn->pseudo[--conn->pseudo_count]);
    }
}

static void pay_frame(struct h2_conn *conn)
{
    if (!h2_budget_frame(&conn->budget, now_ms(conn))) {
        on_too_much(conn);
    }
}

/* Of any kind, known or not. */
static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *head, void *arg)
{
    switch (head->type) {
    case NGHTTP2_DATA:
    case NGHTTP2_HEADERS:
    case NGHTTP2_CONTINUATION: break; /* have limits of their own */
    default: pay_frame(arg); break;
    }
    return 0;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct h2_conn *conn = arg;

    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        struct h2_stream *s = h2_stream_new(conn, frame->hd.stream_id);
        h2_conn_drop_pseudo(conn); /* of a head that was found bad */
        (void)nghttp2_session_set_stream_user_data(session, s->id, s);
        conn->heading = s;
        if (conn->waiting != WAIT_CLIENT) {
            h2_conn_wait(conn, WAIT_HEAD);
        }
    }
    return 0;
}

static struct deis_str str_of(nghttp2_rcbuf *b)
{
    nghttp2_vec v = nghttp2_rcbuf_get_buf(b);

    return deis_str_n((const char *)v.base, v.len);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, nghttp2_rcbuf *name,
                     nghttp2_rcbuf *value, uint8_t flags, void *arg)
{
    struct h2_conn *conn = arg;
    struct h2_stream *s = conn->heading;

    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
        s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
        if (s) {
            h2_trailers_add(&conn->worker->pool, &s->side.exchange->request_trailers, str_of(name),
                            str_of(value));
        }
        return 0;
    }
    if (!s || s->id != frame->hd.stream_id) {
        return 0; /* refused */
    }
    struct bytes *in = &s->side.exchange->in;
    struct deis_str n = str_of(name);
    struct deis_str v = str_of(value);
    if (s->head.status != 0) {
        return 0;
    }
    size_t room = h2_head_room(&s->head, n, v);
    if (room <= H2_HEAD_MAX && !bytes_reserve(&conn->worker->pool, in, room)) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    if (h2_head_is_pseudo(n)) {
        if (conn->pseudo_count == DEIS_COUNT(conn->pseudo)) {
            s->head.status = 400;
            return 0;
        }
        nghttp2_rcbuf_incref(value);
        conn->pseudo[conn->pseudo_count++] = value;
    }
    h2_head_add(&s->head, in->data, n, v);
    in->len = (uint32_t)s->head.len;
    return 0;
}

/* A name or value that nghttp2 finds invalid. */
static int on_invalid_header(nghttp2_session *session, const nghttp2_frame *frame,
                             nghttp2_rcbuf *name, nghttp2_rcbuf *value, uint8_t flags, void *arg)
{
    struct h2_conn *conn = arg;

    if (conn->heading && conn->heading->id == frame->hd.stream_id) {
        conn->heading->head.status = 400;
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t len, void *arg)
{
    struct h2_stream *s = nghttp2_session_get_stream_user_data(session, id);

    if (!s) {
        return nghttp2_session_consume(session, id, len) == 0 ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    if (!h2_stream_add_body(s, data, len)) {
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    h2_stream_on_input(s);
    return 0;
}

static void on_headers_frame(struct h2_conn *conn, const nghttp2_frame *frame)
{
    struct h2_stream *s = conn->heading;

    h2_budget_use(&conn->budget);
    if (!s || s->id != frame->hd.stream_id || frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
        return;
    }
    conn->heading = NULL;
    s->head_complete = true;
    if (conn->waiting == WAIT_HEAD) {
        h2_conn_wait(conn, WAIT_COUNT);
    }
    if (!s->head.line_written && s->head.status == 0) {
        /* Nothing but pseudo-fields: their values go with this call. */
        struct bytes *in = &s->side.exchange->in;
        if (bytes_reserve(&conn->worker->pool, in,
                          h2_head_room(&s->head, DEIS_STR_NONE, DEIS_STR_NONE))) {
            h2_head_write_line(&s->head, in->data);
            in->len = (uint32_t)s->head.len;
        } else {
            s->head.status = 431;
        }
    }
    h2_conn_drop_pseudo(conn);
    h2_stream_on_input(s);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct h2_conn *conn = arg;
    bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;

    switch (frame->hd.type) {
    case NGHTTP2_HEADERS: on_headers_frame(conn, frame); break;
    case NGHTTP2_DATA:
        if (frame->hd.length > frame->data.padlen || ends) {
            h2_budget_use(&conn->budget);
        } else {
            pay_frame(conn);
        }
        break;
    case NGHTTP2_PING:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0 && conn->drain == H2_NOTICE_SENT) {
            /* The client has read the notice: what it sent before is here. */
            conn->drain = H2_LAST_STREAM_SENT;
            (void)nghttp2_submit_goaway(session, NGHTTP2_FLAG_NONE,
                                        nghttp2_session_get_last_proc_stream_id(session),
                                        NGHTTP2_NO_ERROR, NULL, 0);
        }
        break;
    default: break;
    }
    if ((frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) && ends) {
        struct h2_stream *s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
        if (s) {
            s->ended = true;
            h2_stream_on_input(s);
        }
    }
    return 0;
}

static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error,
                            void *arg)
{
    struct h2_conn *conn = arg;

    atomic_fetch_add_explicit(&conn->worker->counters.bad_requests, 1, memory_order_relaxed);
    if (!h2_budget_reset(&conn->budget, now_ms(conn))) {
        on_too_much(conn);
    }
    return 0;
}

size_t h2_head_size(const nghttp2_nv *fields, size_t count)
{
    size_t sum = 0;

    if (count == 0 || fields[0].namelen == 0 || fields[0].name[0] != ':') {
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        sum += sizeof(*fields) + fields[i].namelen + fields[i].valuelen;
    }
    return sum;
}

static void uncount_head(struct h2_conn *conn, const nghttp2_frame *frame)
{
    if (frame->hd.type == NGHTTP2_HEADERS) {
        size_t size = h2_head_size(frame->headers.nva, frame->headers.nvlen);
        conn->heads -= size;
        bufpool_count(&conn->worker->pool, 0, size);
    }
}

/* Its stream is over. */
static int on_frame_dropped(nghttp2_session *session, const nghttp2_frame *frame, int error,
                            void *arg)
{
    uncount_head(arg, frame);
    return 0;
}

static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    uncount_head(arg, frame);
    if (frame->hd.type == NGHTTP2_HEADERS && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
        struct h2_stream *s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
        if (s) {
            h2_stream_on_end(s);
        }
    }
    return 0;
}

/* Known to nghttp2 no more: the usual end, or that of the client's, or its mistake. */
static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t error, void *arg)
{
    struct h2_conn *conn = arg;
    struct h2_stream *s = nghttp2_session_get_stream_user_data(session, id);

    if (!s) {
        return 0;
    }
    s->closed = true;
    if (s->end_sent) {
        return 0; /* the exchange is about to see it */
    }
    if (conn->heading == s) {
        h2_conn_drop_pseudo(conn);
    }
    if (!h2_budget_reset(&conn->budget, now_ms(conn))) {
        on_too_much(conn);
    }
    if (s->started) {
        exchange_client_gone(s->side.exchange);
    } else {
        h2_stream_free(s);
    }
    return 0;
}

/* --- the session --- */

static struct h2_shared *shared_new(void)
{
    struct h2_shared *shared = deis_alloc(sizeof(*shared));
    nghttp2_session_callbacks *c;
    nghttp2_option *o;

    if (nghttp2_session_callbacks_new(&c) != 0 || nghttp2_option_new(&o) != 0) {
        abort(); /* out of memory */
    }
    nghttp2_session_callbacks_set_on_begin_frame_callback(c, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(c, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback2(c, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback2(c, on_invalid_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(c, on_invalid_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(c, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(c, on_frame_sent);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(c, on_frame_dropped);
    nghttp2_session_callbacks_set_send_data_callback(c, h2_stream_send_data);
    nghttp2_option_set_no_auto_window_update(o, 1);
    nghttp2_option_set_no_closed_streams(o, 1);
    nghttp2_option_set_max_outbound_ack(o, ACKS_MAX);
    shared->callbacks = c;
    shared->option = o;
    return shared;
}

void h2_shared_free(struct h2_shared *shared)
{
    if (shared) {
        nghttp2_session_callbacks_del(shared->callbacks);
        nghttp2_option_del(shared->option);
        free(shared);
    }
}

bool h2_session_open(struct h2_conn *conn)
{
    static const nghttp2_settings_entry settings[SETTINGS_COUNT] = {
        { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, H2_STREAMS_MAX },
        { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_STREAM_WINDOW },
        { NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, H2_HEAD_MAX },
        { NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1 },
        { NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1 }, /* RFC 8441 section 3 */
    };
    struct worker *w = conn->worker;

    if (!w->h2_shared) {
        w->h2_shared = shared_new();
    }
    return nghttp2_session_server_new2(&conn->session, w->h2_shared->callbacks, conn,
                                       w->h2_shared->option) == 0 &&
           nghttp2_submit_settings(conn->session, NGHTTP2_FLAG_NONE, settings, SETTINGS_COUNT) ==
               0 &&
           nghttp2_session_set_local_window_size(conn->session, NGHTTP2_FLAG_NONE, 0,
                                                 H2_CONNECTION_WINDOW) == 0;
}
