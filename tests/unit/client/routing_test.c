/* SPDX-License-Identifier: MIT */
#include "client/core/routing.h"
#include "tests/support/test.h"

static json_t *parse(const char *text)
{
    struct deis_err err;
    json_t *value = deis_json_parse(deis_str(text), &err);

    assert_non_null(value);
    return value;
}

static void pair_is(const char *arg, const char *name, const char *value, bool file)
{
    deis_autofree char *got_name = NULL;
    deis_autofree char *got_value = NULL;
    bool got_file;
    struct deis_err err;

    assert_int_equal(routing_pair(arg, &got_name, &got_value, &got_file, &err), 0);
    assert_string_equal(got_name, name);
    assert_string_equal(got_value, value);
    assert_int_equal(got_file, file);
}

static void pairs(void **state)
{
    char *name = NULL;
    char *value = NULL;
    bool file;
    struct deis_err err;

    pair_is("timeout=30s", "timeout", "30s", false);
    pair_is("page.503=<a href=x>", "page.503", "<a href=x>", false);
    pair_is("page.503=@a/b.html", "page.503", "a/b.html", true);
    pair_is("affinityArg=", "affinityArg", "", false);
    assert_int_equal(routing_pair("timeout", &name, &value, &file, &err), DEIS_INVALID);
    assert_int_equal(routing_pair("=30s", &name, &value, &file, &err), DEIS_INVALID);
    assert_null(name);
}

static void what_is_printed(void **state)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(65536);
    deis_autojson json_t *routing =
        parse("{\"app\":\"blog\",\"settings\":{\"whitelist\":[\"10.0.0.0/8:office\",\"::1\"],"
              "\"maintenance\":true,\"page.503\":\"<p>x\",\"rateLimit\":60,\"timeout\":\"5m\"},"
              "\"config_whitelist\":[\"192.0.2.7\"],\"updated\":null}");
    deis_autojson json_t *empty =
        parse("{\"app\":\"blog\",\"settings\":{},\"config_whitelist\":[],\"updated\":null}");

    routing_show_all(routing, &out);
    assert_string_equal(out.data, "=== blog Routing\n"
                                  "DEIS_WHITELIST    192.0.2.7\n"
                                  "maintenance       true\n"
                                  "page.503          (4 bytes)\n"
                                  "rateLimit         60\n"
                                  "timeout           5m\n"
                                  "whitelist         10.0.0.0/8:office,::1\n");
    deis_buf_reset(&out);
    routing_show_all(empty, &out);
    assert_string_equal(out.data, "=== blog Routing\nNothing is set\n");
    deis_buf_reset(&out);
    routing_show_whitelist(routing, &out);
    assert_string_equal(out.data, "=== blog Whitelist\n10.0.0.0/8:office\n192.0.2.7\n::1\n");
    deis_buf_reset(&out);
    routing_show_whitelist(empty, &out);
    assert_string_equal(out.data, "=== blog Whitelist\nEmpty: the app is open to all addresses\n");
}

/* Whatever a server answers. */
static void odd_answers(void **state)
{
    static const char *const odd[] = {
        "{}",
        "{\"settings\":7}",
        "{\"settings\":{\"whitelist\":[7,null],\"page.x\":5},\"app\":{}}",
        "{\"config_whitelist\":{\"a\":1}}",
        "[]",
    };

    for (size_t i = 0; i < DEIS_COUNT(odd); i++) {
        deis_autobuf struct deis_buf out = DEIS_BUF_INIT(65536);
        deis_autojson json_t *routing = parse(odd[i]);
        routing_show_all(routing, &out);
        routing_show_whitelist(routing, &out);
        assert_non_null(strstr(out.data, "Routing\n"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs),
        cmocka_unit_test(what_is_printed),
        cmocka_unit_test(odd_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
