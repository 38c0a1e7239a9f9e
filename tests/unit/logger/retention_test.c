/* SPDX-License-Identifier: MIT */
#include "logger/core/retention.h"
#include "tests/support/test.h"

static const struct retention_limits limits = { .app_bytes = 100, .total_bytes = 250 };

static void retention__an_app_over_its_quota_goes_first(void **state)
{
    const struct retention_app apps[] = { { 90, 30, 3 }, { 110, 40, 3 } };

    assert_int_equal(retention_next(apps, 2, &limits), 1);
}

static void retention__over_the_total_the_greediest_goes(void **state)
{
    const struct retention_app apps[] = { { 80, 30, 3 }, { 95, 40, 3 }, { 90, 40, 3 } };

    assert_int_equal(retention_next(apps, 3, &limits), 1);
}

static void retention__within_the_limits_nothing_goes(void **state)
{
    const struct retention_app apps[] = { { 100, 30, 3 }, { 100, 40, 3 } };

    assert_int_equal(retention_next(apps, 2, &limits), -1);
    assert_int_equal(retention_next(apps, 0, &limits), -1);
}

static void retention__the_newest_segment_stays(void **state)
{
    const struct retention_app apps[] = { { 400, 400, 1 }, { 60, 30, 2 } };

    assert_int_equal(retention_next(apps, 2, &limits), 1);
    assert_int_equal(retention_next(apps, 1, &limits), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(retention__an_app_over_its_quota_goes_first),
        cmocka_unit_test(retention__over_the_total_the_greediest_goes),
        cmocka_unit_test(retention__within_the_limits_nothing_goes),
        cmocka_unit_test(retention__the_newest_segment_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
