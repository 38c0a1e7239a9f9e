/* SPDX-License-Identifier: MIT */
#include "lib/net/httpc_upgrade.h"

#include "lib/base/clock.h"
#include "lib/net/httpc_transfer.h"
#include "lib/wire/h1.h"
#include "lib/wire/url.h"

#include <poll.h>

#define HEAD_TIMEOUT_MS 30000
#define REQUEST_MAX     65536
#define READ_BYTES      16384

struct deis_tunnel {
    struct httpc_transfer transfer;
    curl_socket_t fd;
    struct deis_buf rest; /* came behind the head of the answer */
    uint64_t until_ms;    /* of the exchange */
};

void deis_tunnel_close(struct deis_tunnel *t)
{
    if (t) {
        httpc_transfer_clear(&t->transfer);
        deis_buf_clear(&t->rest);
        free(t);
    }
}

int deis_tunnel_fd(const struct deis_tunnel *t)
{
    return t->fd;
}

static ptrdiff_t result_of(CURLcode code, size_t n)
{
    if (code == CURLE_AGAIN) {
        return DEIS_TUNNEL_AGAIN;
    }
    return code == CURLE_OK ? (ptrdiff_t)n : DEIS_TUNNEL_BROKEN;
}

ptrdiff_t deis_tunnel_read(struct deis_tunnel *t, char *data, size_t cap)
{
    size_t n = t->rest.len < cap ? t->rest.len : cap;

    if (n > 0) {
        memcpy(data, t->rest.data, n);
        deis_buf_drain(&t->rest, n);
        return (ptrdiff_t)n;
    }
    CURLcode code = curl_easy_recv(t->transfer.easy, data, cap, &n);
    return result_of(code, n);
}

ptrdiff_t deis_tunnel_write(struct deis_tunnel *t, struct deis_str data)
{
    size_t n = 0;
    CURLcode code = curl_easy_send(t->transfer.easy, data.ptr, data.len, &n);

    return result_of(code, n);
}

/* --- the exchange --- */

static int await(struct deis_tunnel *t, short events, struct deis_err *err)
{
    uint64_t now = deis_now_ms();
    struct pollfd p = { .fd = t->fd, .events = events };

    if (now >= t->until_ms || poll(&p, 1, (int)(t->until_ms - now)) == 0) {
        return deis_err_set(err, DEIS_TIMEOUT, "the server does not answer");
    }
    return DEIS_OK;
}

static int connect_only(struct deis_tunnel *t, const struct deis_httpc_request *req,
                        struct deis_err *err)
{
    const struct deis_httpc_request connect = { .url = req->url,
                                                .connect_timeout_ms = req->connect_timeout_ms,
                                                .tls = req->tls };
    int r = httpc_transfer_init(&t->transfer, NULL, &connect, NULL, err);

    if (r < 0) {
        return r;
    }
    curl_easy_setopt(t->transfer.easy, CURLOPT_CONNECT_ONLY, 1L);
    r = httpc_transfer_result(&t->transfer, curl_easy_perform(t->transfer.easy), err);
    if (r == DEIS_OK &&
        curl_easy_getinfo(t->transfer.easy, CURLINFO_ACTIVESOCKET, &t->fd) != CURLE_OK) {
        r = deis_err_set(err, DEIS_UNAVAILABLE, "the connection has no socket");
    }
    return r;
}

/* "/path" of an absolute URL, and its authority as the Host field has it. */
static int format_request(const struct deis_httpc_request *req, const char *protocol,
                          struct deis_buf *out, struct deis_err *err)
{
    struct deis_str rest = deis_str(req->url);
    ptrdiff_t colon = deis_str_find(rest, ':');

