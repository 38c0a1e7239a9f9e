/* SPDX-License-Identifier: MIT */
#include "builder/core/push_output.h"
#include "tests/support/test.h"

static void check(const char *in, size_t step, const char *want)
{
    struct push_output o = { 0 };
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(65536);
    struct deis_str rest = deis_str(in);

    while (rest.len > 0) {
        push_output_feed(&o, deis_str_first(rest, step), &out);
        rest = deis_str_skip(rest, step < rest.len ? step : rest.len);
    }
    push_output_flush(&o, &out);
    assert_string_equal(out.data, want);
}

static void push_output__indents_and_cleans_in_any_split(void **state)
{
    static const struct {
        const char *in;
        const char *want;
    } cases[] = {
        { "Step 1/2 : FROM x\n ---> ab\n", "       Step 1/2 : FROM x\n        ---> ab\n" },
        { "no end", "       no end\n" },
        { "a\n\nb\n", "       a\n\n       b\n" },
        { "\033[91mred\033[0m text\n", "       red text\n" },
        { "\033]0;title\atext\n", "       text\n" },
        { "\033]0;title\033\\text\n", "       text\n" },
        { "\033(Btext\n", "       text\n" },
        { "10%\r20%\r100%\ndone\r\n", "       100%\n       done\n" },
        { "bell\a null-free\x7f\x01\n", "       bell null-free\n" },
        { "gr\xc3\xbc\xc3\x9f\n", "       gr\xc3\xbc\xc3\x9f\n" },
        { "\033[unfinished\nnext\n", "       nfinished\n       next\n" },
    };

    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        for (size_t step = 1; step <= strlen(cases[i].in); step++) {
            check(cases[i].in, step, cases[i].want);
        }
    }
}

static void push_output__breaks_endless_lines(void **state)
{
    struct push_output o = { 0 };
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(65536);

    for (int i = 0; i < PUSH_OUTPUT_LINE_MAX + 1; i++) {
        push_output_feed(&o, deis_str("x"), &out);
    }
    push_output_flush(&o, &out);
    assert_int_equal(out.len, (size_t)PUSH_OUTPUT_LINE_MAX + 1 + 2 * strlen("       \n"));
}

static void push_output__ends_with_release_and_url(void **state)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(1024);

    push_output_phase(&out, "Launching... ");
    push_output_done(&out, "blog", 7, "http://blog.localhost:8080");
    assert_string_equal(out.data, "-----> Launching... \n"
                                  "       done, blog:v7 deployed to Deis\n"
                                  "\n"
                                  "       http://blog.localhost:8080\n");
}

static void push_output__finds_the_last_layer_of_a_build(void **state)
{
    char id[PUSH_OUTPUT_LAYER_LEN + 1] = "before";

    assert_false(push_output_layer(deis_str("       Step 1/2 : FROM x\n"
                                            "        ---> Running in 0123456789ab\n"
                                            "        ---> Using cache\n"
                                            "        ---> 0123456789abc\n"
                                            "        ---> 0123456789AB\n"
                                            "       x ---> 0123456789ab\n"),
                                   id));
    assert_string_equal(id, "before");
    assert_true(push_output_layer(deis_str("        ---> aaaaaaaaaaaa\n"
                                           "        ---> 0123456789ab\n"
                                           "       RUN false\n"),
                                  id));
    assert_string_equal(id, "0123456789ab");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(push_output__indents_and_cleans_in_any_split),
        cmocka_unit_test(push_output__breaks_endless_lines),
        cmocka_unit_test(push_output__finds_the_last_layer_of_a_build),
        cmocka_unit_test(push_output__ends_with_release_and_url),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
