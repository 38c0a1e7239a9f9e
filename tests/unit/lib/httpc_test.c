/* SPDX-License-Identifier: MIT */
#include "tests/support/loop_client.h"
#include "tests/support/test.h"

#include "lib/base/clock.h"
#include "lib/net/httpc.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/*
 * A server that plays a script: each request, on whatever connection, is recorded and gets the next
 * reply.
 * "" closes the connection without an answer, HANG keeps it open and silent until the client
 * leaves; a reply that ends in CLOSE closes after it.
 */
#define HANG  "\x01"
#define CLOSE "\x02"

struct script {
    const char *const *replies;
    int fd;
    char url[64];
    char path[64]; /* of a unix socket */
    pthread_t thread;
    pthread_mutex_t lock;
    struct deis_buf requests;
    atomic_int connections;
};

static bool is_whole(const struct deis_buf *b)
{
    const char *end = strstr(b->data, "\r\n\r\n");
    if (end == NULL) {
        return false;
    }
    if (strstr(b->data, "Transfer-Encoding: chunked") != NULL) {
        return strstr(b->data, "\r\n0\r\n\r\n") != NULL;
    }
    const char *length = strstr(b->data, "Content-Length: ");
    size_t want = length != NULL ? strtoul(length + 16, NULL, 10) : 0;
    return b->len - (size_t)(end + 4 - b->data) >= want;
}

static bool read_request(struct script *s, int fd)
{
    deis_autobuf struct deis_buf b = DEIS_BUF_INIT(1024 * 1024);
    while (!is_whole(&b)) {
        char bytes[4096];
        ssize_t n = recv(fd, bytes, sizeof(bytes), 0);
        if (n <= 0) {
            return false;
        }
        deis_buf_add(&b, bytes, (size_t)n);
    }
    pthread_mutex_lock(&s->lock);
    deis_buf_add_str(&s->requests, deis_buf_str(&b));
    pthread_mutex_unlock(&s->lock);
    return true;
}

/* False when the connection is over. */
static bool play(int fd, const char *reply)
{
    char byte;
    if (strcmp(reply, HANG) == 0) {
        while (recv(fd, &byte, 1, 0) > 0) {
        }
        return false;
    }
    size_t len = strlen(reply);
    bool ends = len == 0 || reply[len - 1] == CLOSE[0];
    len -= len > 0 && ends ? 1 : 0;
    return send(fd, reply, len, MSG_NOSIGNAL) == (ssize_t)len && !ends;
}

static void *script_main(void *arg)
{
    struct script *s = arg;
    while (*s->replies != NULL) {
        int fd = accept(s->fd, NULL, NULL);
        if (fd < 0) {
            break;
        }
        s->connections++;
        while (*s->replies != NULL && read_request(s, fd)) {
            if (!play(fd, *s->replies++)) {
                break;
            }
        }
        close(fd);
    }
    return NULL;
}

static void script_listen(struct script *s, const char *const *replies, struct sockaddr *address,
                          socklen_t len)
{
    s->replies = replies;
    deis_buf_init(&s->requests, 1024 * 1024);
    pthread_mutex_init(&s->lock, NULL);
    s->fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s->fd, address, len), 0);
    assert_int_equal(listen(s->fd, 8), 0);
    assert_int_equal(getsockname(s->fd, address, &len), 0);
    assert_int_equal(pthread_create(&s->thread, NULL, script_main, s), 0);
}

static void script_start(struct script *s, const char *const *replies)
{
    *s = (struct script){ 0 };
    struct sockaddr_in in = { .sin_family = AF_INET };
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    script_listen(s, replies, (struct sockaddr *)&in, sizeof(in));
    snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%u/x", ntohs(in.sin_port));
}

static int count_of(struct script *s, const char *text)
{
    int count = 0;
    pthread_mutex_lock(&s->lock);
    for (const char *at = strstr(s->requests.data, text); at != NULL; at = strstr(at + 1, text)) {
        count++;
    }
    pthread_mutex_unlock(&s->lock);
    return count;
}

static void script_stop(struct script *s)
{
    shutdown(s->fd, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->fd);
    deis_buf_clear(&s->requests);
    pthread_mutex_destroy(&s->lock);
}

