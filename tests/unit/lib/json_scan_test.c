/* SPDX-License-Identifier: MIT */
#include "tests/support/test.h"

#include "lib/base/buf.h"
#include "lib/wire/json_scan.h"

static const char *const names[] = { "a", "b" };

static void object__gives_the_text_of_its_members(void **state)
{
    struct deis_str m[2], text;

    assert_true(deis_json_scan_object(
        DEIS_STR(" {\"x\":[{\"a\":9}],\"a\" : \"q\\\"\\\\\" ,\n\"b\":{\"a\":[1,2]}} "), names, 2,
        m));
    assert_true(deis_str_eq_cstr(m[0], "\"q\\\"\\\\\""));
    assert_true(deis_str_eq_cstr(m[1], "{\"a\":[1,2]}"));
    assert_true(deis_json_scan_text(m[0], &text));
    assert_true(deis_str_eq_cstr(text, "q\\\"\\\\"));
    assert_false(deis_json_scan_text(m[1], &text));
    assert_true(deis_json_scan_object(DEIS_STR("{}"), names, 2, m));
    assert_null(m[0].ptr);
}

static void object__takes_null_as_absent(void **state)
{
    struct deis_str m[2];

    assert_true(deis_json_scan_object(DEIS_STR("{\"a\":null,\"b\":-1.5e3}"), names, 2, m));
    assert_null(m[0].ptr);
    assert_true(deis_str_eq_cstr(m[1], "-1.5e3"));
}

static void object__that_is_none_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "1",
        "[]",
        "{",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1",
        "{\"a\":1,}",
        "{,\"a\":1}",
        "{\"a\":{}",
        "{}}",
        "{} {}",
        "{\"a\" 1}",
        "{\"a\":1 2}",
        "{\"a\":[1}",
        "{\"a\":\"x}",
        "{a:1}",
        "{\"a\":\"\\\"}",
        "{\"a\":]}",
        "{\"a\":1\"b\":2}",
        "{\"b\":1,\"b\":null}",
        "{\"a\":1,\"a\":1}",
    };
    struct deis_str m[2];

    for (size_t i = 0; i < DEIS_COUNT(bad); i++) {
        if (deis_json_scan_object(deis_str(bad[i]), names, 2, m)) {
            fail_msg("taken: %s", bad[i]);
        }
    }
}

static void object__of_many_levels_is_refused(void **state)
{
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(4096);
    struct deis_str m[2];

    deis_buf_add_cstr(&text, "{\"a\":");
    for (unsigned i = 0; i < 1000; i++) {
        deis_buf_add_char(&text, '[');
    }
    assert_false(deis_json_scan_object(deis_buf_str(&text), names, 2, m));
}

/* How many items an array has; -1: it is none. */
static int count_items(const char *text)
{
    struct deis_str at = deis_str(text), item;
    bool bad;
    int n = 0;

    while (deis_json_scan_array(&at, &item, &bad)) {
        n++;
    }
    return bad ? -1 : n;
}

static void array__is_walked_item_by_item(void **state)
{
    static const char *const bad[] = { "",     "{}",   "[",     "[1",   "[1,", "[1,]",
                                       "[,1]", "[1]x", "[1 2]", "[[1]", "1" };

    assert_int_equal(count_items("[]"), 0);
    assert_int_equal(count_items(" [ ] "), 0);
    assert_int_equal(count_items("[1]"), 1);
    assert_int_equal(count_items("[[1,2],{\"a\":[3]} , \"x,]\",null]"), 4);
    for (size_t i = 0; i < DEIS_COUNT(bad); i++) {
        if (count_items(bad[i]) != -1) {
            fail_msg("taken: %s", bad[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(object__gives_the_text_of_its_members),
        cmocka_unit_test(object__takes_null_as_absent),
        cmocka_unit_test(object__that_is_none_is_refused),
        cmocka_unit_test(object__of_many_levels_is_refused),
        cmocka_unit_test(array__is_walked_item_by_item),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
