/* SPDX-License-Identifier: MIT */
#include "controller/core/program.h"
#include "tests/support/test.h"

static void program__is_told_without_arguments(void **state)
{
    static const char *const cases[][2] = {
        { "rake db:migrate", "rake" },
        { "  bin/rake", "rake" },
        { "TOKEN=abc /usr/bin/psql -c x", "psql" },
        { "A=1 B=2\tenv", "env" },
        { "", "" },
        { "   ", "" },
        { "TOKEN=abc", "" },
        { "TOKEN='a b' rake", "" },
        { "TOKEN=$(cat key) rake", "" },
        { "s3cr3t;ls", "" },
        { "'quoted name' x", "" },
        { "$HOME/x", "" },
        { "a/", "" },
        { "node-22.1+x y", "node-22.1+x" },
    };
    char out[PROGRAM_MAX + 1];

    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        program_of(cases[i][0], out);
        assert_string_equal(out, cases[i][1]);
    }
    char longer[PROGRAM_MAX + 2];
    memset(longer, 'a', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    program_of(longer, out);
    assert_string_equal(out, "");
    program_of(longer + 1, out);
    assert_int_equal(strlen(out), PROGRAM_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(program__is_told_without_arguments) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
