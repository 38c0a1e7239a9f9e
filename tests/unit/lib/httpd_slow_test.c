/* SPDX-License-Identifier: MIT */
/* Answers that nobody takes: together they have a bound. */
#include "tests/support/loop_client.h"
#include "tests/support/test.h"

#include "lib/net/httpd.h"

#define ANSWER_BYTES ((size_t)16 * 1024 * 1024) /* far more than the sockets hold */
#define UNSENT_MAX   ((size_t)5 * 1024 * 1024)

enum { CLIENTS = 3 };

struct fixture {
    struct deis_loop *loop;
    struct deis_httpd *server;
    struct loop_client c[CLIENTS];
    struct deis_http_req *streamed; /* "/stream": not at its end */
    int requests;
    int wanted;
    int gone;
    char *answer;
};

static void on_request(struct deis_http_req *req, void *arg)
{
    struct fixture *f = arg;
    bool stream = deis_str_eq_cstr(deis_http_path(req), "/stream");
    struct deis_str answer = deis_str_n(f->answer, ANSWER_BYTES);

    f->requests++;
    if (stream) {
        f->streamed = req;
        deis_http_reply_start(req, 200, NULL, UINT64_MAX, NULL, NULL);
        deis_http_reply_chunk(req, answer);
    } else if (deis_str_eq_cstr(deis_http_path(req), "/small")) {
        deis_http_reply(req, 200, NULL, DEIS_STR("small"));
    } else {
        deis_http_reply(req, 200, NULL, answer);
    }
}

static void on_gone(struct deis_http_req *req, void *arg)
{
    struct fixture *f = arg;

    assert_ptr_equal(req, f->streamed);
    f->gone++;
}

static struct fixture *start(void)
{
    static const struct deis_httpd_ops ops = { .on_request = on_request, .on_gone = on_gone };
    const struct deis_httpd_opts opts = { .unsent_max = UNSENT_MAX };
    struct deis_err err = DEIS_ERR_INIT;
    struct fixture *f = deis_alloc(sizeof(*f));

    f->answer = deis_alloc(ANSWER_BYTES);
    memset(f->answer, 'a', ANSWER_BYTES);
    f->loop = deis_loop_new();
    f->server = deis_httpd_new(f->loop, "127.0.0.1:0", &opts, &ops, f, &err);
    assert_non_null(f->server);
    for (size_t i = 0; i < CLIENTS; i++) {
        client_open(&f->c[i], f->loop, deis_httpd_port(f->server));
    }
    return f;
}

static void stop(struct fixture *f)
{
    for (size_t i = 0; i < CLIENTS; i++) {
        client_close(&f->c[i]);
    }
    deis_httpd_free(f->server);
    deis_loop_free(f->loop);
    free(f->answer);
    free(f);
}

static bool is_answered(void *arg)
{
    const struct fixture *f = arg;

    return f->requests == f->wanted;
}

static void ask(struct fixture *f, size_t client, const char *path)
{
    deis_autofree char *text = deis_asprintf("GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path);

    f->wanted = f->requests + 1;
    client_say(&f->c[client], text);
    loop_until(f->loop, is_answered, f);
}

static void httpd__the_slowest_reader_gives_way(void **state)
{
    struct fixture *f = start();

    for (size_t i = 0; i < CLIENTS; i++) {
        ask(f, i, "/big");
    }
    client_expect_bytes(&f->c[2], ANSWER_BYTES); /* who came last gets all of it */
    for (size_t i = 0; i < 2; i++) {
        client_expect_end(&f->c[i]);
        assert_true(f->c[i].got.len < ANSWER_BYTES);
    }
    ask(f, 2, "/small"); /* and its connection goes on */
    client_expect(&f->c[2], "\r\n\r\nsmall");
    assert_int_equal(f->gone, 0);
    stop(f);
}

static void httpd__a_stream_that_gives_way_is_told(void **state)
{
    struct fixture *f = start();

    ask(f, 0, "/stream");
    assert_int_equal(f->gone, 0);
    ask(f, 1, "/small");
    client_expect(&f->c[1], "\r\n\r\nsmall");
    assert_int_equal(f->gone, 0); /* small answers push nobody out */
    ask(f, 2, "/big");
    client_expect_bytes(&f->c[2], ANSWER_BYTES);
    assert_int_equal(f->gone, 1);
    client_expect_end(&f->c[0]);
    stop(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(httpd__the_slowest_reader_gives_way),
        cmocka_unit_test(httpd__a_stream_that_gives_way_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