/* --- blocking calls --- */

static int call(struct deis_httpc *c, const struct deis_httpc_request *req,
                struct deis_httpc_answer *answer, struct deis_err *err)
{
    int rc = deis_httpc_call(c, req, answer, err);
    assert_true(rc == 0 || (err->code == (enum deis_code)rc && err->msg[0] != '\0'));
    return rc;
}

static void httpc__call_gives_the_answer_and_keeps_the_connection(void **state)
{
    static const char *const replies[] = {
        "HTTP/1.1 100 Continue\r\nX: no\r\n\r\n"
        "HTTP/1.1 200 All is well\r\nX-One:  a b \r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: x\r\n\r\n",
        NULL,
    };
    struct script s;
    struct deis_err err = DEIS_ERR_INIT;
    struct deis_httpc *c = deis_httpc_new();
    deis_autoanswer struct deis_httpc_answer a = { 0 };
    script_start(&s, replies);
    assert_int_equal(call(c, &(struct deis_httpc_request){ .url = s.url }, &a, &err), 0);
    assert_int_equal(a.status, 200);
    assert_string_equal(a.reason, "All is well");
    assert_string_equal(a.body.data, "ok");
    assert_true(deis_str_eq_cstr(deis_httpc_header(&a, "x-one"), "a b"));
    assert_null(deis_httpc_header(&a, "X").ptr);

    const char *const headers[] = { "X-Two: 2", NULL };
    struct deis_httpc_request req = { .url = s.url, .method = "POST", .headers = headers };
    req.body = DEIS_STR("{\"a\":1}");
    assert_int_equal(call(c, &req, &a, &err), 0);
    assert_int_equal(a.status, 404);
    assert_string_equal(a.body.data, "abc");
    assert_null(deis_httpc_header(&a, "T").ptr);
    assert_int_equal(s.connections, 1);
    assert_non_null(strstr(s.requests.data, "GET /x HTTP/1.1\r\n"));
    const char *post = strstr(s.requests.data, "POST /x HTTP/1.1\r\n");
    assert_non_null(post);
    assert_non_null(strstr(post, "X-Two: 2\r\n"));
    assert_non_null(strstr(post, "Content-Length: 7\r\n"));
    assert_non_null(strstr(post, "\r\n\r\n{\"a\":1}"));
    assert_null(strstr(post, "Content-Type"));
    assert_null(strstr(post, "Expect"));
    deis_httpc_free(c);
    script_stop(&s);
}

static void httpc__methods_have_the_length_they_need(void **state)
{
    static const char *const replies[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        NULL,
    };
    static const char *const methods[] = { "HEAD", "DELETE", "PUT", "PATCH" };
    struct script s;
    struct deis_err err = DEIS_ERR_INIT;
    struct deis_httpc *c = deis_httpc_new();
    deis_autoanswer struct deis_httpc_answer a = { 0 };
    script_start(&s, replies);
    for (size_t i = 0; i < DEIS_COUNT(methods); i++) {
        struct deis_httpc_request req = { .url = s.url, .method = methods[i] };
        req.body = i == 3 ? DEIS_STR("patch") : DEIS_STR_NONE;
        assert_int_equal(call(c, &req, &a, &err), 0);
        assert_int_equal(a.body.len, 0);
    }
    assert_int_equal(s.connections, 1);
    const char *put = strstr(s.requests.data, "PUT /x");
    assert_non_null(strstr(put, "Content-Length: 0\r\n"));
    assert_non_null(strstr(put, "PATCH /x"));
    assert_non_null(strstr(put, "Content-Length: 5\r\n"));
    deis_httpc_free(c);
    script_stop(&s);
}

static ptrdiff_t give_three(char *data, size_t cap, void *arg)
{
    int *calls = arg;
    if (++*calls > 3) {
        return 0;
    }
    memcpy(data, "piece", 5);
    return 5;
}

static ptrdiff_t give_none(char *data, size_t cap, void *arg)
{
    return -1;
}

