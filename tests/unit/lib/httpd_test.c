/* SPDX-License-Identifier: MIT */
#include "tests/support/loop_client.h"
#include "tests/support/test.h"

#include "lib/net/httpd.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

#define STREAM_BYTES ((size_t)16 * 1024 * 1024)

struct fixture {
    struct deis_loop *loop;
    struct deis_httpd *server;
    struct loop_client c;
    struct deis_http_req *held; /* "/later", "/upload-paused" */
    int requests;
    int gone;
    int drained;
    int tunnel;            /* "/upgrade": its socket */
    struct deis_buf early; /* what came behind that request */
    size_t uploaded;
    size_t streamed; /* given to the answer of "/stream" */
    size_t most_unsent;
    char block[65536];
};

/* --- the service under the server --- */

static void stream_more(struct deis_http_req *req, void *arg)
{
    struct fixture *f = arg;
    size_t unsent = deis_http_unsent(req);
    f->most_unsent = unsent > f->most_unsent ? unsent : f->most_unsent;
    if (f->streamed == STREAM_BYTES) {
        deis_http_reply_end(req);
        return;
    }
    f->streamed += sizeof(f->block);
    deis_http_reply_chunk(req, deis_str_n(f->block, sizeof(f->block)));
}

static void reply_with_file(struct deis_http_req *req, struct fixture *f)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(fwrite(f->block, 1, sizeof(f->block), file), sizeof(f->block));
    fflush(file);
    deis_http_reply_file(req, 200, "application/octet-stream", dup(fileno(file)), 5, 60000);
    fclose(file);
}

static void reply_with_json(struct deis_http_req *req)
{
    deis_autojson json_t *value = json_pack("{s:i}", "count", 3);
    deis_http_set(req, "DEIS_API_VERSION", "1.7");
    deis_http_reply_json(req, 201, value);
}

static void upgrade(struct deis_http_req *req, struct fixture *f)
{
    deis_autobuf struct deis_buf head = DEIS_BUF_INIT(4096);

    deis_buf_init(&f->early, 4096);
    deis_http_set(req, "X-Test", "yes");
    f->tunnel = deis_http_upgrade(req, "parrot", &head, &f->early);
    assert_true(f->tunnel >= 0);
    assert_int_equal(write(f->tunnel, head.data, head.len), head.len);
}

static void on_request(struct deis_http_req *req, void *arg)
{
    struct fixture *f = arg;
    struct deis_str path = deis_http_path(req);
    f->requests++;
    if (deis_str_eq_cstr(path, "/upgrade")) {
        upgrade(req, f);
        return;
    }
    if (deis_str_eq_cstr(path, "/hello")) {
        deis_http_reply(req, 200, "text/plain", DEIS_STR("hi"));
    } else if (deis_str_eq_cstr(path, "/echo")) {
        deis_http_reply(req, 200, NULL, deis_http_body(req));
    } else if (deis_str_eq_cstr(path, "/query")) {
        deis_http_reply(req, 200, NULL, deis_http_query(req));
    } else if (deis_str_eq_cstr(path, "/peer")) {
        deis_http_reply(req, 200, NULL, deis_str(deis_http_peer(req)));
    } else if (deis_str_eq_cstr(path, "/none")) {
        deis_http_reply(req, 204, NULL, DEIS_STR_NONE);
    } else if (deis_str_eq_cstr(path, "/later")) {
        f->held = req;
    } else if (deis_str_eq_cstr(path, "/json")) {
        reply_with_json(req);
    } else if (deis_str_eq_cstr(path, "/file")) {
        reply_with_file(req, f);
    } else if (deis_str_eq_cstr(path, "/stream")) {
        deis_http_reply_start(req, 200, NULL, UINT64_MAX, stream_more, f);
    } else if (deis_str_eq_cstr(path, "/broken")) {
        deis_http_reply_start(req, 200, NULL, 100, NULL, NULL);
        deis_http_reply_chunk(req, DEIS_STR("part"));
        deis_http_reply_abort(req);
    } else if (deis_str_starts(path, "/upload")) {
        deis_http_reply(req, 200, NULL, DEIS_STR("taken"));
    } else {
        deis_http_reply(req, 404, "text/plain", DEIS_STR("no such page"));
    }
}

