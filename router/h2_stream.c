/* SPDX-License-Identifier: MIT */
/* A request of HTTP/2 and its answer: the client's side of one exchange. */
#include "router/core/http_head.h"
#include "router/core/websocket.h"
#include "router/h2_conn.h"
#include "router/h2_fields.h"

#include <errno.h>

enum {
    HEAD_BODY_MAX = 16 * 1024, /* body bytes kept with the head, so that it can be sent again */
    FIELDS_MAX = DEIS_H1_MAX_HEADERS + 3,
};

static const struct deis_h1_limits limits = DEIS_H1_LIMITS_DEFAULT;

/* --- list of those to look after --- */

static void look_after(struct h2_stream *s)
{
    struct h2_conn *conn = s->conn;

    if (!s->due) {
        s->due = true;
        s->due_next = NULL;
        *(conn->due_last ? &conn->due_last->due_next : &conn->due_first) = s;
        conn->due_last = s;
    }
    h2_conn_due(conn);
}

struct h2_stream *h2_stream_next_due(struct h2_conn *conn)
{
    struct h2_stream *s = conn->due_first;

    if (s) {
        conn->due_first = s->due_next;
        conn->due_last = conn->due_first ? conn->due_last : NULL;
        s->due = false;
    }
    return s;
}

static void forget_due(struct h2_stream *s)
{
    struct h2_conn *conn = s->conn;
    struct h2_stream *before = NULL;

    if (!s->due) {
        return;
    }
    for (struct h2_stream *at = conn->due_first; at != s; at = at->due_next) {
        before = at;
    }
    *(before ? &before->due_next : &conn->due_first) = s->due_next;
    conn->due_last = conn->due_last == s ? before : conn->due_last;
}

/* --- life --- */

struct h2_stream *h2_stream_new(struct h2_conn *conn, int32_t id)
{
    struct h2_stream *s = deis_alloc(sizeof(*s));
    const struct client *c = conn->client;

    s->conn = conn;
    s->id = id;
    s->side.worker = conn->worker;
    s->side.stream = s;
    s->side.fd = -1;
    s->side.https = c->https;
    s->side.state = CLIENT_HEAD;
    s->side.ip = c->ip;
    s->side.peer_len = c->peer_len;
    memcpy(s->side.peer, c->peer, sizeof(c->peer));
    s->side.exchange = exchange_new(&s->side);
    s->next = conn->streams;
    if (s->next) {
        s->next->prev = s;
    }
    conn->streams = s;
    conn->stream_count++;
    return s;
}

void h2_stream_free(struct h2_stream *s)
{
    struct h2_conn *conn = s->conn;
    struct exchange *x = s->side.exchange;

    if (!s->closed && !conn->closing) {
        (void)nghttp2_session_set_stream_user_data(conn->session, s->id, NULL);
    }
    if (s->body.len > s->body.off && !conn->closing) {
        (void)nghttp2_session_consume_connection(conn->session, s->body.len - s->body.off);
    }
    if (conn->heading == s) {
        conn->heading = NULL;
    }
    if (conn->current == s) {
        conn->current = NULL;
    }
    conn->held -= x->to_client.len - x->to_client.off;
    bytes_release(&conn->worker->pool, &s->body);
    deadline_clear(&s->side.deadline);
    forget_due(s);
    exchange_free(x);
    if (s->prev) {
        s->prev->next = s->next;
    } else {
        conn->streams = s->next;
    }
    if (s->next) {
        s->next->prev = s->prev;
    }
    conn->stream_count--;
    free(s);
}

void h2_stream_done(struct h2_stream *s)
{
    struct h2_conn *conn = s->conn;
    const struct exchange *x = s->side.exchange;
    bool complete = x->answer_done && (s->end_sent || !s->provided);

    if (!s->closed && !conn->closing && !(complete && s->ended)) {
        /* Section 8.1: an early answer ends with NO_ERROR; RFC 8441 section 5: what is no orderly
         * end of a tunnel, with CANCEL. */
        uint32_t broken = x->tunnel ? NGHTTP2_CANCEL : NGHTTP2_INTERNAL_ERROR;
        (void)nghttp2_submit_rst_stream(conn->session, NGHTTP2_FLAG_NONE, s->id,
                                        complete ? NGHTTP2_NO_ERROR : broken);
    }
    h2_stream_free(s);
    h2_conn_due(conn);
}