static void httpc__body_in_pieces_is_sent_chunked(void **state)
{
    static const char *const replies[] = { "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n",
                                           NULL };
    struct script s;
    int calls = 0;
    struct deis_err err = DEIS_ERR_INIT;
    struct deis_httpc *c = deis_httpc_new();
    deis_autoanswer struct deis_httpc_answer a = { 0 };
    script_start(&s, replies);
    struct deis_httpc_request req = { .url = s.url, .method = "POST", .read_body = give_three };
    req.read_arg = &calls;
    assert_int_equal(call(c, &req, &a, &err), 0);
    assert_int_equal(a.status, 201);
    assert_non_null(strstr(s.requests.data, "POST /x"));
    assert_non_null(strstr(s.requests.data, "5\r\npiece\r\n5\r\npiece\r\n5\r\npiece\r\n0\r\n\r\n"));
    req.read_body = give_none;
    assert_int_equal(call(c, &req, &a, &err), DEIS_CANCELLED);
    deis_httpc_free(c);
    script_stop(&s);
}

static void httpc__failures_have_their_codes(void **state)
{
    static const struct {
        const char *reply;
        int code;
    } cases[] = {
        { HANG, DEIS_TIMEOUT },
        { "", DEIS_TIMEOUT }, /* outcome unknown */
        { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab" CLOSE, DEIS_TIMEOUT },
        { "SSH-2.0-OpenSSH_9.2\r\n" CLOSE, DEIS_PROTOCOL },
        { "HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n12345678901234567", DEIS_LIMIT },
        { "HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n1234567890123456", 0 },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", DEIS_TIMEOUT },
        { "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", 0 },
    };

    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        const char *const replies[] = { cases[i].reply, NULL };
        struct script s;
        struct deis_err err = DEIS_ERR_INIT;
        struct deis_httpc *c = deis_httpc_new();
        deis_autoanswer struct deis_httpc_answer a = { 0 };
        script_start(&s, replies);
        const bool hangs = strcmp(cases[i].reply, HANG) == 0; /* the others are answered */
        struct deis_httpc_request req = { .url = s.url,
                                          .timeout_ms = hangs ? 300 : 60000,
                                          .answer_max = 16 };
        assert_int_equal(call(c, &req, &a, &err), cases[i].code);
        deis_httpc_free(c);
        script_stop(&s);
    }
}

static void httpc__only_harmless_requests_are_sent_again(void **state)
{
    static const char *const replies[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "",
        "HTTP/1.1 202 OK\r\nContent-Length: 0\r\n\r\n", NULL,
    };
    struct script s;
    struct deis_err err = DEIS_ERR_INIT;
    struct deis_httpc *c = deis_httpc_new();
    deis_autoanswer struct deis_httpc_answer a = { 0 };
    script_start(&s, replies);
    struct deis_httpc_request get = { .url = s.url };
    struct deis_httpc_request post = { .url = s.url, .method = "POST" };
    post.body = DEIS_STR("x");
    assert_int_equal(call(c, &get, &a, &err), 0);
    assert_int_equal(call(c, &post, &a, &err), DEIS_TIMEOUT);
    assert_int_equal(call(c, &get, &a, &err), 0);
    assert_int_equal(call(c, &get, &a, &err), 0);
    assert_int_equal(a.status, 202);
    deis_httpc_free(c);
    assert_int_equal(count_of(&s, "POST /x"), 1);
    assert_int_equal(count_of(&s, "GET /x"), 4);
    script_stop(&s);
}

static void httpc__what_cannot_be_sent(void **state)
{
    static const char *const split[] = { "X: a\r\nY: b", NULL };

    const struct {
        struct deis_httpc_request req;
        int code;
    } cases[] = {
        { { .url = "http://127.0.0.1:1/" }, DEIS_UNAVAILABLE },
        { { .url = "http://x/", .unix_socket = "/nowhere/at/all" }, DEIS_UNAVAILABLE },
        { { .url = "file:///etc/passwd" }, DEIS_INVALID },
        { { .url = "http://127.0.0.1:99999/" }, DEIS_INVALID },
        { { .url = "" }, DEIS_INVALID },
        { { .url = "http://127.0.0.1:1/", .headers = split }, DEIS_INVALID },
        { { .url = "http://127.0.0.1:1/", .method = "GET /" }, DEIS_INVALID },
    };
    struct deis_httpc *c = deis_httpc_new();
    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        struct deis_err err = DEIS_ERR_INIT;
        deis_autoanswer struct deis_httpc_answer a = { 0 };
        assert_int_equal(call(c, &cases[i].req, &a, &err), cases[i].code);
    }
    deis_httpc_free(c);
}

