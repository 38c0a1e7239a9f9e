/* SPDX-License-Identifier: MIT */
#include "lib/base/clock.h"
#include "lib/net/httpd_internal.h"
#include "lib/net/log.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FIELDS_MAX    32768U
#define OUT_MAX       ((size_t)8 * 1024 * 1024) /* a service that gives more ignores on_writable */
#define SHED_MIN      65536U                    /* less is not worth a connection */
#define SENDFILE_STEP ((size_t)512 * 1024)      /* then others have a turn */

/* --- bytes that wait --- */

/* The server's count follows c->out. */
static void count_unsent(struct conn *c)
{
    size_t now = c->out != NULL ? evbuffer_get_length(c->out) : 0;
    if (c->unsent == 0 && now > 0) {
        c->unsent_ms = deis_now_ms();
    }
    c->server->unsent = c->server->unsent - c->unsent + now;
    c->unsent = now;
}

void conn_drop_unsent(struct conn *c)
{
    if (c->out != NULL) {
        evbuffer_free(c->out);
        c->out = NULL;
    }
    count_unsent(c);
}

static struct conn *laziest_but(const struct conn *spared)
{
    struct conn *found = NULL;
    struct conn *c = NULL;
    TAILQ_FOREACH(c, &spared->server->live, link)
    {
        if (c != spared && c->unsent >= SHED_MIN &&
            (found == NULL || c->unsent_ms < found->unsent_ms)) {
            found = c;
        }
    }
    return found;
}

/* c has got more to send: do all together keep within their bound? What is little pushes nobody
 * out. */
static void shed_lazy(struct conn *c)
{
    struct deis_httpd *s = c->server;
    struct conn *lazy = NULL;
    if (c->unsent < SHED_MIN) {
        return;
    }
    while (s->unsent > s->opts.unsent_max && (lazy = laziest_but(c)) != NULL) {
        deis_warn("answers wait for slow readers, closing the slowest", KV_S("peer", lazy->peer),
                  KV_I("bytes", (int64_t)lazy->unsent));
        conn_drop_unsent(lazy);
        lazy->broken = true;
        conn_kick(lazy);
    }
}

/* --- bytes go out --- */

static void queue_rest(struct conn *c, const struct iovec *iov, int count, size_t written)
{
    for (int i = 0; i < count; i++) {
        size_t skip = written < iov[i].iov_len ? written : iov[i].iov_len;
        written -= skip;
        if (iov[i].iov_len == skip) {
            continue;
        }
        if (c->out == NULL) {
            c->out = evbuffer_new();
        }
        const char *rest = (const char *)iov[i].iov_base + skip;
        if (c->out == NULL || evbuffer_add(c->out, rest, iov[i].iov_len - skip) != 0) {
            abort();
        }
    }
}

static struct iovec iov_of(struct deis_str s)
{
    struct iovec iov = { .iov_len = s.len };
    memcpy(&iov.iov_base, &s.ptr, sizeof(s.ptr)); /* the type lacks a const */
    return iov;
}