struct client *h2_stream_connection(const struct h2_stream *s)
{
    return s->conn->client;
}

/* --- the request --- */

void h2_stream_on_input(struct h2_stream *s)
{
    if (s->side.reading || !s->started) {
        look_after(s);
    }
}

bool h2_stream_add_body(struct h2_stream *s, const uint8_t *data, size_t len)
{
    struct bytes *b = &s->body;

    if (b->off > 0 && b->len + len > b->cap) {
        memmove(b->data, b->data + b->off, b->len - b->off);
        b->len -= b->off;
        b->off = 0;
    }
    return bytes_add(&s->conn->worker->pool, b, data, len);
}

static void took_body(struct h2_stream *s, size_t len)
{
    struct h2_conn *conn = s->conn;

    s->body.off += (uint32_t)len;
    if (s->body.off == s->body.len) {
        bytes_release(&conn->worker->pool, &s->body);
    }
    (void)nghttp2_session_consume(conn->session, s->id, len);
}

size_t h2_stream_buffers(const struct h2_stream *s)
{
    return s->body.cap;
}

static bool has_input(const struct h2_stream *s)
{
    return s->body.len > s->body.off || s->ended;
}

/* Is there anything for the exchange to read, or to go on with? */
static bool has_work(const struct h2_stream *s)
{
    return has_input(s) || exchange_has_piece(s->side.exchange);
}

ssize_t h2_stream_recv(struct h2_stream *s, void *data, size_t len)
{
    size_t there = s->body.len - s->body.off;
    size_t n = len < H2_TAKEN_MAX ? len : H2_TAKEN_MAX;

    if (there == 0) {
        errno = EAGAIN;
        return s->ended ? 0 : -1;
    }
    n = n < there ? n : there;
    memcpy(data, s->body.data + s->body.off, n);
    took_body(s, n);
    if (has_input(s)) {
        look_after(s);
    }
    h2_conn_due(s->conn); /* for the credit */
    return (ssize_t)n;
}

void h2_stream_read_enable(struct h2_stream *s, bool enable)
{
    s->side.reading = enable;
    if (enable && has_work(s)) {
        look_after(s);
    }
}

/* The text of the head in the exchange's buffer, with its end. */
static bool finish_head(struct h2_stream *s)
{
    struct exchange *x = s->side.exchange;
    struct bytes *in = &x->in;
    struct worker *w = s->conn->worker;
    char key[WEBSOCKET_KEY_LEN + 1] = "";

    if (!bytes_reserve(&w->pool, in, h2_head_room(&s->head, DEIS_STR_NONE, DEIS_STR_NONE))) {
        s->head.status = 431;
        return false;
    }
    if (s->head.websocket) {
        websocket_key((const uint64_t[]){ worker_random(w), worker_random(w) }, key);
    }
    bool finished =
        h2_head_finish(&s->head, in->data, s->ended ? (int64_t)s->body.len : -1, deis_str(key));
    in->len = (uint32_t)s->head.len;
    return finished;
}

static void start(struct h2_stream *s)
{
    struct worker *w = s->conn->worker;
    struct exchange *x = s->side.exchange;
    size_t used;
    int status = 0;

    s->started = true;
    s->side.state = CLIENT_ACTIVE;
    x->head_only = s->head.head_only; /* for a page, if it is refused */
    if (!finish_head(s)) {
        exchange_refuse(x, page_of_status(s->head.status));
        return;
    }
    bool has_body = !s->head.websocket; /* its bytes wait until it is accepted */
    if (has_body && s->body.len > 0 && s->body.len <= HEAD_BODY_MAX &&
        bytes_add(&w->pool, &x->in, s->body.data, s->body.len)) {
        took_body(s, s->body.len);
    }
    if (deis_h1_parse_request(deis_str_n(x->in.data, s->head.len), &limits, &x->scanned,
                              &w->request, &used, &status, NULL) != DEIS_H1_DONE) {
        exchange_refuse(x, page_of_status(status));
        return;
    }
    if (has_body && !s->ended && !s->head.has_length) {
        w->request.framing = DEIS_H1_UNTIL_CLOSE;
    }
    exchange_start(x, used);
}

