/* SPDX-License-Identifier: MIT */
#include "tests/support/test.h"

#include "lib/base/buf.h"
#include "lib/wire/h1.h"

/* Feed input in pieces that end at each multiple of step; the body goes to out, what is left over
 * to *ret_rest. */
static enum deis_h1_result feed(struct deis_str input, size_t step, struct deis_buf *out,
                                size_t *ret_rest)
{
    struct deis_h1_chunked c = { 0 };
    enum deis_h1_result result = DEIS_H1_MORE;
    struct deis_err err = DEIS_ERR_INIT;

    while (input.len > 0 && result == DEIS_H1_MORE) {
        struct deis_str piece = deis_str_first(input, step);
        size_t len = piece.len;
        while (piece.len > 0 && result == DEIS_H1_MORE) {
            struct deis_str data;
            result = deis_h1_chunked_feed(&c, &piece, &data, &err);
            deis_buf_add_str(out, data);
        }
        input = deis_str_skip(input, len - piece.len);
    }
    if (result == DEIS_H1_BAD) {
        assert_int_equal(err.code, DEIS_PROTOCOL);
        assert_true(strlen(err.msg) > 0);
    }
    *ret_rest = input.len;
    return result;
}

static const struct {
    const char *name;
    struct deis_str raw;
    enum deis_h1_result result;
    const char *body;
    const char *rest;
} rows[] = {
    { "empty", DEIS_STR("0\r\n\r\n"), DEIS_H1_DONE, "", "" },
    { "one chunk", DEIS_STR("5\r\nhello\r\n0\r\n\r\n"), DEIS_H1_DONE, "hello", "" },
    { "next request behind", DEIS_STR("1\r\na\r\n0\r\n\r\nGET /"), DEIS_H1_DONE, "a", "GET /" },
    { "hex in both cases", DEIS_STR("a\r\n0123456789\r\nA\r\nabcdefghij\r\n0\r\n\r\n"),
      DEIS_H1_DONE, "0123456789abcdefghij", "" },
    { "leading zeros", DEIS_STR("0000000000000001\r\na\r\n0\r\n\r\n"), DEIS_H1_DONE, "a", "" },
    { "zeros only", DEIS_STR("000\r\n\r\n"), DEIS_H1_DONE, "", "" },
    { "line ends as data", DEIS_STR("4\r\n\r\n\r\n\r\n0\r\n\r\n"), DEIS_H1_DONE, "\r\n\r\n", "" },
    { "extension", DEIS_STR("1;a=b;c=\"d e\"\r\nx\r\n0;last\r\n\r\n"), DEIS_H1_DONE, "x", "" },
    { "trailers", DEIS_STR("0\r\nA: b\r\nC:\r\n\r\nX"), DEIS_H1_DONE, "", "X" },
    { "unfinished", DEIS_STR("5\r\nhel"), DEIS_H1_MORE, "hel", "" },
    { "no final line", DEIS_STR("0\r\n"), DEIS_H1_MORE, "", "" },
    { "no size", DEIS_STR("\r\n"), DEIS_H1_BAD, "", "\r\n" },
    { "no size but extension", DEIS_STR(";a\r\n"), DEIS_H1_BAD, "", NULL },
    { "no hex", DEIS_STR("g\r\n"), DEIS_H1_BAD, "", NULL },
    { "0x", DEIS_STR("0x1\r\na"), DEIS_H1_BAD, "", NULL },
    { "signed", DEIS_STR("+1\r\na"), DEIS_H1_BAD, "", NULL },
    { "negative", DEIS_STR("-1\r\na"), DEIS_H1_BAD, "", NULL },
    { "blank in front", DEIS_STR(" 1\r\na"), DEIS_H1_BAD, "", NULL },
    { "blank behind", DEIS_STR("1 \r\na"), DEIS_H1_BAD, "", NULL },
    { "LF behind the size", DEIS_STR("1\na\r\n"), DEIS_H1_BAD, "", NULL },
    { "bare CR behind the size", DEIS_STR("1\ra"), DEIS_H1_BAD, "", NULL },
    { "LF in an extension", DEIS_STR("1;a\nb\r\n"), DEIS_H1_BAD, "", NULL },
    { "NUL in an extension", DEIS_STR("1;\0\r\n"), DEIS_H1_BAD, "", NULL },
    { "longer than its size", DEIS_STR("1\r\nab\r\n"), DEIS_H1_BAD, "a", NULL },
    { "LF behind the data", DEIS_STR("1\r\na\n0\r\n\r\n"), DEIS_H1_BAD, "a", NULL },
    { "CR behind the data", DEIS_STR("1\r\na\r0\r\n\r\n"), DEIS_H1_BAD, "a", NULL },
    { "17 digits", DEIS_STR("00000000000000001\r\n"), DEIS_H1_BAD, "", NULL },
    { "2^60", DEIS_STR("1000000000000000\r\n"), DEIS_H1_BAD, "", NULL },
    { "2^64", DEIS_STR("10000000000000000\r\n"), DEIS_H1_BAD, "", NULL },
    { "all ones", DEIS_STR("ffffffffffffffff\r\n"), DEIS_H1_BAD, "", NULL },
    { "LF ends a trailer", DEIS_STR("0\r\nA: b\n\r\n"), DEIS_H1_BAD, "", NULL },
    { "LF ends the body", DEIS_STR("0\r\n\n"), DEIS_H1_BAD, "", NULL },
    { "trailer without a name", DEIS_STR("0\r\n: b\r\n\r\n"), DEIS_H1_BAD, "", NULL },
    { "trailer without a colon", DEIS_STR("0\r\nabc\r\n\r\n"), DEIS_H1_BAD, "", NULL },
    { "folded trailer", DEIS_STR("0\r\nA: b\r\n c\r\n\r\n"), DEIS_H1_BAD, "", NULL },
    { "a request as trailer", DEIS_STR("0\r\nGET / HTTP/1.1\r\n\r\n"), DEIS_H1_BAD, "", NULL },
};