static ssize_t send_now(int fd, struct iovec *iov, int count)
{
    struct msghdr msg = { .msg_iov = iov, .msg_iovlen = (size_t)count };
    ssize_t n;
    do {
        n = sendmsg(fd, &msg, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n;
}

/* Send at once what the socket takes and keep the rest. */
static void conn_send(struct conn *c, struct iovec *iov, int count)
{
    if (c->broken || c->state == CONN_CLOSED) {
        return;
    }
    size_t written = 0;
    if (c->out == NULL) {
        ssize_t n = send_now(c->fd, iov, count);
        if (n < 0 && errno != EAGAIN) {
            c->broken = true;
            conn_kick(c);
            return;
        }
        written = n > 0 ? (size_t)n : 0;
        c->write_ms = deis_now_ms();
    }
    queue_rest(c, iov, count, written);
    count_unsent(c);
    shed_lazy(c);
    conn_kick(c);
}

/* 1 = all out, 0 = the socket is full, -1 = the peer is gone. */
static int flush_buffer(struct conn *c)
{
    while (c->out != NULL) {
        int n = evbuffer_write(c->out, c->fd);
        if (n < 0) {
            return errno == EAGAIN || errno == EINTR ? 0 : -1;
        }
        c->write_ms = deis_now_ms();
        if (evbuffer_get_length(c->out) == 0) {
            evbuffer_free(c->out);
            c->out = NULL;
        }
        count_unsent(c);
    }
    return 1;
}

static int file_too_short(void)
{
    deis_error("a file became shorter while it was sent");
    return -1;
}

static int flush_file(struct conn *c)
{
    size_t step = 0;
    while (c->file_fd >= 0 && c->file_left > 0 && step < SENDFILE_STEP) {
        size_t want = c->file_left < SENDFILE_STEP ? (size_t)c->file_left : SENDFILE_STEP;
        ssize_t n = sendfile(c->fd, c->file_fd, &c->file_offset, want);
        if (n < 0) {
            return errno == EAGAIN || errno == EINTR ? 0 : -1;
        }
        if (n == 0) {
            return file_too_short();
        }
        c->write_ms = deis_now_ms();
        c->file_left -= (uint64_t)n;
        step += (size_t)n;
    }
    if (c->file_fd >= 0 && c->file_left > 0) {
        return 0;
    }
    if (c->file_fd >= 0) {
        close(c->file_fd);
        c->file_fd = -1;
    }
    return 1;
}

bool conn_flush(struct conn *c)
{
    int rc = c->broken ? -1 : flush_buffer(c);
    if (rc == 1) {
        rc = flush_file(c);
    }
    if (rc < 0) {
        c->broken = true;
    } else if (rc == 0) {
        event_add(&c->write_ev, NULL);
    }
    return rc == 1;
}

void conn_send_continue(struct conn *c)
{
    struct iovec iov = iov_of(DEIS_STR("HTTP/1.1 100 Continue\r\n\r\n"));
    c->owes_continue = false;
    conn_send(c, &iov, 1);
}

/* --- the head of an answer --- */

static const char *date_text(struct deis_httpd *s)
{
    time_t now = time(NULL);
    if (now != s->date_of) {
        struct tm tm;
        gmtime_r(&now, &tm);
        strftime(s->date, sizeof(s->date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
        s->date_of = now;
    }
    return s->date;
}

static void add_reason(struct deis_buf *b, int status, bool upper)
{
    const char *reason = deis_h1_reason(status);
    for (; *reason != '\0'; reason++) {
        char c = *reason;
        if (upper && c >= 'a' && c <= 'z') {
            c = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[c - 'a'];
        }
        deis_buf_add_char(b, c);
    }
}

static bool status_has_body(int status)
{
    return status >= 200 && status != 204 && status != 304;
}

/* What is left of the request decides, too, whether another one may follow. */
static void settle_keep_alive(struct conn *c)
{
    if (c->server->draining || c->owes_continue ||
        (c->state == CONN_BODY && !conn_discards_rest(c))) {
        c->keep_alive = false;
    }
}

static void format_head(struct conn *c, int status, const char *type, uint64_t length,
                        struct deis_str fields, struct deis_buf *b)
{
    settle_keep_alive(c);
    c->chunked_answer = false;
    c->answer_left = UINT64_MAX;
    deis_buf_addf(b, "HTTP/1.1 %d ", status);
    add_reason(b, status, c->server->opts.upper_reason);
    deis_buf_addf(b, "\r\nDate: %s\r\n", date_text(c->server));
    if (type != NULL) {
        deis_buf_addf(b, "Content-Type: %s\r\n", type);
    }
    if (!status_has_body(status)) {
        c->answer_left = 0;
    } else if (length != UINT64_MAX) {
        deis_buf_addf(b, "Content-Length: %llu\r\n", (unsigned long long)length);
        c->answer_left = length;
    } else if (c->minor >= 1) {
        deis_buf_add_cstr(b, "Transfer-Encoding: chunked\r\n");
        c->chunked_answer = true;
    } else {
        c->keep_alive = false;
    }
    deis_buf_add_str(b, fields);
    if (!c->keep_alive) {
        deis_buf_add_cstr(b, "Connection: close\r\n");
    } else if (c->minor == 0) {
        deis_buf_add_cstr(b, "Connection: keep-alive\r\n");
    }
    deis_buf_add_cstr(b, "\r\n");
}

/* --- whole answers --- */

void req_free(struct deis_http_req *req)
{
    if (req != NULL) {
        req->conn->server->body_bytes -= req->body.len;
        deis_buf_clear(&req->body);
        deis_buf_clear(&req->fields);
        free(req->head_bytes);
        free(req);
    }
}

static void send_whole(struct conn *c, int status, const char *type, struct deis_str body,
                       struct deis_str fields)
{
    deis_autobuf struct deis_buf head = DEIS_BUF_INIT(FIELDS_MAX + 1024);
    format_head(c, status, type, body.len, fields, &head);
    bool with_body = status_has_body(status) && !c->is_head;
    struct iovec iov[2] = { iov_of(deis_buf_str(&head)), iov_of(body) };
    conn_send(c, iov, with_body && body.len > 0 ? 2 : 1);
    c->answer = ANSWER_WHOLE;
}

/* The answer is handed over: from here on the connection goes on without the request. */
static void let_go(struct conn *c)
{
    struct deis_http_req *req = c->req;
    c->req = NULL;
    c->answer = ANSWER_WHOLE;
    c->paused = false;
    conn_kick(c);
    req_free(req);
}

void conn_refuse(struct conn *c, int status, const char *text)
{
    deis_autobuf struct deis_buf body = DEIS_BUF_INIT(4096);
    deis_autobuf struct deis_buf fields = DEIS_BUF_INIT(FIELDS_MAX);
    const char *type = "text/plain; charset=utf-8";
    c->keep_alive = false;
    if (c->server->opts.refusal) {
        type = c->server->opts.refusal(&status, text, &fields, &body);
    } else {
        deis_buf_addf(&body, "%s\n", text);
    }
    send_whole(c, status, type, deis_buf_str(&body), deis_buf_str(&fields));
}

void deis_http_reply(struct deis_http_req *req, int status, const char *type, struct deis_str body)
{
    assert(req->conn->answer == ANSWER_NONE);
    if (req->conn->state != CONN_CLOSED) {
        send_whole(req->conn, status, type, body, deis_buf_str(&req->fields));
        let_go(req->conn);
    }
}

void deis_http_reply_json(struct deis_http_req *req, int status, const json_t *value)
{
    deis_autofree char *text = deis_json_dump(value);
    deis_http_reply(req, status, "application/json", deis_str(text));
}

void deis_http_reply_file(struct deis_http_req *req, int status, const char *type, int fd,
                          uint64_t offset, uint64_t length)
{
    struct conn *c = req->conn;
    assert(c->answer == ANSWER_NONE);
    if (c->state == CONN_CLOSED || c->is_head || !status_has_body(status)) {
        close(fd);
        fd = -1;
    }
    if (c->state == CONN_CLOSED) {
        return;
    }
    deis_autobuf struct deis_buf head = DEIS_BUF_INIT(FIELDS_MAX + 1024);
    format_head(c, status, type, length, deis_buf_str(&req->fields), &head);
    struct iovec iov = iov_of(deis_buf_str(&head));
    conn_send(c, &iov, 1);
    c->file_fd = fd;
    c->file_offset = (off_t)offset;
    c->file_left = length;
    let_go(c);
}

void deis_http_set(struct deis_http_req *req, const char *name, const char *value)
{
    if (strpbrk(name, "\r\n:") != NULL || strpbrk(value, "\r\n") != NULL) {
        deis_error("a field of an answer has a line break", KV_S("name", name));
        abort();
    }
    deis_buf_addf(&req->fields, "%s: %s\r\n", name, value);
    assert(!deis_buf_failed(&req->fields));
}

/* --- streamed answers --- */

void deis_http_reply_start(struct deis_http_req *req, int status, const char *type, uint64_t length,
                           void (*on_writable)(struct deis_http_req *req, void *arg), void *arg)
{
    struct conn *c = req->conn;
    assert(c->answer == ANSWER_NONE);
    if (c->state == CONN_CLOSED) {
        return;
    }
    deis_autobuf struct deis_buf head = DEIS_BUF_INIT(FIELDS_MAX + 1024);
    format_head(c, status, type, length, deis_buf_str(&req->fields), &head);
    struct iovec iov = iov_of(deis_buf_str(&head));
    c->answer = ANSWER_STARTED;
    req->on_writable = on_writable;
    req->writable_arg = arg;
    req->owed = true;
    conn_send(c, &iov, 1);
}

void deis_http_reply_chunk(struct deis_http_req *req, struct deis_str data)
{
    struct conn *c = req->conn;
    assert(c->answer == ANSWER_STARTED);
    if (data.len == 0 || c->state == CONN_CLOSED || c->broken) {
        return;
    }
    req->owed = true;
    if (c->answer_left != UINT64_MAX) {
        assert(data.len <= c->answer_left);
        c->answer_left -= data.len;
    }
    if (c->is_head) {
        conn_kick(c);
        return;
    }
    if (deis_http_unsent(req) > OUT_MAX) {
        deis_warn("a peer reads too slowly, closing", KV_S("peer", c->peer));
        c->broken = true;
        conn_kick(c);
        return;
    }
    char size[24];
    snprintf(size, sizeof(size), "%zx\r\n", data.len);
    struct iovec iov[3] = { iov_of(deis_str(size)), iov_of(data), iov_of(DEIS_STR("\r\n")) };
    if (c->chunked_answer) {
        conn_send(c, iov, 3);
    } else {
        conn_send(c, iov + 1, 1);
    }
}

size_t deis_http_unsent(const struct deis_http_req *req)
{
    return req->conn->out != NULL ? evbuffer_get_length(req->conn->out) : 0;
}

void deis_http_reply_end(struct deis_http_req *req)
{
    struct conn *c = req->conn;
    assert(c->answer == ANSWER_STARTED);
    if (c->state == CONN_CLOSED) {
        return;
    }
    if (c->answer_left != UINT64_MAX && c->answer_left > 0 && !c->is_head) {
        deis_error("an answer is shorter than it said");
        deis_http_reply_abort(req);
        return;
    }
    if (c->chunked_answer && !c->is_head) {
        struct iovec iov = iov_of(DEIS_STR("0\r\n\r\n"));
        conn_send(c, &iov, 1);
    }
    let_go(c);
}

void deis_http_reply_abort(struct deis_http_req *req)
{
    struct conn *c = req->conn;
    if (c->state == CONN_CLOSED) {
        return;
    }
    /* A reset: an orderly close would look like the end of an answer without a length. */
    struct linger hard = { .l_onoff = 1, .l_linger = 0 };
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    c->broken = true;
    let_go(c);
}

/* --- out of HTTP --- */

int deis_http_upgrade(struct deis_http_req *req, const char *protocol, struct deis_buf *ret_out,
                      struct deis_buf *ret_in)
{
    struct conn *c = req->conn;

    assert(c->answer == ANSWER_NONE);
    if (c->state == CONN_CLOSED || c->broken) {
        return -1;
    }
    assert(c->state == CONN_WAIT && c->out == NULL);
    deis_buf_addf(ret_out, "HTTP/1.1 101 ");
    add_reason(ret_out, 101, c->server->opts.upper_reason);
    deis_buf_addf(ret_out, "\r\nDate: %s\r\nConnection: Upgrade\r\nUpgrade: %s\r\n%s\r\n",
                  date_text(c->server), protocol, req->fields.data);
    deis_buf_add_str(ret_in, deis_buf_str(&c->in));
    int fd = conn_detach(c);
    c->req = NULL;
    req_free(req);
    return fd;
}