    rest = deis_str_skip(rest, colon < 0 ? rest.len : (size_t)colon + 1);
    if (!deis_str_starts(rest, "//")) {
        return deis_err_set(err, DEIS_INVALID, "'%.100s' is no URL", req->url);
    }
    rest = deis_str_skip(rest, 2);
    ptrdiff_t slash = deis_str_find(rest, '/');
    struct deis_str host = deis_str_first(rest, slash < 0 ? rest.len : (size_t)slash);
    struct deis_str path = slash < 0 ? DEIS_STR("/") : deis_str_skip(rest, (size_t)slash);
    deis_buf_addf(out, "%s %.*s HTTP/1.1\r\nHost: %.*s\r\nConnection: Upgrade\r\nUpgrade: %s\r\n",
                  req->method, DEIS_STR_ARG(path), DEIS_STR_ARG(host), protocol);
    for (const char *const *h = req->headers; h && *h; h++) {
        if (strpbrk(*h, "\r\n")) {
            return deis_err_set(err, DEIS_INVALID, "invalid request header");
        }
        deis_buf_addf(out, "%s\r\n", *h);
    }
    deis_buf_add_cstr(out, "\r\n");
    return deis_buf_failed(out) ? deis_err_set(err, DEIS_LIMIT, "the request is too large") : 0;
}

static int send_all(struct deis_tunnel *t, struct deis_str data, struct deis_err *err)
{
    while (data.len > 0) {
        ptrdiff_t n = deis_tunnel_write(t, data);
        if (n == DEIS_TUNNEL_BROKEN) {
            return deis_err_set(err, DEIS_TIMEOUT, "the connection broke");
        }
        data = deis_str_skip(data, n > 0 ? (size_t)n : 0);
        if (n <= 0 && await(t, POLLOUT, err) < 0) {
            return err->code;
        }
    }
    return DEIS_OK;
}

/* More of the answer onto in: 1, 0 at its end. */
static int receive(struct deis_tunnel *t, struct deis_buf *in, struct deis_err *err)
{
    char data[READ_BYTES];
    size_t n = 0;

    for (;;) {
        CURLcode code = curl_easy_recv(t->transfer.easy, data, sizeof(data), &n);
        ptrdiff_t got = result_of(code, n);
        if (got >= 0) {
            deis_buf_add(in, data, (size_t)got);
            if (deis_buf_failed(in)) {
                return deis_err_set(err, DEIS_LIMIT, "the answer is too large");
            }
            return got > 0;
        }
        if (got == DEIS_TUNNEL_BROKEN) {
            return deis_err_set(err, DEIS_TIMEOUT, "the connection broke");
        }
        if (await(t, POLLIN, err) < 0) {
            return err->code;
        }
    }
}

static void note_head(const struct deis_h1_head *head, struct deis_httpc_answer *answer)
{
    answer->status = head->status;
    snprintf(answer->reason, sizeof(answer->reason), "%.*s", DEIS_STR_ARG(head->reason));
    deis_buf_init(&answer->headers, REQUEST_MAX);
    for (size_t i = 0; i < head->header_count; i++) {
        deis_buf_addf(&answer->headers, "%.*s: %.*s\n", DEIS_STR_ARG(head->headers[i].name),
                      DEIS_STR_ARG(head->headers[i].value));
    }
}

/* 0 with *ret_used bytes of in. */
static int read_head(struct deis_tunnel *t, const char *method, struct deis_buf *in,
                     struct deis_h1_head *head, size_t *ret_used, struct deis_err *err)
{
    static const struct deis_h1_limits limits = DEIS_H1_LIMITS_DEFAULT;
    size_t scanned = 0;

    for (;;) {
        enum deis_h1_result r = deis_h1_parse_response(deis_buf_str(in), deis_str(method), &limits,
                                                       &scanned, head, ret_used, err);
        if (r == DEIS_H1_DONE) {
            return DEIS_OK;
        }
        int more = r == DEIS_H1_BAD ? DEIS_PROTOCOL : receive(t, in, err);
        if (more <= 0) {
            return more < 0 ? more : deis_err_set(err, DEIS_TIMEOUT, "the connection ended early");
        }
    }
}

