/* SPDX-License-Identifier: MIT */
#include "controller/core/oneline.h"
#include "tests/support/test.h"

static void is_shown_as(const char *text, size_t max, const char *want)
{
    deis_autofree char *got = oneline(deis_str(text), max);

    assert_string_equal(got, want);
}

static void oneline__has_no_control_characters(void **state)
{
    is_shown_as("", 100, "");
    is_shown_as("ivo runs 'ls -l'", 100, "ivo runs 'ls -l'");
    is_shown_as("a\tb \xC3\xA4 \xF0\x9F\xA6\x80", 100, "a\tb \xC3\xA4 \xF0\x9F\xA6\x80");
    is_shown_as("a\nb\r\n\x1b[2J\x7f", 100, "a\\nb\\x0d\\n\\x1b[2J\\x7f");
}

static void oneline__is_cut_between_characters(void **state)
{
    is_shown_as("12345678", 8, "12345678");
    is_shown_as("123456789", 8, "12345...");
    is_shown_as("1234\xC3\xA4\xC3\xA4\xC3\xA4", 8, "1234...");
    is_shown_as("1234\n\n\n", 8, "1234...");
    is_shown_as("1234567\xF0\x9F\xA6\x80", 8, "12345...");
    is_shown_as("1234\xF0\x9F\xA6\x80", 8, "1234\xF0\x9F\xA6\x80");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(oneline__has_no_control_characters),
        cmocka_unit_test(oneline__is_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