void h2_stream_on_due(struct h2_stream *s)
{
    struct h2_conn *conn = s->conn;

    conn->current = s;
    if (s->drained) {
        s->drained = false;
        exchange_on_client_drained(s->side.exchange);
        if (!conn->current) {
            return; /* it is over */
        }
    }
    if (!s->started) {
        if (s->head_complete) {
            start(s);
        }
    } else if (s->side.reading && has_work(s)) {
        exchange_on_client_readable(s->side.exchange);
    }
}

/* --- the answer --- */

void h2_stream_on_end(struct h2_stream *s)
{
    if (s->provided && !s->end_sent) {
        s->end_sent = true;
        s->drained = true;
        look_after(s);
    }
}

static ssize_t read_answer(nghttp2_session *session, int32_t id, uint8_t *buf, size_t len,
                           uint32_t *flags, nghttp2_data_source *source, void *user_data)
{
    struct h2_stream *s = nghttp2_session_get_stream_user_data(session, id);

    if (!s) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    const struct exchange *x = s->side.exchange;
    size_t there = x->to_client.len - x->to_client.off;
    if (there == 0 && !x->answer_done) {
        s->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (there <= len && x->answer_done) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        /* h2_stream_on_end() is told when they are sent. */
        if (x->trailers.len > 0 && h2_trailers_submit(session, id, &x->trailers)) {
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        }
    }
    return (ssize_t)(there < len ? there : len);
}

/* The client has taken some of what waits for it. False: so little that it only holds the app up.
 */
static bool keeps_pace(struct exchange *x, size_t len)
{
    const struct worker *w = x->worker;

    x->stalled_us += w->now_us - x->wait_us;
    x->stalled_bytes += len;
    x->wait_us = w->now_us;
    return !edge_policy_is_trickle(w->policy, x->stalled_bytes, x->stalled_us);
}

/* A frame of the answer's body, straight from where the exchange holds it. */
int h2_stream_send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *frame_head,
                        size_t len, nghttp2_data_source *source, void *user_data)
{
    struct h2_conn *conn = user_data;
    struct h2_stream *s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

    if (!s) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    struct bytes *b = &s->side.exchange->to_client;
    if (conn->filled + H2_FRAME_HEAD + len > H2_OUT_ENOUGH + H2_PIECE) {
        conn->full = true;
        return NGHTTP2_ERR_WOULDBLOCK;
    }
    char *out = conn->worker->out + conn->filled;
    memcpy(out, frame_head, H2_FRAME_HEAD);
    if (len > 0) {
        memcpy(out + H2_FRAME_HEAD, b->data + b->off, len);
    }
    conn->filled += H2_FRAME_HEAD + len;
    conn->held -= len;
    b->off += (uint32_t)len;
    s->end_sent = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    h2_budget_use(&conn->budget);
    bool in_time = keeps_pace(s->side.exchange, len);
    if (b->off == b->len) {
        s->drained = true;
        look_after(s);
    } else if (in_time) {
        exchange_wait(s->side.exchange);
    } else { /* it ends at the next tick: not here, within the session */
        worker_wait_for(conn->worker, WAIT_CLIENT, 1, &s->side.deadline);
    }
    return 0;
}

/* "Name: value\r\n" */
static nghttp2_nv field_of_line(struct deis_str line)
{
    ptrdiff_t colon = deis_str_find(line, ':');

    return h2_field(deis_str_first(line, (size_t)colon),
                    deis_str_trim(deis_str_skip(line, (size_t)colon + 1)));
}

/* Returns the number of fields; digits must live as long as they. */
static size_t answer_fields(nghttp2_nv *fields, const struct deis_h1_head *head, char digits[3],
                            struct deis_str hsts)
{
    bool no_length = head->status < 200 || head->status == 204;
    size_t n = 0;

    digits[0] = (char)('0' + head->status / 100);
    digits[1] = (char)('0' + head->status / 10 % 10);
    digits[2] = (char)('0' + head->status % 10);
    fields[n++] = h2_field(DEIS_STR(":status"), deis_str_n(digits, 3));
    for (size_t i = 0; i < head->header_count; i++) {
        const struct deis_h1_header *h = &head->headers[i];
        if (!http_answer_field_passes(head, h, no_length)) {
            continue;
        }
        if (hsts.len > 0 && deis_str_ieq(h->name, DEIS_STR("strict-transport-security"))) {
            hsts.len = 0;
        }
        fields[n++] = h2_field(h->name, h->value);
    }
    if (hsts.len > 0) {
        fields[n++] = field_of_line(hsts);
    }
    return n;
}

