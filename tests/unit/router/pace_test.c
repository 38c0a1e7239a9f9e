/* SPDX-License-Identifier: MIT */
#include "router/core/pace.h"
#include "tests/support/test.h"

static void pace__a_few_tables_follow_at_once(void **state)
{
    struct pace p = { 0 };
    uint64_t now_us = 1000000;
    int tables = 0;

    for (; pace_wait_ms(&p, now_us) == 0 && tables < 1000; tables++) {
        pace_note(&p, now_us, now_us + 100);
        now_us += 100;
    }
    assert_in_range(tables, 4, 10);
    /* and one more after each rest */
    for (int i = 0; i < 10; i++) {
        uint64_t wait_ms = pace_wait_ms(&p, now_us);
        assert_in_range(wait_ms, 1, 5);
        now_us += wait_ms * 1000;
        assert_int_equal(pace_wait_ms(&p, now_us), 0);
        pace_note(&p, now_us, now_us + 100);
        now_us += 100;
    }
}

static void pace__many_take_a_tenth_of_the_time(void **state)
{
    struct pace p = { 0 };
    uint64_t now_us = 1000000, busy_us = 0;

    while (now_us < 11000000) {
        now_us += pace_wait_ms(&p, now_us) * 1000;
        pace_note(&p, now_us, now_us + 5000);
        now_us += 5000;
        busy_us += 5000;
    }
    assert_in_range(busy_us, 800000, 1000000);
}

static void pace__a_pause_makes_up_for_all(void **state)
{
    struct pace p = { 0 };

    pace_note(&p, 1000000, 1050000);
    assert_in_range(pace_wait_ms(&p, 1050000), 400, 500);
    assert_int_equal(pace_wait_ms(&p, 1600000), 0);
    pace_note(&p, 1600000, 1600100);
    assert_int_equal(pace_wait_ms(&p, 1600100), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pace__a_few_tables_follow_at_once),
        cmocka_unit_test(pace__many_take_a_tenth_of_the_time),
        cmocka_unit_test(pace__a_pause_makes_up_for_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
