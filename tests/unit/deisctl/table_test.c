/* SPDX-License-Identifier: MIT */
#include "deisctl/core/table.h"
#include "tests/support/test.h"

static const char *const titles[] = { "NAME", "STATE" };

static void table__columns_are_as_wide_as_their_longest_cell(void **state)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(4096);
    struct table t;

    table_init(&t, titles, DEIS_COUNT(titles));
    table_add(&t, (const char *[]){ "web.1", "up" });
    table_add(&t, (const char *[]){ "w", NULL });
    table_format(&t, &out);
    assert_string_equal(out.data, "NAME   STATE\nweb.1  up\nw      -\n");
    table_clear(&t);
    assert_null(t.cells);
}

static void table__a_terminal_is_not_obeyed(void **state)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(4096);
    struct table t;

    table_init(&t, titles, DEIS_COUNT(titles));
    table_add(&t, (const char *[]){ "a\x1b[2J\nb", "\xc2\x9b"
                                                   "31m\x7f \xc3\xa4\xc2\xa0" });
    table_format(&t, &out);
    assert_string_equal(out.data, "NAME     STATE\na?[2J?b  ??31m? \xc3\xa4\xc2\xa0\n");
    table_clear(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table__columns_are_as_wide_as_their_longest_cell),
        cmocka_unit_test(table__a_terminal_is_not_obeyed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