static bool take_one(int status, struct deis_str data, void *arg)
{
    struct deis_buf *got = arg;
    deis_buf_addf(got, "%d:%.*s", status, DEIS_STR_ARG(data));
    return false;
}

static bool give_up(void *arg)
{
    return true;
}

static void httpc__a_call_can_be_given_up(void **state)
{
    static const char *const replies[] = { "HTTP/1.1 500 Oops\r\n\r\nfirst", HANG, NULL };
    struct script s;
    struct deis_err err = DEIS_ERR_INIT;
    struct deis_httpc *c = deis_httpc_new();
    deis_autoanswer struct deis_httpc_answer a = { 0 };
    deis_autobuf struct deis_buf got = DEIS_BUF_INIT(100);
    script_start(&s, replies);
    struct deis_httpc_request req = { .url = s.url, .on_data = take_one, .arg = &got };
    assert_int_equal(call(c, &req, &a, &err), DEIS_CANCELLED);
    assert_string_equal(got.data, "500:first");
    struct deis_httpc_request hanging = { .url = s.url, .cancelled = give_up };
    uint64_t start = deis_now_ms();
    assert_int_equal(call(c, &hanging, &a, &err), DEIS_CANCELLED);
    assert_true(deis_now_ms() - start < 20000); /* on a machine that is busy, too */
    deis_httpc_free(c);
    script_stop(&s);
}

static void httpc__unix_socket(void **state)
{
    static const char *const replies[] = { "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", NULL };
    struct script s = { 0 };
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    int n = snprintf(un.sun_path, sizeof(un.sun_path), "/tmp/httpc-test-%d.sock", (int)getpid());
    memcpy(s.path, un.sun_path, (size_t)n + 1);
    script_listen(&s, replies, (struct sockaddr *)&un, sizeof(un));
    struct deis_err err = DEIS_ERR_INIT;
    struct deis_httpc *c = deis_httpc_new();
    deis_autoanswer struct deis_httpc_answer a = { 0 };
    struct deis_httpc_request req = { .url = "http://engine/y", .unix_socket = s.path };
    assert_int_equal(call(c, &req, &a, &err), 0);
    assert_string_equal(a.body.data, "ok");
    assert_non_null(strstr(s.requests.data, "Host: engine\r\n"));
    deis_httpc_free(c);
    script_stop(&s);
    unlink(s.path);
}

/* --- streams --- */

struct streaming {
    struct deis_loop *loop;
    struct deis_httpc_streams *streams;
    struct deis_httpc_stream *stream;
    struct deis_buf got;
    const char *url; /* to start once more when done */
    bool stop_on_data;
    int done;
    int status;
    int code;
};

static void on_done(int status, const struct deis_err *err, void *arg);

static bool on_data(int status, struct deis_str data, void *arg)
{
    struct streaming *st = arg;
    deis_buf_add_str(&st->got, data);
    if (st->stop_on_data) {
        deis_httpc_stream_cancel(st->stream);
        assert_int_equal(st->done, 1);
    }
    return true;
}

static void stream_start(struct streaming *st, const char *url)
{
    struct deis_httpc_request req = { .url = url, .on_data = on_data, .arg = st };
    st->stream = deis_httpc_stream_start(st->streams, &req, on_done);
}

static void on_done(int status, const struct deis_err *err, void *arg)
{
    struct streaming *st = arg;
    st->done++;
    st->status = status;
    st->code = err != NULL ? err->code : DEIS_OK;
    if (st->url != NULL) {
        stream_start(st, st->url);
        st->url = NULL;
    }
}

static void streaming_init(struct streaming *st)
{
    *st = (struct streaming){ 0 };
    deis_buf_init(&st->got, 1024);
    st->loop = deis_loop_new();
    st->streams = deis_httpc_streams_new(st->loop);
}

static void streaming_clear(struct streaming *st)
{
    deis_httpc_streams_free(st->streams);
    deis_loop_free(st->loop);
    deis_buf_clear(&st->got);
}

