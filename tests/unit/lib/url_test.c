/* SPDX-License-Identifier: MIT */
#include "tests/support/test.h"

#include "lib/wire/url.h"

static void split__is_at_the_first_question_mark(void **state)
{
    struct deis_str path;
    struct deis_str query;
    deis_url_split(DEIS_STR("/a?b?c"), &path, &query);
    assert_true(deis_str_eq_cstr(path, "/a"));
    assert_true(deis_str_eq_cstr(query, "b?c"));
    deis_url_split(DEIS_STR("/a"), &path, &query);
    assert_null(query.ptr);
    deis_url_split(DEIS_STR("/a?"), &path, &query);
    assert_non_null(query.ptr);
    assert_int_equal(query.len, 0);
}

static void decode__undoes_percent_and_plus(void **state)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(100);
    assert_int_equal(deis_url_decode(DEIS_STR("a%2fb+c%C3%bc"), false, &out, NULL), 0);
    assert_string_equal(out.data, "a/b+c\xc3\xbc");
    deis_buf_reset(&out);
    assert_int_equal(deis_url_decode(DEIS_STR("a+b%2B"), true, &out, NULL), 0);
    assert_string_equal(out.data, "a b+");
    static const char *const bad[] = { "%", "%4", "%4g", "%g4", "a%00b", "%%41" };
    for (size_t i = 0; i < DEIS_COUNT(bad); i++) {
        assert_int_equal(deis_url_decode(deis_str(bad[i]), false, &out, NULL), DEIS_INVALID);
    }
    deis_autobuf struct deis_buf small = DEIS_BUF_INIT(2);
    assert_int_equal(deis_url_decode(DEIS_STR("abc"), false, &small, NULL), DEIS_LIMIT);
}

static void query__gives_the_first_value_of_the_key(void **state)
{
    struct deis_str query = DEIS_STR("a=1&b=x+y%26z&a=2&flag&e=&p%61ge=7");

    static const struct {
        const char *key;
        const char *value;
    } rows[] = { { "a", "1" }, { "b", "x y&z" }, { "flag", "" }, { "e", "" }, { "page", "7" } };

    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        deis_autobuf struct deis_buf out = DEIS_BUF_INIT(100);
        assert_int_equal(deis_url_query_get(query, rows[i].key, &out, NULL), 0);
        assert_string_equal(out.data, rows[i].value);
    }
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(100);
    assert_int_equal(deis_url_query_get(query, "c", &out, NULL), DEIS_NOT_FOUND);
    assert_int_equal(deis_url_query_get(DEIS_STR_NONE, "c", &out, NULL), DEIS_NOT_FOUND);
    assert_int_equal(deis_url_query_get(DEIS_STR("c=%zz"), "c", &out, NULL), DEIS_INVALID);
}

static void parse__takes_a_url_apart(void **state)
{
    static const struct {
        const char *text;
        const char *scheme;
        const char *host;
        uint16_t port;
        const char *path;
    } rows[] = {
        { "http://deis.example.com", "http", "deis.example.com", 0, "" },
        { "http://deis.example.com:8000/v1/apps?x=1", "http", "deis.example.com", 8000,
          "/v1/apps?x=1" },
        { "https://[::1]:443/", "https", "::1", 443, "/" },
        { "tcp://127.0.0.1:7001", "tcp", "127.0.0.1", 7001, "" },
        { "localhost:80", "", "localhost", 80, "" },
        { "my_host/x://y", "", "my_host", 0, "/x://y" },
    };

    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        struct deis_url url;
        assert_int_equal(deis_url_parse(deis_str(rows[i].text), &url, NULL), 0);
        assert_true(deis_str_eq_cstr(url.scheme, rows[i].scheme));
        assert_true(deis_str_eq_cstr(url.host, rows[i].host));
        assert_int_equal(url.port, rows[i].port);
        assert_true(deis_str_eq_cstr(url.path, rows[i].path));
    }
}

static void parse__refuses_what_is_ambiguous(void **state)
{
    static const char *const bad[] = {
        "",
        "http://",
        "://host",
        "1http://host",
        "http://user@host/",
        "http://a:b@host",
        "http://host:",
        "http://host:0",
        "http://host:65536",
        "http://host:+1",
        "http://[::1",
        "http://[::1]x",
        "http://[x]/",
        "http://::1/",
        "http://a b/",
        "http://host/a b",
        "http://host/\n",
        "http://h\xc3\xbc/",
        "http://host?x=1",
        "http:/host",
        "http://host:000080",
    };
    for (size_t i = 0; i < DEIS_COUNT(bad); i++) {
        struct deis_url url;
        struct deis_err err = DEIS_ERR_INIT;
        assert_int_equal(deis_url_parse(deis_str(bad[i]), &url, &err), DEIS_INVALID);
        assert_true(strlen(err.msg) > 0);
    }
}

static void addr__needs_a_port(void **state)
{
    struct deis_str host;
    uint16_t port;
    assert_int_equal(deis_addr_split(DEIS_STR("127.0.0.1:0"), &host, &port, NULL), 0);
    assert_true(deis_str_eq_cstr(host, "127.0.0.1"));
    assert_int_equal(port, 0);
    assert_int_equal(deis_addr_split(DEIS_STR("[fe80::1]:65535"), &host, &port, NULL), 0);
    assert_true(deis_str_eq_cstr(host, "fe80::1"));
    assert_int_equal(port, 65535);
    static const char *const bad[] = { "",           "host",   "host:", ":80",    "host:x",
                                       "host:65536", "::1:80", "[::1]", "a:b:80", "host:80/" };
    for (size_t i = 0; i < DEIS_COUNT(bad); i++) {
        assert_int_equal(deis_addr_split(deis_str(bad[i]), &host, &port, NULL), DEIS_INVALID);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(split__is_at_the_first_question_mark),
        cmocka_unit_test(decode__undoes_percent_and_plus),
        cmocka_unit_test(query__gives_the_first_value_of_the_key),
        cmocka_unit_test(parse__takes_a_url_apart),
        cmocka_unit_test(parse__refuses_what_is_ambiguous),
        cmocka_unit_test(addr__needs_a_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
