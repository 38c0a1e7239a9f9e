/* SPDX-License-Identifier: MIT */
#include "router/core/h2_budget.h"
#include "tests/support/test.h"

static void resets__are_paid_for(void **state)
{
    struct h2_budget b;

    h2_budget_init(&b, 1000);
    for (int i = 0; i < H2_RESETS_MAX; i++) {
        assert_true(h2_budget_reset(&b, 1000));
    }
    assert_false(h2_budget_reset(&b, 1000));
    assert_false(h2_budget_reset(&b, 1000 + 1000 / H2_RESETS_PER_S - 1));
    assert_true(h2_budget_reset(&b, 1000 + 1000 / H2_RESETS_PER_S));
    assert_false(h2_budget_reset(&b, 1000 + 1000 / H2_RESETS_PER_S));
    /* Frames have an account of their own. */
    assert_true(h2_budget_frame(&b, 2000));
}

static void frames__are_paid_for_by_time_and_use(void **state)
{
    struct h2_budget b;

    h2_budget_init(&b, 0);
    for (int i = 0; i < H2_FRAMES_MAX; i++) {
        assert_true(h2_budget_frame(&b, 0));
    }
    assert_false(h2_budget_frame(&b, 0));
    h2_budget_use(&b);
    for (int i = 0; i < H2_FRAMES_PER_USE; i++) {
        assert_true(h2_budget_frame(&b, 0));
    }
    assert_false(h2_budget_frame(&b, 0));
    for (int i = 0; i < H2_FRAMES_PER_S; i++) {
        assert_true(h2_budget_frame(&b, 1000));
    }
    assert_false(h2_budget_frame(&b, 1000));
}

static void accounts__never_overflow(void **state)
{
    struct h2_budget b;

    h2_budget_init(&b, 0);
    for (int i = 0; i < 100; i++) {
        h2_budget_use(&b);
    }
    assert_true(h2_budget_reset(&b, UINT64_MAX / 1000));
    for (int i = 1; i < H2_RESETS_MAX; i++) {
        assert_true(h2_budget_reset(&b, 5)); /* a clock that goes back gives nothing */
    }
    assert_false(h2_budget_reset(&b, 5));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resets__are_paid_for),
        cmocka_unit_test(frames__are_paid_for_by_time_and_use),
        cmocka_unit_test(accounts__never_overflow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
