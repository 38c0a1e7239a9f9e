/* SPDX-License-Identifier: MIT */
#include "tests/support/test.h"

#include "lib/base/buf.h"

static void add__keeps_a_final_nul(void **state)
{
    deis_autobuf struct deis_buf b = DEIS_BUF_INIT(1000);
    assert_string_equal(b.data, "");
    deis_buf_add_cstr(&b, "ab");
    deis_buf_add(&b, NULL, 0);
    deis_buf_add_char(&b, 'c');
    deis_buf_addf(&b, "%d%s", 42, "");
    deis_buf_addf(&b, "%s", "");
    deis_buf_add_str(&b, DEIS_STR("x\0y"));
    assert_int_equal(b.len, 8);
    assert_memory_equal(b.data, "abc42x\0y", 9);
}

static void limit__is_exact_and_a_failure_stays(void **state)
{
    deis_autobuf struct deis_buf b = DEIS_BUF_INIT(5);
    deis_buf_add_cstr(&b, "12345");
    assert_false(deis_buf_failed(&b));
    deis_buf_add_char(&b, '6');
    assert_true(deis_buf_failed(&b));
    assert_string_equal(b.data, "12345");
    deis_buf_reset(&b);
    assert_false(deis_buf_failed(&b));
    deis_buf_addf(&b, "%s", "123456");
    assert_true(deis_buf_failed(&b));
    assert_int_equal(b.len, 0);
    deis_buf_add_char(&b, 'x'); /* would fit, but something before it is missing */
    assert_int_equal(b.len, 0);
}

static void growth__loses_nothing(void **state)
{
    deis_autobuf struct deis_buf b = DEIS_BUF_INIT(100000);
    for (unsigned i = 0; i < 100000; i++) {
        deis_buf_add_char(&b, (char)('a' + i % 26));
    }
    assert_false(deis_buf_failed(&b));
    for (unsigned i = 0; i < 100000; i++) {
        assert_int_equal(b.data[i], 'a' + i % 26);
    }
}

static void take__gives_memory_even_when_empty(void **state)
{
    struct deis_buf b = DEIS_BUF_INIT(10);
    size_t len = 9;
    deis_autofree char *empty = deis_buf_take(&b, &len);
    assert_string_equal(empty, "");
    assert_int_equal(len, 0);
    deis_buf_add_cstr(&b, "abc");
    deis_autofree char *text = deis_buf_take(&b, NULL);
    assert_string_equal(text, "abc");
    assert_int_equal(b.len, 0);
    assert_int_equal(b.max_bytes, 10);
}

static void reserve__is_checked_against_the_limit(void **state)
{
    deis_autobuf struct deis_buf b = DEIS_BUF_INIT(100);
    char *to = deis_buf_reserve(&b, 100);
    assert_non_null(to);
    memset(to, 'x', 60);
    deis_buf_added(&b, 60);
    assert_int_equal(strlen(b.data), 60);
    assert_null(deis_buf_reserve(&b, SIZE_MAX));
    assert_true(deis_buf_failed(&b));
}

static void drain__keeps_the_rest(void **state)
{
    deis_autobuf struct deis_buf b = DEIS_BUF_INIT(100);
    deis_buf_drain(&b, 0);
    deis_buf_add_cstr(&b, "abcdef");
    deis_buf_drain(&b, 4);
    assert_string_equal(b.data, "ef");
    deis_buf_drain(&b, 2);
    assert_string_equal(b.data, "");
}

static void urlencoded__leaves_unreserved_bytes(void **state)
{
    deis_autobuf struct deis_buf b = DEIS_BUF_INIT(100);
    deis_buf_add_urlencoded(&b, DEIS_STR("aZ9-._~ /%\xc3\n"), false);
    assert_string_equal(b.data, "aZ9-._~%20%2F%25%C3%0A");
    deis_buf_reset(&b);
    deis_buf_add_urlencoded(&b, DEIS_STR("a/b c"), true);
    assert_string_equal(b.data, "a/b%20c");
}

static void json__escapes_and_replaces(void **state)
{
    deis_autobuf struct deis_buf b = DEIS_BUF_INIT(100);
    deis_buf_add_json_escaped(&b, DEIS_STR("a\"\\\n\r\t\x01\x1f\x7fz"));
    assert_string_equal(b.data, "a\\\"\\\\\\n\\r\\t\\u0001\\u001f\\u007fz");
    deis_buf_reset(&b);
    deis_buf_add_json_escaped(&b, DEIS_STR("\xe2\x82\xac \xff\xc3"));
    assert_string_equal(b.data, "\xe2\x82\xac \xef\xbf\xbd\xef\xbf\xbd");
    deis_buf_reset(&b);
    deis_buf_add_json_escaped(&b, DEIS_STR("\0"));
    assert_string_equal(b.data, "\\u0000");
}

static void asprintf__and_alloc_are_usable(void **state)
{
    deis_autofree char *text = deis_asprintf("%s-%d", "a", 7);
    assert_string_equal(text, "a-7");
    deis_autofree unsigned char *zeroed = deis_alloc(64);
    for (size_t i = 0; i < 64; i++) {
        assert_int_equal(zeroed[i], 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(add__keeps_a_final_nul),
        cmocka_unit_test(limit__is_exact_and_a_failure_stays),
        cmocka_unit_test(growth__loses_nothing),
        cmocka_unit_test(take__gives_memory_even_when_empty),
        cmocka_unit_test(reserve__is_checked_against_the_limit),
        cmocka_unit_test(drain__keeps_the_rest),
        cmocka_unit_test(urlencoded__leaves_unreserved_bytes),
        cmocka_unit_test(json__escapes_and_replaces),
        cmocka_unit_test(asprintf__and_alloc_are_usable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
