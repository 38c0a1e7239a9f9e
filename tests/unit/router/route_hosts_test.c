/* SPDX-License-Identifier: MIT */
#include "router/core/route_hosts.h"
#include "tests/support/test.h"

#include "lib/base/attr.h"

enum { NAMES = 700 };

static struct deis_str name_of(uint32_t i, char text[32])
{
    int n = snprintf(text, 32, i % 10 == 0 ? "*.h%u.test" : "h%u.test", i);

    return deis_str_n(text, (size_t)n);
}

/* What a map should say, as an array: the number of each name, or -1. */
static void check(const struct route_hosts *h, const int64_t expected[NAMES])
{
    size_t count = 0, walked = 0, cursor = 0;
    struct deis_str host;
    uint32_t number;
    char text[32];

    for (uint32_t i = 0; i < NAMES; i++) {
        bool found = route_hosts_get(h, name_of(i, text), &number);
        assert_int_equal(found ? (int64_t)number : -1, expected[i]);
        count += found;
    }
    assert_int_equal(route_hosts_count(h), count);
    while (route_hosts_next(h, &cursor, &host, &number)) {
        uint32_t again;
        assert_true(route_hosts_get(h, host, &again));
        assert_int_equal(again, number);
        walked++;
    }
    assert_int_equal(walked, count);
}

static void copies__are_changed_without_the_others(void **state)
{
    struct route_hosts *maps[2] = { route_hosts_new(1), NULL };
    int64_t expected[2][NAMES];
    char text[32];
    uint64_t x = 88172645463325252u; /* xorshift64 */

    memset(expected, 0xff, sizeof(expected));
    for (int round = 0; round < 120; round++) {
        route_hosts_unref(maps[1]);
        maps[1] = maps[0]; /* stays as it is */
        memcpy(expected[1], expected[0], sizeof(expected[0]));
        maps[0] = route_hosts_copy(maps[1]);
        for (int i = 0; i < (round % 3 == 0 ? 100 : 3); i++) {
            x ^= x << 13, x ^= x >> 7, x ^= x << 17;
            uint32_t which = (uint32_t)(x >> 20) % NAMES;
            uint32_t number = (uint32_t)(x >> 40) % 1000;
            struct deis_str name = name_of(which, text);
            switch (x % 4) {
            case 0: {
                bool added = route_hosts_add(maps[0], name, number);
                assert_int_equal(added, expected[0][which] < 0);
                expected[0][which] = added ? number : expected[0][which];
                break;
            }
            case 1:
                route_hosts_remove(maps[0], name);
                expected[0][which] = -1;
                break;
            default:
                route_hosts_set(maps[0], name, number);
                expected[0][which] = number;
                break;
            }
        }
        check(maps[0], expected[0]);
        check(maps[1], expected[1]);
    }
    route_hosts_unref(maps[0]);
    route_hosts_unref(maps[1]);
}

static void wildcards__stand_for_one_label(void **state)
{
    struct route_hosts *h = route_hosts_new(2);
    uint32_t number;

    assert_true(route_hosts_add(h, DEIS_STR("a.example.com"), 1));
    assert_false(route_hosts_find(h, DEIS_STR("b.example.com"), &number));
    assert_true(route_hosts_add(h, DEIS_STR("*.example.com"), 2));
    assert_true(route_hosts_find(h, DEIS_STR("a.example.com"), &number));
    assert_int_equal(number, 1);
    assert_true(route_hosts_find(h, DEIS_STR("b.example.com"), &number));
    assert_int_equal(number, 2);
    assert_false(route_hosts_get(h, DEIS_STR("b.example.com"), &number));
    assert_false(route_hosts_find(h, DEIS_STR("example.com"), &number));
    assert_false(route_hosts_find(h, DEIS_STR("a.b.example.com"), &number));
    route_hosts_remove(h, DEIS_STR("*.example.com"));
    assert_false(route_hosts_find(h, DEIS_STR("b.example.com"), &number));
    assert_true(route_hosts_find(h, DEIS_STR("a.example.com"), &number));
    route_hosts_unref(h);
}

static void names__have_a_length(void **state)
{
    struct route_hosts *h = route_hosts_new(0);
    char longest[ROUTE_HOST_MAX + 1];
    uint32_t number;

    memset(longest, 'a', sizeof(longest));
    assert_false(route_hosts_add(h, DEIS_STR(""), 1));
    assert_false(route_hosts_add(h, deis_str_n(longest, ROUTE_HOST_MAX + 1), 1));
    assert_true(route_hosts_add(h, deis_str_n(longest, ROUTE_HOST_MAX), 1));
    assert_true(route_hosts_find(h, deis_str_n(longest, ROUTE_HOST_MAX), &number));
    assert_false(route_hosts_find(h, DEIS_STR(""), &number));
    route_hosts_remove(h, DEIS_STR(""));
    route_hosts_remove(h, DEIS_STR("b"));
    assert_int_equal(route_hosts_count(h), 1);
    route_hosts_unref(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies__are_changed_without_the_others),
        cmocka_unit_test(wildcards__stand_for_one_label),
        cmocka_unit_test(names__have_a_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
