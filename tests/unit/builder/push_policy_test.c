/* SPDX-License-Identifier: MIT */
#include "builder/core/push_policy.h"
#include "tests/support/test.h"

#define ZERO "0000000000000000000000000000000000000000"
#define OLD  "1111111111111111111111111111111111111111"
#define NEW  "2222222222222222222222222222222222222abc"

static void push_policy__deploys_master_and_main(void **state)
{
    struct deis_err err = DEIS_ERR_INIT;
    struct push_update u;

    assert_int_equal(push_policy_check(deis_str(ZERO " " NEW " refs/heads/master\n"), &u, &err), 0);
    assert_string_equal(u.commit, NEW);
    assert_string_equal(u.old, ZERO);
    assert_string_equal(u.branch, "refs/heads/master");
    assert_true(u.first);
    assert_int_equal(push_policy_check(deis_str(OLD " " NEW " refs/heads/main\n"), &u, &err), 0);
    assert_string_equal(u.old, OLD);
    assert_string_equal(u.branch, "refs/heads/main");
    assert_false(u.first);
}

static void push_policy__names_the_cause_of_a_refusal(void **state)
{
    static const struct {
        const char *lines;
        int code;
        const char *says;
    } cases[] = {
        { OLD " " NEW " refs/heads/feature\n", DEIS_DENIED, "refs/heads/feature" },
        { ZERO " " NEW " refs/tags/v1\n", DEIS_DENIED, "refs/tags/v1" },
        { ZERO " " NEW " refs/heads/master2\n", DEIS_DENIED, "master2" },
        { OLD " " ZERO " refs/heads/master\n", DEIS_DENIED, "deleted" },
        { OLD " " NEW " refs/heads/master\n" OLD " " NEW " refs/heads/main\n", DEIS_DENIED,
          "one branch" },
        { "", DEIS_PROTOCOL, "read" },
        { OLD " " NEW "\n", DEIS_PROTOCOL, "read" },
        { OLD " short refs/heads/master\n", DEIS_PROTOCOL, "read" },
        { OLD " " NEW " refs/heads/\033[2Jx\n", DEIS_PROTOCOL, "read" },
    };

    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        struct deis_err err = DEIS_ERR_INIT;
        struct push_update u;

        assert_int_equal(push_policy_check(deis_str(cases[i].lines), &u, &err), cases[i].code);
        assert_non_null(strstr(err.msg, cases[i].says));
        assert_string_equal(u.commit, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(push_policy__deploys_master_and_main),
        cmocka_unit_test(push_policy__names_the_cause_of_a_refusal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