static void table__gets_its_verdicts_in_every_split(void **state)
{
    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        for (size_t step = 1; step <= rows[i].raw.len; step++) {
            deis_autobuf struct deis_buf out = DEIS_BUF_INIT(100);
            size_t rest;
            enum deis_h1_result result = feed(rows[i].raw, step, &out, &rest);
            if (result != rows[i].result) {
                print_error("%s: %d in steps of %zu\n", rows[i].name, (int)result, step);
            }
            assert_int_equal(result, rows[i].result);
            assert_string_equal(out.data, rows[i].body);
            if (rows[i].rest) {
                assert_int_equal(rest, strlen(rows[i].rest));
            }
        }
    }
}

static void largest_size__is_taken(void **state)
{
    struct deis_h1_chunked c = { 0 };
    struct deis_str input = DEIS_STR("fffffffffffffff\r\nabc");
    struct deis_str data;
    assert_int_equal(deis_h1_chunked_feed(&c, &input, &data, NULL), DEIS_H1_MORE);
    assert_true(deis_str_eq_cstr(data, "abc"));
    assert_true(c.left == (UINT64_C(1) << 60) - 4);
}

static void verdict__stays(void **state)
{
    struct deis_h1_chunked c = { 0 };
    struct deis_str data;
    struct deis_str input = DEIS_STR("x");
    assert_int_equal(deis_h1_chunked_feed(&c, &input, &data, NULL), DEIS_H1_BAD);
    input = DEIS_STR("0\r\n\r\n");
    assert_int_equal(deis_h1_chunked_feed(&c, &input, &data, NULL), DEIS_H1_BAD);

    c = (struct deis_h1_chunked){ 0 };
    input = DEIS_STR("0\r\n\r\n");
    assert_int_equal(deis_h1_chunked_feed(&c, &input, &data, NULL), DEIS_H1_DONE);
    input = DEIS_STR("5\r\n");
    assert_int_equal(deis_h1_chunked_feed(&c, &input, &data, NULL), DEIS_H1_DONE);
    assert_int_equal(input.len, 3);
}

static void add_repeated(struct deis_buf *b, const char *text, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        deis_buf_add_cstr(b, text);
    }
}

static void extensions_and_trailers__are_limited(void **state)
{
    static const struct {
        const char *head;
        const char *fill;
        size_t count;
        const char *tail;
        enum deis_h1_result result;
    } cases[] = {
        { "0;", "e", 256, "\r\n\r\n", DEIS_H1_DONE },
        { "0;", "e", 257, "\r\n\r\n", DEIS_H1_BAD },
        { "0\r\n", "abcd: fghi\r\n", 600, "\r\n", DEIS_H1_DONE },
        { "0\r\n", "abcd: fghi\r\n", 800, "\r\n", DEIS_H1_BAD },
        { "0\r\na: ", "v", 9000, "", DEIS_H1_BAD },
    };

    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        deis_autobuf struct deis_buf b = DEIS_BUF_INIT(100000);
        deis_autobuf struct deis_buf out = DEIS_BUF_INIT(100);
        size_t rest;
        deis_buf_add_cstr(&b, cases[i].head);
        add_repeated(&b, cases[i].fill, cases[i].count);
        deis_buf_add_cstr(&b, cases[i].tail);
        assert_int_equal(feed(deis_buf_str(&b), b.len, &out, &rest), cases[i].result);
        deis_buf_reset(&out);
        assert_int_equal(feed(deis_buf_str(&b), 7, &out, &rest), cases[i].result);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table__gets_its_verdicts_in_every_split),
        cmocka_unit_test(largest_size__is_taken),
        cmocka_unit_test(verdict__stays),
        cmocka_unit_test(extensions_and_trailers__are_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
