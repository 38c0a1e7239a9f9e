/* SPDX-License-Identifier: MIT */
#include "client/core/logline.h"
#include "tests/support/test.h"

#define OUT_MAX 65536

static void logline_is_as(const char *body, enum logline_form form, bool safe, const char *want)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(OUT_MAX);

    logline_add_all(deis_str(body), form, safe, &out);
    assert_string_equal(out.data, want);
}

static void logline_is(const char *body, bool safe, const char *want)
{
    logline_is_as(body, LOGLINE_COLOURED, safe, want);
}

static void logline__colour_is_of_the_process(void **state)
{
    /* "a" is 97, 97 mod 7 + 1 = 7, which is shown as 9; "b" is one more. */
    assert_int_equal(logline_colour(DEIS_STR("time a: text")), 9);
    assert_int_equal(logline_colour(DEIS_STR("time b: text")), 1);
    assert_int_equal(logline_colour(DEIS_STR("oneword")), logline_colour(DEIS_STR("t unknown: x")));
    assert_int_equal(logline_colour(DEIS_STR("t plum[web.1]: a")),
                     logline_colour(DEIS_STR("u plum[web.1]: b: c")));
}

/* V-09 */
static void logline__odd_content_is_kept(void **state)
{
    logline_is("t b: 100% {{x}} \\n %s", false, "\033[31mt b: 100% {{x}} \\n %s\033[0m\n");
    logline_is("t b: x\n", false, "\033[31mt b: x\033[0m\n\033[33m\033[0m\n");
    logline_is("", false, "\033[33m\033[0m\n");
    logline_is("\"t b: x\"", false, "\033[31mt b: x\033[0m\n");
}

static void logline__terminal_is_protected(void **state)
{
    logline_is("t b: \033[32mok\033[0m", true, "\033[31mt b: \033[32mok\033[0m\033[0m\n");
    logline_is("t b: \033]0;title\a\033[2J\ttab\r", true,
               "\033[31mt b: \\x1b]0;title\\x07\\x1b[2J\ttab\\x0d\033[0m\n");
    logline_is("t b: \033[2J", false, "\033[31mt b: \033[2J\033[0m\n");
}

static void logline__plain_has_no_escapes_of_ours(void **state)
{
    logline_is_as("t b: x\n", LOGLINE_PLAIN, false, "t b: x\n");
    logline_is_as("t b: x\n\nt b: y\n", LOGLINE_PLAIN, true, "t b: x\n\nt b: y\n");
    logline_is_as("t b: \033[2J", LOGLINE_PLAIN, true, "t b: \\x1b[2J\n");
    logline_is_as("", LOGLINE_PLAIN, true, "");
}

static void logline__json(void **state)
{
    logline_is_as("2026-03-05T17:14:27UTC blog[web.1]: say \"hi\"\n", LOGLINE_JSON, true,
                  "{\"time\":\"2026-03-05T17:14:27UTC\",\"process\":\"web.1\","
                  "\"text\":\"say \\\"hi\\\"\"}\n");
    logline_is_as("t blog[web.1]: a[b]: c", LOGLINE_JSON, true,
                  "{\"time\":\"t\",\"process\":\"web.1\",\"text\":\"a[b]: c\"}\n");
    logline_is_as("t blog[web.1]: ", LOGLINE_JSON, true,
                  "{\"time\":\"t\",\"process\":\"web.1\",\"text\":\"\"}\n");
    logline_is_as("no[such]: form", LOGLINE_JSON, true,
                  "{\"time\":null,\"process\":null,\"text\":\"no[such]: form\"}\n");
    logline_is_as("bad \xff", LOGLINE_JSON, false,
                  "{\"time\":null,\"process\":null,\"text\":\"bad \xef\xbf\xbd\"}\n");
    logline_is_as("", LOGLINE_JSON, true, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logline__colour_is_of_the_process),
        cmocka_unit_test(logline__odd_content_is_kept),
        cmocka_unit_test(logline__terminal_is_protected),
        cmocka_unit_test(logline__plain_has_no_escapes_of_ours),
        cmocka_unit_test(logline__json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
