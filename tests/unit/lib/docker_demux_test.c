/* SPDX-License-Identifier: MIT */
/* The pure parts of the Docker client: frames, lines, answers. */
#include "tests/support/test.h"

#include "lib/net/docker_client.h"

/* --- frames --- */

#define FRAMES                                                                                     \
    "\1\0\0\0\0\0\0\5hello"                                                                        \
    "\2\0\0\0\0\0\0\1!"                                                                            \
    "\1\0\0\0\0\0\0\0"                                                                             \
    "\1\0\0\0\0\0\0\3\0\1\2"

static void demux(struct deis_docker_demux *x, struct deis_str input, struct deis_buf out[2])
{
    struct deis_str data;
    int stream;

    while (deis_docker_demux_feed(x, &input, &stream, &data)) {
        assert_in_range(stream, 1, 2);
        assert_true(data.len > 0);
        deis_buf_add_str(&out[stream - 1], data);
    }
    assert_int_equal(input.len, 0);
}

static void demux__is_the_same_for_every_cut(void **state)
{
    static const char frames[] = FRAMES;
    const struct deis_str all = deis_str_n(frames, sizeof(frames) - 1);

    for (size_t step = 1; step <= all.len; step++) {
        struct deis_docker_demux x = { 0 };
        struct deis_buf out[2] = { DEIS_BUF_INIT(64), DEIS_BUF_INIT(64) };
        for (size_t at = 0; at < all.len; at += step) {
            demux(&x, deis_str_first(deis_str_skip(all, at), step), out);
        }
        assert_int_equal(out[0].len, 8);
        assert_memory_equal(out[0].data, "hello\0\1\2", 8);
        assert_string_equal(out[1].data, "!");
        deis_buf_clear(&out[0]);
        deis_buf_clear(&out[1]);
    }
}

static void demux__takes_the_largest_frame(void **state)
{
    struct deis_docker_demux x = { 0 };
    struct deis_str input = DEIS_STR("\1\0\0\0\xff\xff\xff\xffxyz");
    struct deis_str data;
    int stream;

    assert_true(deis_docker_demux_feed(&x, &input, &stream, &data));
    assert_true(deis_str_eq_cstr(data, "xyz"));
    assert_int_equal(x.left, 0xffffffffu - 3);
    assert_false(deis_docker_demux_feed(&x, &input, &stream, &data));
}

/* --- lines --- */

static void count_object(const json_t *obj, void *arg)
{
    struct deis_buf *out = arg;
    const json_t *s = json_object_get(obj, "s");
    deis_buf_add(out, json_string_value(s), json_string_length(s));
    deis_buf_add_char(out, ';');
}

static void lines__are_the_same_for_every_cut(void **state)
{
    const struct deis_str all = DEIS_STR("{\"s\":\"a\"}\r\n\n{\"s\":\"b\\u0000c\"}\nnot json\n[1]\n"
                                         "{\"s\":\"d\\n\"}");

    for (size_t step = 1; step <= all.len; step++) {
        struct docker_lines l;
        deis_autobuf struct deis_buf out = DEIS_BUF_INIT(64);
        docker_lines_init(&l);
        for (size_t at = 0; at < all.len; at += step) {
            struct deis_str piece = deis_str_first(deis_str_skip(all, at), step);
            assert_int_equal(docker_lines_feed(&l, piece, count_object, &out, NULL), DEIS_OK);
        }
        docker_lines_end(&l, count_object, &out);
        assert_int_equal(out.len, 9);
        assert_memory_equal(out.data, "a;b\0c;d\n;", 9);
        docker_lines_clear(&l);
    }
}

static void lines__are_bounded(void **state)
{
    struct docker_lines l;
    static char part[65536];
    struct deis_err err = DEIS_ERR_INIT;
    size_t fed = 0;

    memset(part, ' ', sizeof(part));
    docker_lines_init(&l);
    while (docker_lines_feed(&l, deis_str_n(part, sizeof(part)), count_object, NULL, &err) == 0) {
        fed += sizeof(part);
        assert_true(fed <= DOCKER_LINE_MAX);
    }
    assert_int_equal(err.code, DEIS_LIMIT);
    docker_lines_clear(&l);
}

