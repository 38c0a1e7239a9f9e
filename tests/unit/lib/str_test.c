/* SPDX-License-Identifier: MIT */
#include "tests/support/test.h"

#include "lib/base/str.h"

static void compare__knows_case_and_order(void **state)
{
    assert_true(deis_str_eq(DEIS_STR(""), DEIS_STR_NONE));
    assert_true(deis_str_eq_cstr(DEIS_STR("abc"), "abc"));
    assert_false(deis_str_eq_cstr(DEIS_STR("abc"), "abcd"));
    assert_true(deis_str_ieq_cstr(DEIS_STR("HoSt"), "hOsT"));
    /* '[' and '{' differ by the same bit as letters do. */
    assert_false(deis_str_ieq_cstr(DEIS_STR("["), "{"));
    assert_true(deis_str_cmp(DEIS_STR("a"), DEIS_STR("b")) < 0);
    assert_true(deis_str_cmp(DEIS_STR("ab"), DEIS_STR("a")) > 0);
    assert_true(deis_str_cmp(DEIS_STR("\xff"), DEIS_STR("a")) > 0);
    assert_int_equal(deis_str_cmp(DEIS_STR(""), DEIS_STR_NONE), 0);
}

static void affixes__match_only_whole(void **state)
{
    assert_true(deis_str_starts(DEIS_STR("v1/apps"), "v1"));
    assert_false(deis_str_starts(DEIS_STR("v"), "v1"));
    assert_true(deis_str_starts(DEIS_STR_NONE, ""));
    assert_true(deis_str_ends(DEIS_STR("a.tar"), ".tar"));
    assert_false(deis_str_ends(DEIS_STR("ar"), ".tar"));
}

static void parts__never_pass_the_end(void **state)
{
    assert_true(deis_str_eq_cstr(deis_str_skip(DEIS_STR("abc"), 2), "c"));
    assert_int_equal(deis_str_skip(DEIS_STR("abc"), 9).len, 0);
    assert_int_equal(deis_str_first(DEIS_STR("abc"), 9).len, 3);
    assert_true(deis_str_eq_cstr(deis_str_trim(DEIS_STR(" \t a b\r\n")), "a b"));
    assert_int_equal(deis_str_trim(DEIS_STR(" \n")).len, 0);
    assert_int_equal(deis_str_find(DEIS_STR("a:b:c"), ':'), 1);
    assert_int_equal(deis_str_rfind(DEIS_STR("a:b:c"), ':'), 3);
    assert_int_equal(deis_str_find(DEIS_STR_NONE, ':'), -1);
}

static void split__gives_every_part(void **state)
{
    static const char *const expected[] = { "a", "", "b", "" };
    struct deis_str rest = DEIS_STR("a,,b,");
    struct deis_str part;
    for (size_t i = 0; i < DEIS_COUNT(expected); i++) {
        assert_true(deis_str_split(&rest, ',', &part));
        assert_true(deis_str_eq_cstr(part, expected[i]));
    }
    assert_false(deis_str_split(&rest, ',', &part));
    rest = DEIS_STR("");
    assert_true(deis_str_split(&rest, ',', &part));
    assert_int_equal(part.len, 0);
    assert_false(deis_str_split(&rest, ',', &part));
}

static void utf8__is_what_rfc_3629_says(void **state)
{
    static const struct {
        struct deis_str text;
        bool valid;
    } rows[] = {
        { DEIS_STR(""), true },
        { DEIS_STR("plain"), true },
        { DEIS_STR("gr\xc3\xbc\xc3\x9f"), true },
        { DEIS_STR("\xe2\x82\xac"), true },
        { DEIS_STR("\xf0\x9f\x98\x80"), true },
        { DEIS_STR("\xf4\x8f\xbf\xbf"), true },
        { DEIS_STR("\xf4\x90\x80\x80"), false }, /* past U+10FFFF */
        { DEIS_STR("\xed\xa0\x80"), false },     /* surrogate */
        { DEIS_STR("\xc0\xaf"), false },         /* overlong */
        { DEIS_STR("\xe0\x9f\xbf"), false },     /* overlong */
        { DEIS_STR("\xf0\x8f\xbf\xbf"), false }, /* overlong */
        { DEIS_STR("\x80"), false },
        { DEIS_STR("\xc3"), false },
        { DEIS_STR("\xe2\x82"), false },
        { DEIS_STR("a\0b"), false },
    };

    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        assert_int_equal(deis_str_is_utf8(rows[i].text), rows[i].valid);
    }
}

