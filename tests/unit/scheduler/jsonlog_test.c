/* SPDX-License-Identifier: MIT */
#include "scheduler/core/jsonlog.h"
#include "tests/support/test.h"

#define OUT(text)                                                                                  \
    "{\"log\":\"" text "\",\"stream\":\"stdout\",\"time\":\"2026-03-05T17:14:27.123456789Z\"}\n"
#define ERR(text)                                                                                  \
    "{\"log\":\"" text "\",\"stream\":\"stderr\",\"time\":\"2026-03-05T17:14:27.5Z\"}\n"

struct seen {
    struct deis_buf text; /* lines, each "<position> <lost> <text>\n" */
    size_t stop_after;
    size_t count;
};

static bool note(const struct jsonlog_line *line, void *arg)
{
    struct seen *s = arg;

    deis_buf_addf(&s->text, "%d %d %.*s\n", (int)line->position, (int)line->lost,
                  DEIS_STR_ARG(line->text));
    return ++s->count != s->stop_after;
}

static int setup(void **state)
{
    static struct jsonlog j;

    jsonlog_init(&j);
    *state = &j;
    return 0;
}

static int teardown(void **state)
{
    jsonlog_clear(*state);
    return 0;
}

static void jsonlog__parses_an_entry(void **state)
{
    struct jsonlog_entry e;
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(100);
    struct deis_err err = DEIS_ERR_INIT;

    assert_int_equal(
        jsonlog_parse(
            deis_str("{\"log\":\"a\\t\\\"\\u003c\\u00e9\\ud83d\\ude00\\u0000z\\n\",\"stream\":"
                     "\"stderr\",\"attrs\":{\"k\":\"v\"},\"time\":\"1970-01-02T00:00:00.004Z\"}"),
            &e, &text, &err),
        0);
    assert_int_equal(text.len, 12);
    assert_memory_equal(text.data, "a\t\"<\xc3\xa9\xf0\x9f\x98\x80\0z", 12);
    assert_true(e.err);
    assert_false(e.partial);
    assert_int_equal(e.time_ms, 86400004);
}

static void jsonlog__refuses_what_is_no_entry(void **state)
{
    static const char *const bad[] = {
        "",
        "{",
        "null",
        "{\"log\":\"a\"",
        "{\"log\":1}",
        "{\"log\":\"a\\x\"}",
        "{\"log\":\"a\\u12\"}",
        "{\"log\":\"a\"}}",
        "{\"log\":\"\\ud800\\u0041\"}",
        "{\"time\":\"yesterday\"}",
        "{\"time\":{\"a\":\"b\"}}",
        "{\"log\":\"a\" \"stream\":\"stdout\"}",
    };

    for (size_t i = 0; i < DEIS_COUNT(bad); i++) {
        deis_autobuf struct deis_buf text = DEIS_BUF_INIT(100);
        struct jsonlog_entry e;
        if (jsonlog_parse(deis_str(bad[i]), &e, &text, NULL) != DEIS_INVALID) {
            fail_msg("%s", bad[i]);
        }
    }
}

static void jsonlog__reads_times(void **state)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } good[] = {
        { "1970-01-01T00:00:00Z", 0 },
        { "2000-02-29T12:30:15.250Z", 951827415250 },
        { "2026-03-05T17:14:27.123456789Z", 1772730867123 },
        { "2026-03-05T18:14:27.123456789+01:00", 1772730867123 },
    };

    uint64_t ms;

    for (size_t i = 0; i < DEIS_COUNT(good); i++) {
        assert_int_equal(jsonlog_time(deis_str(good[i].text), &ms, NULL), 0);
        assert_int_equal(ms, good[i].ms);
    }
    assert_int_equal(jsonlog_time(deis_str("2026-13-05T17:14:27Z"), &ms, NULL), DEIS_INVALID);
    assert_int_equal(jsonlog_time(deis_str("2026-03-05T17:14:27"), &ms, NULL), DEIS_INVALID);
}

static void jsonlog__positions_are_ends_of_entries(void **state)
{
    struct jsonlog *j = *state;
    struct seen s = { .text = DEIS_BUF_INIT(1000) };
    static const char log[] = OUT("one\\n") ERR("two\\n");
    size_t first = sizeof(OUT("one\\n")) - 1;

    /* an incomplete entry is left */
    assert_int_equal(jsonlog_feed(j, deis_str_n(log, sizeof(log) - 2), 100, note, &s), first);
    assert_int_equal(jsonlog_feed(j, deis_str_skip(DEIS_STR(OUT("one\\n") ERR("two\\n")), first),
                                  100 + first, note, &s),
                     sizeof(log) - 1 - first);
    deis_autofree char *want =
        deis_asprintf("%zu 0 one\n%zu 0 two\n", 100 + first, 100 + sizeof(log) - 1);
    assert_string_equal(s.text.data, want);
    deis_buf_clear(&s.text);
}