/* The body of an answer that is no upgrade; in begins with it. */
static int read_body(struct deis_tunnel *t, const struct deis_h1_head *head, struct deis_buf *in,
                     struct deis_buf *body, struct deis_err *err)
{
    enum deis_h1_framing framing = head->framing;
    uint64_t left = head->content_length;
    struct deis_h1_chunked chunked = { 0 };
    enum deis_h1_result r = framing == DEIS_H1_NO_BODY ? DEIS_H1_DONE : DEIS_H1_MORE;

    for (int more = 1; more > 0 && r == DEIS_H1_MORE;) {
        struct deis_str input = deis_buf_str(in);
        while (input.len > 0 && r == DEIS_H1_MORE) {
            struct deis_str data =
                deis_str_first(input, framing == DEIS_H1_LENGTH ? left : input.len);
            if (framing == DEIS_H1_CHUNKED) {
                r = deis_h1_chunked_feed(&chunked, &input, &data, err);
            } else {
                input = deis_str_skip(input, data.len);
                left -= data.len;
                r = framing == DEIS_H1_LENGTH && left == 0 ? DEIS_H1_DONE : DEIS_H1_MORE;
            }
            deis_buf_add_str(body, data);
        }
        deis_buf_reset(in);
        more = r == DEIS_H1_MORE ? receive(t, in, err) : 1;
        if (more < 0) {
            return more;
        }
    }
    return r == DEIS_H1_BAD ? DEIS_PROTOCOL : DEIS_OK;
}

static int exchange(struct deis_tunnel *t, const struct deis_httpc_request *req,
                    const char *protocol, struct deis_httpc_answer *answer, struct deis_err *err)
{
    deis_autobuf struct deis_buf request = DEIS_BUF_INIT(REQUEST_MAX);
    deis_autobuf struct deis_buf in = DEIS_BUF_INIT(REQUEST_MAX + READ_BYTES);
    struct deis_h1_head head;
    size_t used = 0;

    int r = format_request(req, protocol, &request, err);
    if (r == DEIS_OK) {
        r = connect_only(t, req, err);
    }
    t->until_ms = deis_now_ms() + HEAD_TIMEOUT_MS;
    if (r == DEIS_OK) {
        r = send_all(t, deis_buf_str(&request), err);
    }
    if (request.len > 0) {
        explicit_bzero(request.data, request.len); /* it has a token */
    }
    if (r == DEIS_OK) {
        r = read_head(t, req->method, &in, &head, &used, err);
    }
    if (r < 0) {
        return r;
    }
    note_head(&head, answer);
    bool upgraded = head.status == 101 && deis_h1_has_token(&head, "Upgrade", protocol);
    deis_buf_init(&answer->body, req->answer_max);
    if (upgraded) {
        deis_buf_add_str(&t->rest, deis_str_skip(deis_buf_str(&in), used));
        return DEIS_OK;
    }
    if (head.status < 200) {
        return deis_err_set(err, DEIS_PROTOCOL, "unexpected answer %d", head.status);
    }
    deis_buf_drain(&in, used); /* head's views are not used any more, but for its numbers */
    r = read_body(t, &head, &in, &answer->body, err);
    return r == DEIS_OK && deis_buf_failed(&answer->body)
               ? deis_err_set(err, DEIS_LIMIT, "the answer is too large")
               : r;
}

int deis_tunnel_open(const struct deis_httpc_request *req, const char *protocol,
                     struct deis_tunnel **ret, struct deis_httpc_answer *answer,
                     struct deis_err *err)
{
    struct deis_tunnel *t = deis_alloc(sizeof(*t));

    *ret = NULL;
    deis_buf_init(&t->rest, REQUEST_MAX + READ_BYTES);
    deis_httpc_answer_clear(answer);
    int r = exchange(t, req, protocol, answer, err);
    if (r == DEIS_OK && answer->status == 101) {
        *ret = t;
    } else {
        deis_tunnel_close(t);
    }
    return r;
}
