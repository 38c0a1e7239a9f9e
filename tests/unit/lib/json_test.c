/* SPDX-License-Identifier: MIT */
#include "tests/support/test.h"

#include "lib/wire/json.h"

static void parse__takes_any_value(void **state)
{
    static const char *const good[] = { "{}",     "[]",
                                        "1",      "\"x\"",
                                        "null",   " true\n",
                                        "-1.5e3", "{\"a\":{\"b\":[1,2,{\"c\":\"\\u00e9\"}]}}" };
    for (size_t i = 0; i < DEIS_COUNT(good); i++) {
        struct deis_err err = DEIS_ERR_INIT;
        deis_autojson json_t *v = deis_json_parse(deis_str(good[i]), &err);
        assert_non_null(v);
    }
}

static void parse__refuses_what_is_not_strict(void **state)
{
    static const struct {
        struct deis_str text;
        const char *msg;
    } rows[] = {
        { DEIS_STR(""), "the end is missing" },
        { DEIS_STR("{"), "the end is missing" },
        { DEIS_STR("{}x"), "bytes after the end" },
        { DEIS_STR("{} {}"), "bytes after the end" },
        { DEIS_STR("{\"a\":1,\"a\":2}"), "duplicate key" },
        { DEIS_STR("[1,]"), "syntax error" },
        { DEIS_STR("{'a':1}"), "syntax error" },
        { DEIS_STR("[01]"), "syntax error" },
        { DEIS_STR("[NaN]"), "syntax error" },
        { DEIS_STR("// x\n1"), "syntax error" },
        { DEIS_STR("[99999999999999999999]"), "number out of range" },
        { DEIS_STR("[1e999]"), "number out of range" },
        { DEIS_STR("[\"\xff\"]"), "invalid UTF-8" },
        { DEIS_STR("[\"\xed\xa0\x80\"]"), "invalid UTF-8" },
        { DEIS_STR("[\"\\u0000\"]"), "NUL in a string" },
        { DEIS_STR("[\"\\ud800\"]"), "syntax error" },
        { DEIS_STR("[\"a\nb\"]"), "syntax error" },
        { DEIS_STR("{}\0"), "bytes after the end" },
    };

    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        struct deis_err err = DEIS_ERR_INIT;
        deis_autojson json_t *v = deis_json_parse(rows[i].text, &err);
        assert_null(v);
        assert_int_equal(err.code, DEIS_INVALID);
        if (!strstr(err.msg, rows[i].msg)) {
            print_error("row %zu: %s\n", i, err.msg);
        }
        assert_non_null(strstr(err.msg, rows[i].msg));
    }
}

static void parse__never_quotes_the_input(void **state)
{
    struct deis_err err = DEIS_ERR_INIT;
    deis_autojson json_t *v = deis_json_parse(DEIS_STR("{\"password\": hunter2}"), &err);
    assert_null(v);
    assert_null(strstr(err.msg, "hunter2"));
    assert_non_null(strstr(err.msg, "line 1"));
}

static void parse__takes_nul_where_a_program_may_have_printed_it(void **state)
{
    static const char text[] = "[3, \"a\\u0000b\"]";
    struct deis_err err = DEIS_ERR_INIT;
    deis_autojson json_t *v = deis_json_parse_output(deis_str(text), &err);

    assert_non_null(v);
    assert_int_equal(json_string_length(json_array_get(v, 1)), 3);
    assert_memory_equal(json_string_value(json_array_get(v, 1)), "a\0b", 3);
    assert_null(deis_json_parse(deis_str(text), &err));
    assert_null(deis_json_parse_output(DEIS_STR("{\"a\":1,\"a\":2}"), &err));
}

static void parse__limits_the_depth(void **state)
{
    struct deis_err err = DEIS_ERR_INIT;
    char text[2 * DEIS_JSON_MAX_DEPTH + 3];
    memset(text, '[', DEIS_JSON_MAX_DEPTH);
    memset(text + DEIS_JSON_MAX_DEPTH, ']', DEIS_JSON_MAX_DEPTH);
    deis_autojson json_t *deepest =
        deis_json_parse(deis_str_n(text, 2 * DEIS_JSON_MAX_DEPTH), &err);
    assert_non_null(deepest);

    memset(text, '[', DEIS_JSON_MAX_DEPTH + 1);
    memset(text + DEIS_JSON_MAX_DEPTH + 1, ']', DEIS_JSON_MAX_DEPTH + 1);
    deis_autojson json_t *deeper =
        deis_json_parse(deis_str_n(text, 2 * DEIS_JSON_MAX_DEPTH + 2), &err);
    assert_null(deeper);
    assert_string_equal(err.msg, "JSON is nested deeper than 32 levels");

    /* Brackets within strings are no nesting, quotes behind a backslash no end of a string. */
    deis_autojson json_t *brackets = deis_json_parse(
        DEIS_STR("[\"\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\\\"]"), &err);
    assert_non_null(brackets);
}

