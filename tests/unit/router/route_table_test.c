/* SPDX-License-Identifier: MIT */
#include "router/core/route_table.h"
#include "tests/support/test.h"

static void normalise__lowers_and_strips_port_and_dot(void **state)
{
    static const struct {
        const char *host;
        const char *expected;
    } cases[] = {
        { "a.test", "a.test" },
        { "A.Test", "a.test" },
        { "a.test:80", "a.test" },
        { "a.test.", "a.test" },
        { "a.test.:8080", "a.test" },
        { "[::1]", "[::1]" },
        { "[FE80::1]:80", "[fe80::1]" },
        { "1.2.3.4:5", "1.2.3.4" },
        { "8080", "8080" },
        { "", "" },
        { ".", "" },
        { ":80", "" },
    };

    char out[ROUTE_HOST_MAX + 1];

    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        size_t len = route_host_normalise(deis_str(cases[i].host), out);
        assert_string_equal(out, cases[i].expected);
        assert_int_equal(len, strlen(cases[i].expected));
    }
    char longest[ROUTE_HOST_MAX + 2];
    memset(longest, 'a', sizeof(longest));
    assert_int_equal(route_host_normalise(deis_str_n(longest, ROUTE_HOST_MAX), out),
                     ROUTE_HOST_MAX);
    assert_int_equal(route_host_normalise(deis_str_n(longest, ROUTE_HOST_MAX + 1), out), 0);
}

static void address__parses_ip_and_port_only(void **state)
{
    static const char *const bad[] = { "",           "1.2.3.4",  "1.2.3.4:", "1.2.3.4:0",
                                       "host:80",    "1.2.3:80", "::1:80",   "1.2.3.4:65536",
                                       "[1.2.3.4]:", ":80" };
    uint8_t ip[16];
    uint16_t port;
    bool v6;

    assert_true(route_address_parse(DEIS_STR("1.2.3.4:80"), ip, &v6, &port));
    assert_memory_equal(ip, "\1\2\3\4", 4);
    assert_false(v6);
    assert_int_equal(port, 80);
    assert_true(route_address_parse(DEIS_STR("[::1]:65535"), ip, &v6, &port));
    assert_true(v6);
    assert_int_equal(ip[15], 1);
    for (size_t i = 0; i < DEIS_COUNT(bad); i++) {
        assert_false(route_address_parse(deis_str(bad[i]), ip, &v6, &port));
    }
}

static void hosts__hold_thousands_and_refuse_doubles(void **state)
{
    struct route_hosts *h = route_hosts_new(4);
    struct route_registry *r = route_registry_new();
    struct route_stats *s = route_registry_stats(r, "a");
    struct route_app *apps[2] = { route_app_new("a", ROUTE_APP, 1, s, NULL, 0),
                                  route_app_new("b", ROUTE_APP, 1, s, NULL, 0) };
    static const struct route_limits limits = { 1, 1 };
    char name[32];

    for (uint32_t i = 0; i < 5000; i++) {
        int n = snprintf(name, sizeof(name), "h%u.test", i);
        assert_true(route_hosts_add(h, deis_str_n(name, (size_t)n), i % 2));
        assert_false(route_hosts_add(h, deis_str_n(name, (size_t)n), 0));
    }
    struct route_table *t = route_table_new(7, &limits, h, NULL, apps, 2);
    for (uint32_t i = 0; i < 5000; i++) {
        int n = snprintf(name, sizeof(name), "h%u.test", i);
        assert_ptr_equal(route_table_find(t, deis_str_n(name, (size_t)n)), apps[i % 2]);
    }
    assert_null(route_table_find(t, DEIS_STR("h5000.test")));
    assert_null(route_table_find(t, DEIS_STR("")));
    assert_int_equal(route_hosts_count(t->hosts), 5000);
    route_hosts_unref(h);
    route_app_unref(apps[0]);
    route_app_unref(apps[1]);
    route_table_unref(t);
    route_stats_unref(s);
    route_registry_free(r);
}

struct pick {
    struct route_registry *registry;
    struct route_endpoint *e[3];
    struct route_app *app;
};

static int pick_setup(void **state)
{
    struct pick *p = deis_alloc(sizeof(*p));
    struct route_stats *s;

    p->registry = route_registry_new();
    s = route_registry_stats(p->registry, "a");
    p->e[0] = route_registry_endpoint(p->registry, "u1", "10.0.0.1:80", NULL);
    p->e[1] = route_registry_endpoint(p->registry, "u2", "10.0.0.2:80", NULL);
    p->e[2] = route_registry_endpoint(p->registry, "u3", "10.0.0.3:80", NULL);
    p->app = route_app_new("a", ROUTE_APP, 3, s, p->e, 3);
    route_stats_unref(s);
    *state = p;
    return 0;
}

static int pick_teardown(void **state)
{
    struct pick *p = *state;

    route_app_unref(p->app);
    for (int i = 0; i < 3; i++) {
        route_endpoint_unref(p->e[i]);
    }
    route_registry_free(p->registry);
    free(p);
    return 0;
}

static uint64_t random_pair(uint32_t first, uint32_t second)
{
    return first | (uint64_t)second << 32;
}