static void jsonlog__joins_pieces_of_each_stream(void **state)
{
    struct jsonlog *j = *state;
    struct seen s = { .text = DEIS_BUF_INIT(1000) };
    static const char log[] = OUT("a") ERR("x") OUT("b") OUT("c\\n") ERR("y\\n");
    uint64_t end = sizeof(log) - 1;

    jsonlog_feed(j, DEIS_STR(OUT("a") ERR("x") OUT("b")), 0, note, &s);
    assert_string_equal(s.text.data, "");
    size_t half = sizeof(OUT("a") ERR("x") OUT("b")) - 1;
    assert_int_equal(jsonlog_resume(j, half), 0); /* nothing of it is safe yet */
    jsonlog_feed(j, deis_str_skip(deis_str_n(log, end), half), half, note, &s);
    deis_autofree char *want =
        deis_asprintf("%zu 0 abc\n%zu 0 xy\n", sizeof(OUT("a") ERR("x") OUT("b") OUT("c\\n")) - 1,
                      sizeof(log) - 1);
    assert_string_equal(s.text.data, want);
    assert_int_equal(jsonlog_resume(j, end), end);
    deis_buf_clear(&s.text);
}

static void jsonlog__a_flushed_piece_has_a_position_of_its_own(void **state)
{
    struct jsonlog *j = *state;
    struct seen s = { .text = DEIS_BUF_INIT(1000) };

    jsonlog_feed(j, DEIS_STR(OUT("prompt> ") ERR("e\\n")), 0, note, &s);
    jsonlog_flush(j, note, &s);
    uint64_t end = sizeof(OUT("prompt> ") ERR("e\\n")) - 1;
    deis_autofree char *want = deis_asprintf("%d 0 e\n%d 0 prompt> \n", (int)end, (int)end + 1);
    assert_string_equal(s.text.data, want);
    deis_buf_clear(&s.text);
}

static void jsonlog__splits_a_line_at_64_kib(void **state)
{
    struct jsonlog *j = *state;
    struct seen s = { .text = DEIS_BUF_INIT(1 << 20) };
    deis_autobuf struct deis_buf log = DEIS_BUF_INIT(1 << 20);
    deis_autobuf struct deis_buf piece = DEIS_BUF_INIT(1 << 20);

    for (int i = 0; i < 16 * 1024; i++) {
        deis_buf_add_char(&piece, 'x');
    }
    for (int i = 0; i < 6; i++) {
        deis_buf_addf(
            &log, "{\"log\":\"%s%s\",\"stream\":\"stdout\",\"time\":\"2026-03-05T17:14:27Z\"}\n",
            piece.data, i == 5 ? "\\n" : "");
    }
    assert_int_equal(jsonlog_feed(j, deis_buf_str(&log), 0, note, &s), log.len);
    assert_int_equal(s.count, 2);
    assert_in_range(s.text.len, 6 * 16 * 1024, 6 * 16 * 1024 + 40);
    deis_buf_clear(&s.text);
}

static void jsonlog__counts_what_it_can_not_read(void **state)
{
    struct jsonlog *j = *state;
    struct seen s = { .text = DEIS_BUF_INIT(1000) };

    jsonlog_skip(j, 1000);
    jsonlog_feed(j, DEIS_STR("garbage\n" OUT("a\\n")), 0, note, &s);
    deis_autofree char *want = deis_asprintf("%zu 1008 a\n", sizeof("garbage\n" OUT("a\\n")) - 1);
    assert_string_equal(s.text.data, want);
    deis_buf_clear(&s.text);
}

static void jsonlog__gets_past_bytes_without_any_newline(void **state)
{
    struct jsonlog *j = *state;
    struct seen s = { .text = DEIS_BUF_INIT(1000) };
    deis_autofree char *zeros = deis_alloc(JSONLOG_ENTRY_MAX);

    assert_int_equal(jsonlog_feed(j, deis_str_n(zeros, JSONLOG_ENTRY_MAX - 1), 0, note, &s), 0);
    assert_int_equal(jsonlog_feed(j, deis_str_n(zeros, JSONLOG_ENTRY_MAX), 0, note, &s),
                     JSONLOG_ENTRY_MAX);
    assert_int_equal(s.count, 0);
}

static void jsonlog__stops_when_told(void **state)
{
    struct jsonlog *j = *state;
    struct seen s = { .text = DEIS_BUF_INIT(1000), .stop_after = 1 };

    assert_int_equal(jsonlog_feed(j, DEIS_STR(OUT("a\\n") OUT("b\\n")), 0, note, &s),
                     sizeof(OUT("a\\n")) - 1);
    assert_int_equal(s.count, 1);
    deis_buf_clear(&s.text);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(jsonlog__parses_an_entry),
        TEST(jsonlog__refuses_what_is_no_entry),
        TEST(jsonlog__reads_times),
        TEST(jsonlog__positions_are_ends_of_entries),
        TEST(jsonlog__joins_pieces_of_each_stream),
        TEST(jsonlog__a_flushed_piece_has_a_position_of_its_own),
        TEST(jsonlog__splits_a_line_at_64_kib),
        TEST(jsonlog__counts_what_it_can_not_read),
        TEST(jsonlog__gets_past_bytes_without_any_newline),
        TEST(jsonlog__stops_when_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