static bool is_done(void *arg)
{
    return ((struct streaming *)arg)->done > 0;
}

static bool is_done_twice(void *arg)
{
    return ((struct streaming *)arg)->done > 1;
}

static bool has_data(void *arg)
{
    return ((struct streaming *)arg)->got.len > 0;
}

static void streams__run_to_their_end_and_start_again(void **state)
{
    static const char *const replies[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none",
        "HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\ntwo",
        NULL,
    };
    struct script s;
    struct streaming st;
    script_start(&s, replies);
    streaming_init(&st);
    st.url = s.url;
    stream_start(&st, s.url);
    assert_int_equal(st.done, 0);
    loop_until(st.loop, is_done_twice, &st);
    assert_string_equal(st.got.data, "onetwo");
    assert_int_equal(st.status, 404);
    assert_int_equal(st.code, 0);
    assert_int_equal(s.connections, 1);
    streaming_clear(&st);
    script_stop(&s);
}

static void streams__failures_arrive_on_the_loop(void **state)
{
    static const char *const urls[] = { "http://127.0.0.1:1/", "" };
    static const int codes[] = { DEIS_UNAVAILABLE, DEIS_INVALID };
    for (size_t i = 0; i < DEIS_COUNT(urls); i++) {
        struct streaming st;
        streaming_init(&st);
        stream_start(&st, urls[i]);
        assert_int_equal(st.done, 0);
        loop_until(st.loop, is_done, &st);
        assert_int_equal(st.code, codes[i]);
        streaming_clear(&st);
        assert_int_equal(st.done, 1);
    }
}

static void streams__cancel_from_outside_and_from_on_data(void **state)
{
    static const char *const replies[] = {
        "HTTP/1.1 200 OK\r\n\r\nendless",
        "HTTP/1.1 200 OK\r\n\r\nendless",
        NULL,
    };
    struct script s;
    script_start(&s, replies);
    for (int inside = 0; inside < 2; inside++) {
        struct streaming st;
        streaming_init(&st);
        st.stop_on_data = inside;
        stream_start(&st, s.url);
        loop_until(st.loop, has_data, &st);
        if (!inside) {
            deis_httpc_stream_cancel(st.stream);
        }
        assert_int_equal(st.done, 1);
        assert_int_equal(st.code, DEIS_CANCELLED);
        loop_settle(st.loop);
        streaming_clear(&st);
        assert_int_equal(st.done, 1);
    }
    script_stop(&s);
}

static void streams__free_cancels_what_runs(void **state)
{
    static const char *const replies[] = { "HTTP/1.1 200 OK\r\n\r\nendless", NULL };
    struct script s;
    struct streaming st;
    script_start(&s, replies);
    streaming_init(&st);
    stream_start(&st, s.url);
    loop_until(st.loop, has_data, &st);
    stream_start(&st, s.url);
    streaming_clear(&st);
    assert_int_equal(st.done, 2);
    assert_int_equal(st.code, DEIS_CANCELLED);
    script_stop(&s);
}

int main(void)
{
    /* must not be used: nothing listens there */
    setenv("http_proxy", "http://127.0.0.1:9", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:9", 1);
    deis_runtime_init("unit");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(httpc__call_gives_the_answer_and_keeps_the_connection),
        cmocka_unit_test(httpc__methods_have_the_length_they_need),
        cmocka_unit_test(httpc__body_in_pieces_is_sent_chunked),
        cmocka_unit_test(httpc__failures_have_their_codes),
        cmocka_unit_test(httpc__only_harmless_requests_are_sent_again),
        cmocka_unit_test(httpc__what_cannot_be_sent),
        cmocka_unit_test(httpc__a_call_can_be_given_up),
        cmocka_unit_test(httpc__unix_socket),
        cmocka_unit_test(streams__run_to_their_end_and_start_again),
        cmocka_unit_test(streams__failures_arrive_on_the_loop),
        cmocka_unit_test(streams__cancel_from_outside_and_from_on_data),
        cmocka_unit_test(streams__free_cancels_what_runs),
    };
    return cmocka_run_group_tests_name("httpc", tests, NULL, NULL);
}