/* --- answers --- */

static enum deis_h1_result answer(const char *text, size_t step, struct docker_answer *a,
                                  struct deis_buf *body, struct deis_err *err)
{
    enum deis_h1_result r = DEIS_H1_MORE;

    docker_answer_init(a);
    for (struct deis_str all = deis_str(text); all.len > 0 && r == DEIS_H1_MORE;
         all = deis_str_skip(all, step)) {
        struct deis_str piece = deis_str_first(all, step);
        while (piece.len > 0 && r == DEIS_H1_MORE) {
            struct deis_str data;
            r = docker_answer_feed(a, &piece, &data, err);
            deis_buf_add_str(body, data);
        }
    }
    return r;
}

static void answer__in_each_framing(void **state)
{
    static const struct {
        const char *text;
        enum deis_h1_result result;
        int status;
        const char *body;
        const char *error;
    } cases[] = {
        { "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nraw bytes",
          DEIS_H1_MORE, 101, "raw bytes", "" },
        { "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\nraw",
          DEIS_H1_MORE, 200, "raw", "" },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n",
          DEIS_H1_MORE, 200, "abcde", "" },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
          DEIS_H1_DONE, 200, "abc", "" },
        { "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", DEIS_H1_DONE, 200, "ab", "" },
        { "HTTP/1.1 404 Not Found\r\nContent-Length: 23\r\n\r\n{\"message\":\"no such x\"}",
          DEIS_H1_BAD, 404, "", "no such x" },
        { "HTTP/1.1 500 Oh\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n?\r\n0\r\n\r\n", DEIS_H1_BAD,
          500, "", "500" },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", DEIS_H1_BAD, 200, "", "" },
        { "SSH-2.0-OpenSSH\r\n", DEIS_H1_BAD, 0, "", "" },
    };

    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        for (size_t step = 1; step <= strlen(cases[i].text); step++) {
            deis_autobuf struct deis_buf body = DEIS_BUF_INIT(64);
            struct deis_err err = DEIS_ERR_INIT;
            struct docker_answer a;
            assert_int_equal(answer(cases[i].text, step, &a, &body, &err), cases[i].result);
            assert_int_equal(a.status, cases[i].status);
            assert_string_equal(body.data, cases[i].body);
            assert_non_null(strstr(err.msg, cases[i].error));
            docker_answer_clear(&a);
        }
    }
}

static void refusals__become_codes(void **state)
{
    struct deis_err err = DEIS_ERR_INIT;

    assert_int_equal(docker_refused(404, DEIS_STR("{\"message\":\"a\"}\n"), &err), DEIS_NOT_FOUND);
    assert_string_equal(err.msg, "Docker Engine: a");
    assert_int_equal(docker_refused(409, DEIS_STR(""), &err), DEIS_CONFLICT);
    assert_int_equal(docker_refused(400, DEIS_STR("page not found\n"), &err), DEIS_INVALID);
    assert_int_equal(docker_refused(500, DEIS_STR("{}"), &err), DEIS_UNAVAILABLE);
}

/* --- what goes out --- */

static void query__is_encoded(void **state)
{
    static const char *const labels[] = { "a=b=c", "flag", NULL };
    deis_autobuf struct deis_buf path = DEIS_BUF_INIT(256);
    deis_autojson json_t *map = docker_label_map(labels);

    deis_buf_add_cstr(&path, "/x");
    docker_query(&path, "t", "127.0.0.1:5555/a b:1&q=2");
    docker_query(&path, "none", NULL);
    docker_query_json(&path, "labels", map);
    assert_string_equal(path.data, "/x?t=127.0.0.1%3A5555%2Fa%20b%3A1%26q%3D2"
                                   "&labels=%7B%22a%22%3A%22b%3Dc%22%2C%22flag%22%3A%22%22%7D");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(demux__is_the_same_for_every_cut),
        cmocka_unit_test(demux__takes_the_largest_frame),
        cmocka_unit_test(lines__are_the_same_for_every_cut),
        cmocka_unit_test(lines__are_bounded),
        cmocka_unit_test(answer__in_each_framing),
        cmocka_unit_test(refusals__become_codes),
        cmocka_unit_test(query__is_encoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
