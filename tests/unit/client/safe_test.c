/* SPDX-License-Identifier: MIT */
#include "client/core/safe.h"
#include "tests/support/test.h"

static void safe__controls_are_shown_and_colours_stay(void **state)
{
    static const char *const rows[][2] = {
        { "plain\ttext \xc3\xa9 \xf0\x9f\xa6\x80", "plain\ttext \xc3\xa9 \xf0\x9f\xa6\x80" },
        { "\033[1;31mred\033[0m", "\033[1;31mred\033[0m" },
        { "\033[2J", "\\x1b[2J" },
        { "\033]0;title\007", "\\x1b]0;title\\x07" },
        { "\033[6n", "\\x1b[6n" },
        { "a\rb\bc\x7f", "a\\x0db\\x08c\\x7f" },
        { "\xc2\x9b"
          "2J",
          "\\xc2\\x9b2J" },
        { "\xc2\xa0", "\xc2\xa0" },
        { "\033[31", "\\x1b[31" },
        { "two\nlines\n", "two\nlines\n" },
        { "", "" },
    };

    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        deis_autobuf struct deis_buf out = DEIS_BUF_INIT(256);
        safe_add_lines(deis_str(rows[i][0]), &out);
        assert_string_equal(out.len > 0 ? out.data : "", rows[i][1]);
    }
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(64);
    safe_add(DEIS_STR("a\nb"), &out);
    assert_string_equal(out.data, "a\\x0ab");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(safe__controls_are_shown_and_colours_stay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