static void on_head(struct deis_http_req *req, void *arg)
{
    struct fixture *f = arg;
    struct deis_str path = deis_http_path(req);
    deis_http_set_user(req, f);
    if (deis_str_starts(path, "/upload")) {
        deis_http_stream_body(req);
    } else if (deis_str_eq_cstr(path, "/denied")) {
        deis_http_reply(req, 403, "text/plain", DEIS_STR("no"));
    }
}

static void on_body(struct deis_http_req *req, struct deis_str data, void *arg)
{
    struct fixture *f = arg;
    f->uploaded += data.len;
    if (deis_str_eq_cstr(deis_http_path(req), "/upload-paused") && f->held == NULL) {
        f->held = req;
        deis_http_pause_body(req, true);
    }
}

static void on_gone(struct deis_http_req *req, void *arg)
{
    struct fixture *f = arg;
    assert_ptr_equal(deis_http_user(req), f);
    f->gone++;
    f->held = NULL;
}

static struct fixture *start_at(const char *address, const struct deis_httpd_opts *opts)
{
    static const struct deis_httpd_ops ops = { on_head, on_body, on_request, on_gone };
    struct deis_err err = DEIS_ERR_INIT;
    struct fixture *f = deis_alloc(sizeof(*f));
    f->loop = deis_loop_new();
    f->server = deis_httpd_new(f->loop, address, opts, &ops, f, &err);
    assert_non_null(f->server);
    for (size_t i = 0; i < sizeof(f->block); i++) {
        f->block[i] = (char)('a' + i % 26);
    }
    return f;
}

static struct fixture *start(const struct deis_httpd_opts *opts)
{
    struct fixture *f = start_at("127.0.0.1:0", opts);
    client_open(&f->c, f->loop, deis_httpd_port(f->server));
    return f;
}

static void stop(struct fixture *f)
{
    client_close(&f->c);
    deis_httpd_free(f->server);
    deis_loop_free(f->loop);
    free(f);
}

static bool is_held(void *arg)
{
    return ((struct fixture *)arg)->held != NULL;
}

static bool is_gone(void *arg)
{
    return ((struct fixture *)arg)->gone > 0;
}

static bool is_drained(void *arg)
{
    return ((struct fixture *)arg)->drained > 0;
}

/* --- exchanges --- */

static void httpd__answers_on_a_kept_connection(void **state)
{
    struct fixture *f = start(NULL);
    client_say(&f->c, GET("/hello"));
    client_expect(&f->c, "\r\n\r\nhi");
    assert_non_null(strstr(f->c.got.data, "HTTP/1.1 200 OK\r\nDate: "));
    assert_non_null(
        strstr(f->c.got.data, " GMT\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n"));
    assert_null(strstr(f->c.got.data, "Connection:"));
    client_forget(&f->c);
    client_say(&f->c, GET("/query?a=%20b"));
    client_expect(&f->c, "\r\n\r\na=%20b");
    client_forget(&f->c);
    client_say(&f->c, GET("/json"));
    client_expect(&f->c, "\r\nDEIS_API_VERSION: 1.7\r\n\r\n{\"count\":3}");
    assert_non_null(strstr(f->c.got.data, "201 Created\r\n"));
    client_forget(&f->c);
    client_say(&f->c, GET("/peer"));
    client_expect(&f->c, "\r\n\r\n127.0.0.1");
    assert_int_equal(f->gone, 0);
    stop(f);
}