static void pick__takes_the_less_loaded_of_two(void **state)
{
    struct pick *p = *state;

    atomic_store(&p->e[0]->in_flight, 5);
    atomic_store(&p->e[1]->in_flight, 1);
    atomic_store(&p->e[2]->in_flight, 3);
    assert_ptr_equal(route_app_pick(p->app, 1, random_pair(0, 0), NULL, 0), p->e[1]);
    assert_ptr_equal(route_app_pick(p->app, 1, random_pair(0, 1), NULL, 0), p->e[2]);
    assert_ptr_equal(route_app_pick(p->app, 1, random_pair(1, 1), NULL, 0), p->e[1]);
}

static void pick__leaves_out_what_was_tried(void **state)
{
    struct pick *p = *state;
    struct route_endpoint *tried[3] = { p->e[1], p->e[0], p->e[2] };

    for (uint32_t i = 0; i < 9; i++) {
        assert_ptr_not_equal(route_app_pick(p->app, 1, random_pair(i, i / 3), tried, 1), p->e[1]);
        assert_ptr_equal(route_app_pick(p->app, 1, random_pair(i, i / 3), tried, 2), p->e[2]);
    }
    assert_null(route_app_pick(p->app, 1, 0, tried, 3));
}

static void pick__avoids_the_ejected_unless_all_are(void **state)
{
    struct pick *p = *state;

    route_endpoint_eject(p->e[0], 1000);
    route_endpoint_eject(p->e[1], 1000);
    atomic_store(&p->e[2]->in_flight, 99);
    for (uint32_t i = 0; i < 9; i++) {
        assert_ptr_equal(route_app_pick(p->app, 1500, random_pair(i, i / 3), NULL, 0), p->e[2]);
    }
    route_endpoint_eject(p->e[2], 1000);
    assert_non_null(route_app_pick(p->app, 1500, 0, NULL, 0));
    assert_ptr_equal(route_app_pick(p->app, 2001, random_pair(0, 0), NULL, 0), p->e[0]);
}

static void ejection__grows_and_ends_with_a_success(void **state)
{
    struct pick *p = *state;
    struct route_endpoint *e = p->e[0];

    for (int i = 0; i < 8; i++) {
        route_endpoint_eject(e, 0); /* those that were at it together count once */
    }
    assert_int_equal(atomic_load(&e->ejected_until_ms), 1000);
    route_endpoint_eject(e, 1000);
    assert_int_equal(atomic_load(&e->ejected_until_ms), 3000);
    for (int i = 1; i <= 100; i++) {
        route_endpoint_eject(e, (uint64_t)i * 10000);
    }
    assert_int_equal(atomic_load(&e->ejected_until_ms), 1010000);
    route_endpoint_good(e);
    assert_int_equal(atomic_load(&e->ejected_until_ms), 0);
    route_endpoint_suspect(e, 0);
    route_endpoint_suspect(e, 0);
    assert_int_equal(atomic_load(&e->ejected_until_ms), 0);
    route_endpoint_suspect(e, 0);
    assert_int_equal(atomic_load(&e->ejected_until_ms), 1000);
}

static void registry__keeps_what_is_in_use(void **state)
{
    struct route_registry *r = route_registry_new();
    struct route_endpoint *a = route_registry_endpoint(r, "u", "10.0.0.1:80", NULL);
    struct route_endpoint *b = route_registry_endpoint(r, "u", "10.0.0.2:80", NULL);

    assert_null(route_registry_endpoint(r, "u", "nowhere", NULL));
    assert_int_not_equal(a->slot, b->slot);
    atomic_store(&a->in_flight, 2);
    atomic_store(&b->in_flight, 1);
    assert_int_equal(route_registry_in_flight(r, "u"), 3);
    assert_int_equal(route_registry_in_flight(r, "v"), 0);
    route_endpoint_unref(a);
    route_registry_mark(r);
    assert_true(route_registry_sweep(r)); /* in flight: it stays */
    struct route_endpoint *again = route_registry_endpoint(r, "u", "10.0.0.1:80", NULL);
    assert_ptr_equal(again, a);
    route_endpoint_unref(again);
    atomic_store(&a->in_flight, 0);
    uint32_t slot = a->slot;
    route_registry_mark(r);
    assert_true(route_registry_sweep(r));
    struct route_endpoint *c = route_registry_endpoint(r, "w", "10.0.0.9:80", NULL);
    assert_int_equal(c->slot, slot); /* used again */
    assert_int_equal(route_registry_slots(r), 2);
    route_endpoint_unref(b);
    route_endpoint_unref(c);
    route_registry_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(normalise__lowers_and_strips_port_and_dot),
        cmocka_unit_test(address__parses_ip_and_port_only),
        cmocka_unit_test(hosts__hold_thousands_and_refuse_doubles),
        cmocka_unit_test_setup_teardown(pick__takes_the_less_loaded_of_two, pick_setup,
                                        pick_teardown),
        cmocka_unit_test_setup_teardown(pick__leaves_out_what_was_tried, pick_setup, pick_teardown),
        cmocka_unit_test_setup_teardown(pick__avoids_the_ejected_unless_all_are, pick_setup,
                                        pick_teardown),
        cmocka_unit_test_setup_teardown(ejection__grows_and_ends_with_a_success, pick_setup,
                                        pick_teardown),
        cmocka_unit_test(registry__keeps_what_is_in_use),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
