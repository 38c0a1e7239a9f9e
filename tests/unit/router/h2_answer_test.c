/* SPDX-License-Identifier: MIT */
#include "router/core/h2_answer.h"
#include "tests/support/test.h"

static struct h2_answer answer;
static char text[H2_ANSWER_MAX + H2_ANSWER_EXTRA];

static const char *accept;

static const char *head_of(const char *const *fields, bool no_body)
{
    answer = (struct h2_answer){ .accept = accept };
    for (size_t i = 0; fields[i]; i += 2) {
        h2_answer_add(&answer, text, deis_str(fields[i]), deis_str(fields[i + 1]));
    }
    if (!h2_answer_finish(&answer, text, no_body)) {
        return NULL;
    }
    text[answer.len] = '\0';
    return text;
}

static void head__becomes_text(void **state)
{
    static const struct {
        const char *fields[10];
        bool no_body;
        const char *text;
    } cases[] = {
        { { ":status", "200" }, false, "HTTP/1.1 200 OK\r\n\r\n" },
        { { ":status", "200", "a", "b", "c", "" },
          false,
          "HTTP/1.1 200 OK\r\na: b\r\nc: \r\n\r\n" },
        { { ":status", "404" }, true, "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n" },
        { { ":status", "200", "content-length", "3" },
          true,
          "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n" },
        { { ":status", "204" }, true, "HTTP/1.1 204 No Content\r\n\r\n" },
        { { ":status", "103", "link", "x" }, false, "HTTP/1.1 103 Unknown\r\nlink: x\r\n\r\n" },
    };

    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        const char *got = head_of(cases[i].fields, cases[i].no_body);
        assert_non_null(got);
        assert_string_equal(got, cases[i].text);
    }
}

static void head__of_a_websocket_becomes_its_grant(void **state)
{
    static const char grant[] =
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
        "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\na: b\r\n\r\n";
    static const char *const granted[] = {
        ":status", "200", "Sec-WebSocket-Accept", "x", "content-length", "3", "a", "b", NULL
    };
    static const char *const other_2xx[] = { ":status", "204", "a", "b", NULL };
    static const char *const refused[] = { ":status", "403", "content-length", "3", NULL };

    accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    assert_string_equal(head_of(granted, false), grant);
    assert_true(answer.granted);
    assert_string_equal(head_of(granted, true), grant);
    assert_string_equal(head_of(other_2xx, true), grant);
    assert_string_equal(head_of(refused, false),
                        "HTTP/1.1 403 Forbidden\r\ncontent-length: 3\r\n\r\n");
    assert_false(answer.granted);
    accept = NULL;
}

static void head__that_is_malformed_is_refused(void **state)
{
    static const char *const cases[][8] = {
        { "a", "b" },
        { ":status", "20" },
        { ":status", "2000" },
        { ":status", "099" },
        { ":status", "600" },
        { ":status", "+20" },
        { ":status", "101" },
        { ":status", "200", ":status", "200" },
        { "a", "b", ":status", "200" },
        { ":status", "200", ":path", "/" },
        { ":status", "200", "", "x" },
        { ":status", "200", "a", "b\r\nc: d" },
        { ":status", "200", "a\r\n", "b" },
        { ":status", "200", "connection", "close" },
        { ":status", "200", "transfer-encoding", "chunked" },
    };

    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        assert_null(head_of(cases[i], false));
    }
}

static void head__has_a_limit(void **state)
{
    char value[1000];

    memset(value, 'v', sizeof(value));
    memset(&answer, 0, sizeof(answer));
    h2_answer_add(&answer, text, DEIS_STR(":status"), DEIS_STR("200"));
    for (int i = 0; i < 100; i++) {
        h2_answer_add(&answer, text, DEIS_STR("a"), deis_str_n(value, sizeof(value)));
    }
    assert_true(answer.bad);
    assert_true(answer.len <= H2_ANSWER_MAX);
}

static void trailers__are_lines(void **state)
{
    char lines[512];
    size_t len = 0;
    struct deis_str name;
    struct deis_str value;

    len = h2_trailer_add(lines, len, DEIS_STR("grpc-status"), DEIS_STR("0"));
    len = h2_trailer_add(lines, len, DEIS_STR("content-length"), DEIS_STR("5"));
    len = h2_trailer_add(lines, len, DEIS_STR("set-cookie"), DEIS_STR("a=b"));
    len = h2_trailer_add(lines, len, DEIS_STR("connection"), DEIS_STR("close"));
    len = h2_trailer_add(lines, len, DEIS_STR("a"), DEIS_STR("b\r\nc: d"));
    len = h2_trailer_add(lines, len, DEIS_STR("x-empty"), DEIS_STR(""));

    struct deis_str rest = deis_str_n(lines, len);
    assert_true(h2_trailer_next(&rest, &name, &value));
    assert_true(deis_str_eq_cstr(name, "grpc-status") && deis_str_eq_cstr(value, "0"));
    assert_true(h2_trailer_next(&rest, &name, &value));
    assert_true(deis_str_eq_cstr(name, "x-empty") && value.len == 0);
    assert_false(h2_trailer_next(&rest, &name, &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(head__becomes_text),
        cmocka_unit_test(head__of_a_websocket_becomes_its_grant),
        cmocka_unit_test(head__that_is_malformed_is_refused),
        cmocka_unit_test(head__has_a_limit),
        cmocka_unit_test(trailers__are_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