static void httpd__answers_without_a_body(void **state)
{
    struct fixture *f = start(NULL);
    client_say(&f->c, "HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    client_say(&f->c, "HEAD /file HTTP/1.1\r\nHost: a\r\n\r\n");
    client_say(&f->c, GET("/none"));
    client_expect(&f->c, "204 No Content");
    client_expect(&f->c, "Content-Length: 60000\r\n\r\nHTTP/1.1 204");
    client_expect(&f->c, "Content-Length: 2\r\n\r\nHTTP/1.1 200");
    stop(f);
}

static void httpd__old_version_closes_unless_asked(void **state)
{
    struct fixture *f = start(NULL);
    client_say(&f->c, "GET /hello HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n");
    client_expect(&f->c, "Connection: keep-alive\r\n\r\nhi");
    client_say(&f->c, "GET /stream HTTP/1.0\r\nHost: a\r\n\r\n");
    client_expect_end(&f->c);
    assert_false(f->c.reset);
    assert_null(strstr(f->c.got.data, "chunked"));
    assert_true(f->c.got.len > STREAM_BYTES);
    stop(f);
}

static void httpd__reasons_in_upper_case(void **state)
{
    struct fixture *f = start(&(struct deis_httpd_opts){ .upper_reason = true });
    client_say(&f->c, GET("/nothing"));
    client_expect(&f->c, "HTTP/1.1 404 NOT FOUND\r\n");
    stop(f);
}

static void httpd__pipelined_requests_are_answered_in_order(void **state)
{
    struct fixture *f = start(NULL);
    client_say(&f->c, GET("/later") GET("/hello") "POST /echo HTTP/1.1\r\nHost: a\r\n"
                                                  "Content-Length: 3\r\n\r\nend");
    loop_until(f->loop, is_held, f);
    loop_settle(f->loop);
    client_poll(&f->c);
    assert_int_equal(f->c.got.len, 0);
    assert_int_equal(f->requests, 1);
    deis_http_reply(f->held, 200, NULL, DEIS_STR("first"));
    client_expect(&f->c, "\r\n\r\nend");
    const char *first = strstr(f->c.got.data, "\r\n\r\nfirst");
    assert_non_null(first);
    assert_non_null(strstr(first, "\r\n\r\nhi"));
    stop(f);
}

static void httpd__pipelined_flood_waits_in_the_socket(void **state)
{
    struct fixture *f = start(NULL);
    client_say(&f->c, GET("/later"));
    loop_until(f->loop, is_held, f);
    memset(f->block, '\n', sizeof(f->block)); /* a flood of what would be read on */
    size_t went = 0;
    size_t stalls = 0;
    while (stalls < 3) {
        size_t n = client_push(&f->c, f->block, sizeof(f->block));
        went += n;
        stalls = n == 0 ? stalls + 1 : 0;
        assert_true(went < (size_t)64 * 1024 * 1024);
        loop_settle(f->loop);
    }
    deis_http_reply(f->held, 200, NULL, DEIS_STR("done"));
    client_expect(&f->c, "\r\n\r\ndone");
    stop(f);
}

static void httpd__bodies_any_split(void **state)
{
    static const char chunked[] = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
                                  "\r\n4\r\nabcd\r\n3;x=y\r\nefg\r\n0\r\nT: v\r\n\r\n";
    struct fixture *f = start(NULL);
    for (size_t i = 0; i < sizeof(chunked) - 1; i++) {
        client_send(&f->c, chunked + i, 1);
        loop_settle(f->loop);
    }
    client_expect(&f->c, "Content-Length: 7\r\n\r\nabcdefg");
    client_say(&f->c, GET("/hello"));
    client_expect(&f->c, "\r\n\r\nhi");
    stop(f);
}

static void httpd__says_continue_only_when_it_wants_the_body(void **state)
{
    struct fixture *f = start(NULL);
    client_say(&f->c, "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                      "Content-Length: 4\r\n\r\n");
    client_expect(&f->c, "HTTP/1.1 100 Continue\r\n\r\n");
    client_say(&f->c, "body");
    client_expect(&f->c, "\r\n\r\nbody");
    client_forget(&f->c);
    client_say(&f->c, "POST /denied HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                      "Content-Length: 4\r\n\r\n");
    client_expect(&f->c, "Connection: close\r\n\r\nno");
    client_expect_end(&f->c);
    assert_null(strstr(f->c.got.data, "100 Continue"));
    stop(f);
}

/* --- limits --- */

static void httpd__refuses_a_body_over_the_limit(void **state)
{
    struct deis_httpd_opts opts = { .body_max = 1000 };
    struct fixture *f = start(&opts);
    client_say(&f->c, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n");
    client_expect(&f->c, "HTTP/1.1 413 ");
    client_expect_end(&f->c);
    assert_int_equal(f->gone, 1);
    assert_int_equal(f->requests, 0);
    stop(f);

    f = start(&opts);
    client_say(&f->c,
               "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n");
    client_send(&f->c, f->block, 1001);
    client_expect(&f->c, "HTTP/1.1 413 ");
    client_expect_end(&f->c);
    assert_int_equal(f->requests, 0);
    stop(f);
}

static void httpd__all_bodies_together_have_a_limit(void **state)
{
    struct deis_httpd_opts opts = { .bodies_max = 1000 };
    struct fixture *f = start(&opts);
    struct loop_client second, third;
    client_say(&f->c, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 901\r\n\r\n");
    client_send(&f->c, f->block, 900);
    loop_settle(f->loop);
    client_open(&second, f->loop, deis_httpd_port(f->server));
    client_say(&second, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n");
    client_send(&second, f->block, 101);
    client_expect(&second, "HTTP/1.1 503 ");
    client_expect_end(&second);
    client_send(&f->c, f->block, 1);
    client_expect(&f->c, "HTTP/1.1 200 ");
    client_open(&third, f->loop, deis_httpd_port(f->server));
    for (int i = 0; i < 3; i++) {
        client_say(&third, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n");
        client_send(&third, f->block, 1000);
        client_expect_bytes(&third, (size_t)(i + 1) * 1000); /* with the heads it is more */
    }
    assert_int_equal(f->requests, 4);
    client_close(&second);
    client_close(&third);
    stop(f);
}

static void httpd__hostile_heads_are_refused(void **state)
{
    static const struct {
        const char *bytes;
        const char *answer;
    } cases[] = {
        { "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 " },
        { "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "HTTP/1.1 400 " },
        { "GET / HTTP/1.1\nHost: a\n\n", "HTTP/1.1 400 " },
        { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
          "HTTP/1.1 400 " },
        { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
          "HTTP/1.1 400 " },
        { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 1\r\n\r\n", "HTTP/1.1 400 " },
        { "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
          "HTTP/1.1 400 " },
        { "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/1.1 505 " },
        { "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\r\n\r\n", "HTTP/1.1 400 " },
    };

    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        struct fixture *f = start(NULL);
        client_say(&f->c, cases[i].bytes);
        client_expect(&f->c, cases[i].answer);
        client_expect(&f->c, "Connection: close\r\n");
        client_expect_end(&f->c);
        assert_false(f->c.reset);
        assert_int_equal(f->requests, 0);
        stop(f);
    }
}

static void httpd__head_without_end_is_refused(void **state)
{
    struct fixture *f = start(NULL);
    client_say(&f->c, "GET / HTTP/1.1\r\nX: ");
    client_send(&f->c, f->block, sizeof(f->block));
    client_expect(&f->c, "HTTP/1.1 431 ");
    client_expect_end(&f->c);
    stop(f);
}

static void httpd__random_bytes_never_reach_the_service(void **state)
{
    struct fixture *f = start(NULL);
    uint32_t seed = 12345;
    for (int round = 0; round < 60; round++) {
        char bytes[300];
        for (size_t i = 0; i < sizeof(bytes); i++) {
            seed = seed * 1664525U + 1013904223U;
            bytes[i] = (char)(seed >> 24);
        }
        bytes[0] = '\x01'; /* no method starts like this */
        struct loop_client c;
        client_open(&c, f->loop, deis_httpd_port(f->server));
        client_send(&c, bytes, sizeof(bytes));
        shutdown(c.fd, SHUT_WR);
        client_expect_end(&c);
        client_close(&c);
    }
    assert_int_equal(f->requests, 0);
    client_say(&f->c, GET("/hello"));
    client_expect(&f->c, "\r\n\r\nhi");
    stop(f);
}

static void httpd__deadlines(void **state)
{
    struct deis_httpd_opts opts = { .head_timeout_ms = 60, .idle_timeout_ms = 120 };
    struct fixture *f = start(&opts);
    struct loop_client silent;
    struct loop_client body;
    client_open(&silent, f->loop, deis_httpd_port(f->server));
    client_open(&body, f->loop, deis_httpd_port(f->server));
    client_say(&f->c, "GET /hello HTTP/1.1\r\n");
    client_say(&body, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf");
    client_expect(&f->c, "HTTP/1.1 408 ");
    client_expect_end(&f->c);
    client_expect(&body, "HTTP/1.1 408 ");
    client_expect_end(&body);
    client_expect_end(&silent);
    assert_int_equal(silent.got.len, 0);
    assert_int_equal(f->requests, 0);
    client_close(&silent);
    client_close(&body);
    stop(f);
}

static void httpd__more_connections_than_allowed_wait(void **state)
{
    struct fixture *f = start(&(struct deis_httpd_opts){ .max_connections = 1 });
    struct loop_client second;
    client_say(&f->c, GET("/hello"));
    client_expect(&f->c, "\r\n\r\nhi");
    client_open(&second, f->loop, deis_httpd_port(f->server));
    client_say(&second, GET("/hello"));
    loop_settle(f->loop);
    assert_int_equal(f->requests, 1);
    client_close(&f->c);
    client_expect(&second, "\r\n\r\nhi");
    client_close(&second);
    stop(f);
}

/* --- peers that go away --- */

static void httpd__gone_is_told_once(void **state)
{
    static const char *const cases[] = {
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\npart",
        "POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\npa",
        GET("/later"),
        GET("/stream"),
        GET("/later") GET("/later"),
    };
    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        for (int hard = 0; hard < 2; hard++) {
            struct fixture *f = start(NULL);
            client_say(&f->c, cases[i]);
            loop_settle(f->loop);
            struct linger reset = { .l_onoff = hard, .l_linger = 0 };
            setsockopt(f->c.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
            client_close(&f->c);
            loop_until(f->loop, is_gone, f);
            loop_settle(f->loop);
            assert_int_equal(f->gone, 1);
            stop(f);
        }
    }
}

static void httpd__not_gone_once_the_answer_is_handed_over(void **state)
{
    struct fixture *f = start(NULL);
    client_say(&f->c, GET("/later"));
    loop_until(f->loop, is_held, f);
    close(f->c.fd);
    f->c.fd = -1;
    deis_http_reply(f->held, 200, NULL, DEIS_STR("too late"));
    loop_settle(f->loop);
    assert_int_equal(f->gone, 0);
    stop(f);
}

static void httpd__upgrade_leaves_http(void **state)
{
    struct fixture *f = start(NULL);

    client_say(&f->c, "GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n"
                      "Upgrade: parrot\r\n\r\nearly bird");
    client_expect(&f->c, "Connection: Upgrade\r\nUpgrade: parrot\r\nX-Test: yes\r\n\r\n");
    assert_non_null(strstr(f->c.got.data, "HTTP/1.1 101 Switching Protocols\r\n"));
    assert_string_equal(f->early.data, "early bird");
    client_forget(&f->c);
    deis_httpd_drain(f->server, NULL, NULL); /* it does not know of that connection any more */
    loop_settle(f->loop);
    assert_int_equal(write(f->tunnel, "hello", 5), 5);
    client_expect(&f->c, "hello");
    close(f->tunnel);
    client_expect_end(&f->c);
    assert_int_equal(f->gone, 0);
    deis_buf_clear(&f->early);
    stop(f);
}

static void httpd__free_tells_who_waits(void **state)
{
    struct fixture *f = start(NULL);
    client_say(&f->c, GET("/later"));
    loop_until(f->loop, is_held, f);
    deis_httpd_free(f->server);
    f->server = NULL;
    assert_int_equal(f->gone, 1);
    client_expect_end(&f->c);
    stop(f);
}

/* --- streams --- */

static void httpd__streamed_answer_follows_the_reader(void **state)
{
    struct fixture *f = start(NULL);
    client_say(&f->c, GET("/stream"));
    loop_settle(f->loop);
    loop_settle(f->loop);
    assert_true(f->streamed < STREAM_BYTES);
    client_expect(&f->c, "\r\n0\r\n\r\n");
    assert_non_null(strstr(f->c.got.data, "Transfer-Encoding: chunked\r\n"));
    assert_true(f->c.got.len > STREAM_BYTES);
    assert_int_equal(f->most_unsent, 0);
    client_say(&f->c, GET("/hello"));
    client_expect(&f->c, "\r\n\r\nhi");
    stop(f);
}

static void httpd__file_is_sent_from_its_offset(void **state)
{
    struct fixture *f = start(NULL);
    client_say(&f->c, GET("/file") GET("/hello"));
    client_expect(&f->c, "\r\n\r\nhi");
    const char *body = strstr(f->c.got.data, "\r\n\r\n") + 4;
    assert_memory_equal(body, f->block + 5, 60000);
    assert_memory_equal(body + 60000, "HTTP/1.1 200", 12);
    stop(f);
}

static void httpd__aborted_answer_looks_broken(void **state)
{
    struct fixture *f = start(NULL);
    client_say(&f->c, GET("/broken"));
    client_expect_end(&f->c);
    assert_true(f->c.reset);
    assert_int_equal(f->gone, 0);
    stop(f);
}

static void httpd__paused_body_holds_the_sender_back(void **state)
{
    struct fixture *f = start(NULL);
    char head[128];
    snprintf(head, sizeof(head),
             "PUT /upload-paused HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n", STREAM_BYTES);
    client_say(&f->c, head);
    size_t went = 0;
    size_t stalls = 0;
    while (stalls < 3) {
        size_t n = client_push(&f->c, f->block, sizeof(f->block));
        went += n;
        stalls = n == 0 ? stalls + 1 : 0;
        assert_true(went < STREAM_BYTES);
        loop_settle(f->loop);
    }
    assert_non_null(f->held);
    assert_true(f->uploaded <= 16384);
    deis_http_pause_body(f->held, false);
    while (went < STREAM_BYTES) {
        size_t n = STREAM_BYTES - went < sizeof(f->block) ? STREAM_BYTES - went : sizeof(f->block);
        client_send(&f->c, f->block, n);
        went += n;
    }
    client_expect(&f->c, "\r\n\r\ntaken");
    assert_int_equal(f->uploaded, STREAM_BYTES);
    stop(f);
}

static void httpd__early_answer_arrives_before_the_close(void **state)
{
    struct fixture *f = start(NULL);
    client_say(&f->c, "PUT /denied HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n");
    client_send(&f->c, f->block, sizeof(f->block));
    client_expect(&f->c, "HTTP/1.1 403 ");
    client_expect(&f->c, "Connection: close\r\n\r\nno");
    client_expect_end(&f->c);
    assert_false(f->c.reset);
    stop(f);

    f = start(NULL);
    client_say(&f->c, "PUT /denied HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n");
    client_say(&f->c, "0123456789" GET("/hello"));
    client_expect(&f->c, "\r\n\r\nhi");
    stop(f);
}

/* --- drain --- */

static void on_drained(void *arg)
{
    struct fixture *f = arg;
    f->drained++;
    deis_httpd_free(f->server);
    f->server = NULL;
}

static void httpd__drain_finishes_what_runs(void **state)
{
    struct fixture *f = start(NULL);
    struct loop_client idle;
    struct loop_client waiting; /* in the backlog, its request sent */
    client_say(&f->c, GET("/later"));
    client_open(&idle, f->loop, deis_httpd_port(f->server));
    client_say(&idle, GET("/hello"));
    client_expect(&idle, "\r\n\r\nhi");
    loop_until(f->loop, is_held, f);
    client_open(&waiting, f->loop, deis_httpd_port(f->server));
    assert_true(client_push(&waiting, GET("/hello"), strlen(GET("/hello"))) > 0);
    deis_httpd_drain(f->server, on_drained, f);
    client_expect(&waiting, "Connection: close\r\n\r\nhi");
    client_expect_end(&waiting);
    client_expect_end(&idle);
    assert_int_equal(f->drained, 0);
    deis_http_reply(f->held, 200, NULL, DEIS_STR("last"));
    client_expect(&f->c, "Connection: close\r\n\r\nlast");
    client_close(&f->c);
    client_close(&waiting);
    loop_until(f->loop, is_drained, f);
    client_close(&idle);
    stop(f);
}

static void httpd__drain_without_connections_is_done_at_once(void **state)
{
    struct fixture *f = start_at("127.0.0.1:0", NULL);
    f->c.fd = -1;
    deis_httpd_drain(f->server, on_drained, f);
    assert_int_equal(f->drained, 0);
    loop_until(f->loop, is_drained, f);
    stop(f);
}

/* --- listening --- */

static void httpd__unix_socket(void **state)
{
    char address[64];
    snprintf(address, sizeof(address), "unix:/tmp/httpd-test-%d.sock", (int)getpid());
    struct fixture *f = start_at(address, NULL);
    client_open_unix(&f->c, f->loop, address + 5);
    client_say(&f->c, GET("/peer"));
    client_expect(&f->c, "\r\n\r\nunix");
    stop(f);
    assert_int_not_equal(access(address + 5, F_OK), 0);
}

static void httpd__says_what_it_cannot_listen_on(void **state)
{
    static const struct deis_httpd_ops ops = { .on_request = on_request };
    static const char *const bad[] = { "127.0.0.1", "nowhere:80", "127.0.0.1:99999",
                                       "unix:/nowhere/at/all", "203.0.113.1:80" };
    struct deis_loop *loop = deis_loop_new();
    for (size_t i = 0; i < DEIS_COUNT(bad); i++) {
        struct deis_err err = DEIS_ERR_INIT;
        assert_null(deis_httpd_new(loop, bad[i], NULL, &ops, NULL, &err));
        assert_non_null(strstr(err.msg, i == 3 ? "/nowhere/at/all" : bad[i]));
    }
    deis_loop_free(loop);
}

int main(void)
{
    deis_runtime_init("unit");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(httpd__answers_on_a_kept_connection),
        cmocka_unit_test(httpd__answers_without_a_body),
        cmocka_unit_test(httpd__old_version_closes_unless_asked),
        cmocka_unit_test(httpd__reasons_in_upper_case),
        cmocka_unit_test(httpd__pipelined_requests_are_answered_in_order),
        cmocka_unit_test(httpd__pipelined_flood_waits_in_the_socket),
        cmocka_unit_test(httpd__bodies_any_split),
        cmocka_unit_test(httpd__says_continue_only_when_it_wants_the_body),
        cmocka_unit_test(httpd__refuses_a_body_over_the_limit),
        cmocka_unit_test(httpd__all_bodies_together_have_a_limit),
        cmocka_unit_test(httpd__hostile_heads_are_refused),
        cmocka_unit_test(httpd__head_without_end_is_refused),
        cmocka_unit_test(httpd__random_bytes_never_reach_the_service),
        cmocka_unit_test(httpd__deadlines),
        cmocka_unit_test(httpd__more_connections_than_allowed_wait),
        cmocka_unit_test(httpd__gone_is_told_once),
        cmocka_unit_test(httpd__not_gone_once_the_answer_is_handed_over),
        cmocka_unit_test(httpd__upgrade_leaves_http),
        cmocka_unit_test(httpd__free_tells_who_waits),
        cmocka_unit_test(httpd__streamed_answer_follows_the_reader),
        cmocka_unit_test(httpd__file_is_sent_from_its_offset),
        cmocka_unit_test(httpd__aborted_answer_looks_broken),
        cmocka_unit_test(httpd__paused_body_holds_the_sender_back),
        cmocka_unit_test(httpd__early_answer_arrives_before_the_close),
        cmocka_unit_test(httpd__drain_finishes_what_runs),
        cmocka_unit_test(httpd__drain_without_connections_is_done_at_once),
        cmocka_unit_test(httpd__unix_socket),
        cmocka_unit_test(httpd__says_what_it_cannot_listen_on),
    };
    return cmocka_run_group_tests_name("httpd", tests, NULL, NULL);
}