/* What waits in nghttp2 is memory like any other. */
static void count_head(struct h2_conn *conn, const nghttp2_nv *fields, size_t count)
{
    size_t size = h2_head_size(fields, count);

    conn->heads += size;
    bufpool_count(&conn->worker->pool, size, 0);
}

static void respond(struct h2_stream *s, const nghttp2_nv *fields, size_t count)
{
    nghttp2_data_provider provider = { .source.ptr = NULL, .read_callback = read_answer };

    if (nghttp2_submit_response(s->conn->session, s->id, fields, count,
                                s->provided ? &provider : NULL) == 0) {
        count_head(s->conn, fields, count);
    }
    h2_conn_due(s->conn);
}

void h2_stream_interim(struct h2_stream *s, const struct deis_h1_head *head)
{
    nghttp2_nv fields[FIELDS_MAX];
    char digits[3];
    size_t count = answer_fields(fields, head, digits, DEIS_STR_NONE);

    if (!s->closed) {
        if (nghttp2_submit_headers(s->conn->session, NGHTTP2_FLAG_NONE, s->id, NULL, fields, count,
                                   NULL) == 0) {
            count_head(s->conn, fields, count);
        }
        h2_conn_due(s->conn);
    }
}

void h2_stream_head(struct h2_stream *s, const struct deis_h1_head *head, struct deis_str hsts,
                    struct deis_str extra)
{
    nghttp2_nv fields[FIELDS_MAX];
    char digits[3];
    size_t count = answer_fields(fields, head, digits, hsts);

    if (extra.len > 0) {
        fields[count++] = field_of_line(extra);
    }
    /* Before the end of the request the answer ends with a frame of its own: a reset that follows
     * would drop a head that is still queued. */
    s->provided = head->framing != DEIS_H1_NO_BODY || !s->ended;
    respond(s, fields, count);
}

void h2_stream_accept(struct h2_stream *s, const struct deis_h1_head *head)
{
    nghttp2_nv fields[FIELDS_MAX];
    char digits[3];
    size_t count = answer_fields(fields, head, digits, DEIS_STR_NONE);
    size_t kept = 0;

    memcpy(digits, "200", sizeof(digits));
    for (size_t i = 0; i < count; i++) {
        struct deis_str name = deis_str_n((const char *)fields[i].name, fields[i].namelen);
        if (!deis_str_ieq_cstr(name, "sec-websocket-accept")) {
            fields[kept++] = fields[i];
        }
    }
    s->provided = true;
    respond(s, fields, kept);
}

bool h2_stream_send(struct h2_stream *s, const struct iovec *iov, int count)
{
    struct h2_conn *conn = s->conn;
    struct exchange *x = s->side.exchange;
    size_t before = x->to_client.len;

    if (!bytes_add_parts(&conn->worker->pool, &x->to_client, iov, count, 0)) {
        exchange_client_gone(x);
        return false;
    }
    conn->held += x->to_client.len - before;
    (void)h2_stream_end(s);
    return true;
}

void h2_stream_answer(struct h2_stream *s, struct deis_str text, struct deis_str method)
{
    struct deis_h1_head *head = &s->conn->worker->answer;
    size_t scanned = 0;
    size_t used;

    if (deis_h1_parse_response(text, method, &limits, &scanned, head, &used, NULL) !=
        DEIS_H1_DONE) {
        return;
    }
    struct iovec body = { (char *)(uintptr_t)text.ptr + used, text.len - used };
    h2_stream_head(s, head, DEIS_STR_NONE, DEIS_STR_NONE);
    if (body.iov_len > 0) {
        (void)h2_stream_send(s, &body, 1);
    }
}

size_t h2_stream_room(const struct h2_stream *s)
{
    return s->conn->held < H2_HELD_MAX ? WORKER_SCRATCH : H2_PIECE;
}

bool h2_stream_end(struct h2_stream *s)
{
    if (s->deferred) {
        s->deferred = false;
        (void)nghttp2_session_resume_data(s->conn->session, s->id);
    }
    h2_conn_due(s->conn);
    return s->end_sent || !s->provided;
}