static void u64__takes_digits_within_bounds(void **state)
{
    struct deis_err err = DEIS_ERR_INIT;
    uint64_t n = 7;
    assert_int_equal(deis_str_to_u64(DEIS_STR("18446744073709551615"), 0, UINT64_MAX, &n, &err), 0);
    assert_true(n == UINT64_MAX);
    assert_int_equal(deis_str_to_u64(DEIS_STR("0"), 0, 0, &n, &err), 0);
    static const char *const bad[] = { "",
                                       "-1",
                                       "+1",
                                       " 1",
                                       "1 ",
                                       "0x",
                                       "1a",
                                       "100",
                                       "4",
                                       "18446744073709551616",
                                       "99999999999999999999999" };
    for (size_t i = 0; i < DEIS_COUNT(bad); i++) {
        n = 7;
        assert_int_equal(deis_str_to_u64(deis_str(bad[i]), 5, 99, &n, &err), DEIS_INVALID);
        assert_true(n == 7);
    }
    assert_string_equal(err.msg, "'99999999999999999999999' is not a whole number from 5 to 99");
}

static void ms__knows_its_units(void **state)
{
    struct deis_err err = DEIS_ERR_INIT;

    static const struct {
        const char *text;
        uint64_t ms;
    } rows[] = { { "500ms", 500 },  { "30s", 30000 }, { "5m", 300000 },
                 { "1h", 3600000 }, { "2", 2000 },    { "0", 0 } };

    uint64_t ms;
    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        assert_int_equal(deis_str_to_ms(deis_str(rows[i].text), 3600000, &ms, &err), 0);
        assert_int_equal(ms, rows[i].ms);
    }
    static const char *const bad[] = { "",      "ms",  "1d", "1 s",
                                       "3601s", "-1s", "1S", "18446744073709551615h" };
    for (size_t i = 0; i < DEIS_COUNT(bad); i++) {
        assert_int_equal(deis_str_to_ms(deis_str(bad[i]), 3600000, &ms, &err), DEIS_INVALID);
    }
}

static void bytes__knows_its_units(void **state)
{
    struct deis_err err = DEIS_ERR_INIT;

    static const struct {
        const char *text;
        uint64_t bytes;
    } rows[] = { { "512", 512 },       { "7b", 7 },          { "64k", 65536 },
                 { "10MB", 10485760 }, { "2G", 2147483648 }, { "1tb", UINT64_C(1) << 40 } };

    uint64_t n;
    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        assert_int_equal(deis_str_to_bytes(deis_str(rows[i].text), UINT64_C(1) << 40, &n, &err), 0);
        assert_true(n == rows[i].bytes);
    }
    static const char *const bad[] = {
        "", "k", "1.5G", "2T", "1 k", "-1", "99999999999999999999", "18446744073709551615t", "1kk"
    };
    for (size_t i = 0; i < DEIS_COUNT(bad); i++) {
        assert_int_equal(deis_str_to_bytes(deis_str(bad[i]), UINT64_C(1) << 40, &n, &err),
                         DEIS_INVALID);
    }
}

static void label__is_one_of_dns(void **state)
{
    char longest[65];
    memset(longest, 'a', 64);
    longest[64] = '\0';
    assert_true(deis_str_is_label(DEIS_STR("a")));
    assert_true(deis_str_is_label(DEIS_STR("0-a9")));
    assert_true(deis_str_is_label(deis_str_n(longest, 63)));
    assert_false(deis_str_is_label(deis_str_n(longest, 64)));
    static const char *const bad[] = {
        "", "-a", "a-", "A", "a.b", "a_b", "a\n", "\xc3\xbc", "a/b"
    };
    for (size_t i = 0; i < DEIS_COUNT(bad); i++) {
        assert_false(deis_str_is_label(deis_str(bad[i])));
    }
    assert_false(deis_str_is_label(DEIS_STR("a\0")));
}

static void process_type__starts_with_a_letter(void **state)
{
    assert_true(deis_str_is_process_type(DEIS_STR("web")));
    assert_true(deis_str_is_process_type(DEIS_STR("worker_2-x")));
    static const char *const bad[] = { "", "1web", "-web", "_web", "Web", "we b", "web\n", "w.b" };
    for (size_t i = 0; i < DEIS_COUNT(bad); i++) {
        assert_false(deis_str_is_process_type(deis_str(bad[i])));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compare__knows_case_and_order),
        cmocka_unit_test(affixes__match_only_whole),
        cmocka_unit_test(parts__never_pass_the_end),
        cmocka_unit_test(split__gives_every_part),
        cmocka_unit_test(utf8__is_what_rfc_3629_says),
        cmocka_unit_test(u64__takes_digits_within_bounds),
        cmocka_unit_test(ms__knows_its_units),
        cmocka_unit_test(bytes__knows_its_units),
        cmocka_unit_test(label__is_one_of_dns),
        cmocka_unit_test(process_type__starts_with_a_letter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