static void text__is_made_of_anything(void **state)
{
    static const struct {
        struct deis_str from;
        const char *text;
    } cases[] = {
        { DEIS_STR("h\xC3\xA9"), "h\xC3\xA9" },
        { DEIS_STR("h\xC3"), "h\xEF\xBF\xBD" },
        { DEIS_STR("\xFF\xC3(\xE2\x82"), "\xEF\xBF\xBD\xEF\xBF\xBD(\xEF\xBF\xBD\xEF\xBF\xBD" },
        { DEIS_STR_NONE, "" },
    };

    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        deis_autojson json_t *v = deis_json_text(cases[i].from);
        assert_string_equal(json_string_value(v), cases[i].text);
    }
}

static void dump__keeps_the_order_of_the_keys(void **state)
{
    struct deis_err err = DEIS_ERR_INIT;
    deis_autojson json_t *v = deis_json_parse(DEIS_STR("{ \"z\": 1, \"a\": [true, null] }"), &err);
    deis_autofree char *text = deis_json_dump(v);
    assert_string_equal(text, "{\"z\":1,\"a\":[true,null]}");
}

static void getters__name_the_field(void **state)
{
    struct deis_err err = DEIS_ERR_INIT;
    deis_autojson json_t *v = deis_json_parse(
        DEIS_STR(
            "{\"s\":\"x\",\"n\":5,\"neg\":-1,\"r\":1.0,\"b\":true,\"o\":{},\"a\":[],\"z\":null}"),
        &err);
    const char *s;
    uint64_t n;
    bool b;
    json_t *child;
    assert_non_null(v);
    assert_int_equal(deis_json_get_str(v, "s", &s, &err), 0);
    assert_string_equal(s, "x");
    assert_int_equal(deis_json_get_u64(v, "n", &n, &err), 0);
    assert_int_equal(n, 5);
    assert_int_equal(deis_json_get_bool(v, "b", &b, &err), 0);
    assert_true(b);
    assert_int_equal(deis_json_get_object(v, "o", &child, &err), 0);
    assert_int_equal(deis_json_get_array(v, "a", &child, &err), 0);

    assert_int_equal(deis_json_get_str(v, "q", &s, &err), DEIS_INVALID);
    assert_string_equal(err.msg, "field 'q' is missing");
    assert_int_equal(deis_json_get_str(v, "n", &s, &err), DEIS_INVALID);
    assert_string_equal(err.msg, "field 'n' must be a string");
    assert_int_equal(deis_json_get_str(v, "z", &s, &err), DEIS_INVALID);
    assert_int_equal(deis_json_get_u64(v, "neg", &n, &err), DEIS_INVALID);
    assert_int_equal(deis_json_get_u64(v, "r", &n, &err), DEIS_INVALID);
    assert_int_equal(deis_json_get_bool(v, "n", &b, &err), DEIS_INVALID);
    assert_int_equal(deis_json_get_object(v, "a", &child, &err), DEIS_INVALID);
    assert_int_equal(deis_json_get_array(v, "o", &child, &err), DEIS_INVALID);
    /* A member of what is no object is missing. */
    assert_int_equal(deis_json_get_str(child, "s", &s, &err), DEIS_INVALID);
}

static void defaults__stand_for_absent_and_null_only(void **state)
{
    struct deis_err err = DEIS_ERR_INIT;
    deis_autojson json_t *v = deis_json_parse(DEIS_STR("{\"z\":null,\"n\":5}"), &err);
    const char *s = NULL;
    uint64_t n = 0;
    bool b = false;
    assert_int_equal(deis_json_str_or(v, "z", "def", &s, &err), 0);
    assert_string_equal(s, "def");
    assert_int_equal(deis_json_str_or(v, "q", NULL, &s, &err), 0);
    assert_null(s);
    assert_int_equal(deis_json_u64_or(v, "q", 9, &n, &err), 0);
    assert_int_equal(n, 9);
    assert_int_equal(deis_json_u64_or(v, "n", 9, &n, &err), 0);
    assert_int_equal(n, 5);
    assert_int_equal(deis_json_bool_or(v, "z", true, &b, &err), 0);
    assert_true(b);
    assert_int_equal(deis_json_str_or(v, "n", "def", &s, &err), DEIS_INVALID);
    assert_int_equal(deis_json_bool_or(v, "n", true, &b, &err), DEIS_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse__takes_any_value),
        cmocka_unit_test(parse__refuses_what_is_not_strict),
        cmocka_unit_test(parse__never_quotes_the_input),
        cmocka_unit_test(parse__takes_nul_where_a_program_may_have_printed_it),
        cmocka_unit_test(parse__limits_the_depth),
        cmocka_unit_test(text__is_made_of_anything),
        cmocka_unit_test(dump__keeps_the_order_of_the_keys),
        cmocka_unit_test(getters__name_the_field),
        cmocka_unit_test(defaults__stand_for_absent_and_null_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
