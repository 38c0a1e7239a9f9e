/* SPDX-License-Identifier: MIT */
#include "deisctl/core/setting.h"
#include "tests/support/test.h"

static int check(const char *component, const char *name, const char *value)
{
    struct deis_err err = DEIS_ERR_INIT;
    int r = setting_check(component, deis_str(name), deis_str(value), &err);

    assert_true(r == 0 || strncmp(err.msg, component, strlen(component)) == 0);
    return r;
}

static void values(void **state)
{
    assert_int_equal(check("router", "enforceWhitelist", "true"), 0);
    assert_int_equal(check("router", "enforceWhitelist", "yes"), DEIS_INVALID);
    assert_int_equal(check("router", "controller/whitelist", "10.0.0.0/8:office,::1"), 0);
    assert_int_equal(check("router", "controller/whitelist", "10.0.0.0/8,office"), DEIS_INVALID);
    assert_int_equal(check("router", "controller/whitelist", "\xff"), DEIS_INVALID);
    assert_int_equal(check("router", "controller/timeout/read", "20m"), 0);
    assert_int_equal(check("router", "controller/timeout/read", "soon"), DEIS_INVALID);
    assert_int_equal(check("router", "affinityArg", "sid"), 0);
    assert_int_equal(check("router", "affinityArg", "a=b"), DEIS_INVALID);
    assert_int_equal(check("router", "maxConnections", "1000"), 0);
    assert_int_equal(check("router", "maxConnections", "0"), 0);
    assert_int_equal(check("router", "maxConnections", "many"), DEIS_INVALID);
    assert_int_equal(check("router", "rateBurst", "1000000"), DEIS_INVALID);
    assert_int_equal(check("router", "gzip", "on"), 0);
    assert_int_equal(check("router", "gzip", "perhaps"), DEIS_INVALID);
    assert_int_equal(check("router", "gzipTypes", "text/css application/x"), 0);
    assert_int_equal(check("router", "gzipTypes", "css"), DEIS_INVALID);
    assert_int_equal(check("controller", "wildcardDomains", "on"), 0);
    assert_int_equal(check("controller", "wildcardDomains", "2"), DEIS_INVALID);
}

static void others_are_not_judged(void **state)
{
    assert_int_equal(check("router", "bodySize", "what"), 0);
    assert_int_equal(check("builder", "affinityArg", "a=b"), 0);
    assert_int_equal(check("builder", "gzip", "perhaps"), 0);
    assert_int_equal(check("router", "controller", "x"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test(others_are_not_judged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
