/* SPDX-License-Identifier: MIT */
/* Settings of apps: from their documents into the table, onto disk and back; what they change in
 * the choice of a unit; rates; wildcards. */
#include "router/core/rate.h"
#include "router/core/route_docs.h"
#include "router/core/route_file.h"
#include "tests/support/test.h"

struct world {
    struct route_registry *registry;
    struct route_model *model;
    struct route_table *table;
    uint64_t generation;
};

static void build(struct world *w)
{
    struct route_table *t = route_model_build(w->model, ++w->generation);

    if (t) {
        route_table_unref(w->table);
        w->table = t;
    }
}

static int apply(struct world *w, const char *key, const char *text)
{
    struct deis_err err;

    return route_docs_apply(w->model, key, text ? deis_str(text) : DEIS_STR_NONE, &err);
}

static struct route_app *find(struct world *w, const char *host)
{
    return route_table_find(w->table, deis_str(host));
}

static int setup(void **state)
{
    struct world *w = deis_alloc(sizeof(*w));
    char unit[64], address[64];

    w->registry = route_registry_new();
    w->model = route_model_new(w->registry);
    route_model_set_domain(w->model, "example.com");
    route_model_set_app(w->model, "blog", true);
    route_model_set_service(w->model, ROUTE_CONTROLLER, "c1", "127.0.0.1:8000", NULL);
    for (int i = 1; i <= 4; i++) {
        struct route_unit u = { "blog", "m1", ROUTE_RUN, true };
        snprintf(unit, sizeof(unit), "blog_v7.web.%d-1a2b3c4d", i);
        snprintf(address, sizeof(address), "10.0.0.%d:80", i);
        route_model_set_unit(w->model, unit, &u);
        route_model_set_state(w->model, "m1", unit, address);
    }
    build(w);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    route_model_free(w->model);
    route_table_unref(w->table);
    assert_true(route_registry_sweep(w->registry));
    route_registry_free(w->registry);
    free(w);
    return 0;
}

static bool admits(const struct route_app *a, const char *address)
{
    struct deis_ip ip;

    assert_true(deis_ip_parse(deis_str(address), &ip));
    return !a->settings || route_settings_admit(a->settings, &ip);
}

static void document__comes_changes_and_goes(void **state)
{
    struct world *w = *state;

    assert_null(find(w, "blog.example.com")->settings);
    assert_int_equal(apply(w, "/deis/routing/blog",
                           "{\"settings\":{\"whitelist\":[\"10.0.0.0/8\"],\"h2c\":true}}"),
                     0);
    build(w);
    struct route_app *a = find(w, "blog.example.com");
    assert_true(a->settings->r.h2c);
    assert_true(admits(a, "10.1.1.1"));
    assert_false(admits(a, "11.1.1.1"));
    assert_int_equal(a->count, 4);
    /* One that can't be read changes nothing. */
    assert_int_equal(apply(w, "/deis/routing/blog", "{\"settings\":{\"maintenance\":\"?\"}}"),
                     DEIS_INVALID);
    build(w);
    assert_false(admits(find(w, "blog.example.com"), "11.1.1.1"));
    assert_int_equal(apply(w, "/deis/routing/blog", NULL), 0);
    build(w);
    assert_null(find(w, "blog.example.com")->settings);
}

static void document__that_was_never_good_closes_the_app(void **state)
{
    struct world *w = *state;

    assert_int_equal(apply(w, "/deis/routing/blog", "junk"), DEIS_INVALID);
    build(w);
    assert_false(admits(find(w, "blog.example.com"), "10.1.1.1"));
    assert_int_equal(apply(w, "/deis/routing/blog", "{\"settings\":{}}"), 0);
    build(w);
    assert_true(admits(find(w, "blog.example.com"), "10.1.1.1"));
}

static void document__may_come_before_its_app(void **state)
{
    struct world *w = *state;

    assert_int_equal(apply(w, "/deis/routing/late", "{\"settings\":{\"maintenance\":true}}"), 0);
    build(w);
    route_model_set_app(w->model, "late", true);
    build(w);
    assert_true(find(w, "late.example.com")->settings->r.maintenance);
}

static void platform__settings_join_those_of_apps(void **state)
{
    struct world *w = *state;
    struct deis_err err;
    struct route_defaults d = { .enforce_whitelist = true,
                                .affinity_arg = "sid",
                                .requests_max = 50,
                                .connections_max = 1000,
                                .address_max = 20,
                                .rate_minute = 60,
                                .controller_whitelist = "127.0.0.1:admin",
                                .controller_read_ms = 5000,
                                .controller_send_ms = 9000 };

    assert_int_equal(
        apply(w, "/deis/routing/blog", "{\"settings\":{\"timeout\":7,\"maxRequests\":9}}"), 0);
    route_model_set_app(w->model, "other", true);
    route_model_set_defaults(w->model, &d, &err);
    assert_int_equal(err.code, DEIS_OK);
    build(w);
    struct route_app *blog = find(w, "blog.example.com");
    assert_false(admits(blog, "10.1.1.1"));
    assert_int_equal(blog->settings->r.timeout_ms, 7000);
    assert_string_equal(blog->settings->r.affinity_arg, "sid");
    assert_int_equal(blog->settings->r.requests_max, 9);
    assert_int_equal(blog->settings->r.connections_max, 1000);
    assert_int_equal(blog->settings->r.address_max, 20);
    assert_int_equal(blog->settings->r.rate_burst, 10);
    assert_int_equal(find(w, "other.example.com")->settings->r.requests_max, 50);
    assert_false(admits(find(w, "other.example.com"), "10.1.1.1"));
    struct route_app *deis = find(w, "deis.example.com");
    assert_true(admits(deis, "127.0.0.1"));
    assert_false(admits(deis, "127.0.0.2"));
    assert_int_equal(deis->settings->r.timeout_ms, 5000);
    assert_int_equal(deis->settings->send_ms, 9000);
    assert_int_equal(find(w, "other.example.com")->settings->send_ms, 0);

    /* A list that can't be read leaves the former one in effect. */
    d.controller_whitelist = "nonsense";
    route_model_set_defaults(w->model, &d, &err);
    assert_int_equal(err.code, DEIS_INVALID);
    build(w);
    assert_false(admits(find(w, "deis.example.com"), "127.0.0.2"));
    assert_true(admits(find(w, "deis.example.com"), "127.0.0.1"));

    /* So does a number beyond what apps may set, for apps. */
    d.controller_whitelist = NULL;
    d.connections_max = 1000001;
    route_model_set_defaults(w->model, &d, &err);
    assert_int_equal(err.code, DEIS_INVALID);
    assert_non_null(strstr(err.msg, "maxConnections"));
    build(w);
    assert_int_equal(find(w, "other.example.com")->settings->r.connections_max, 0);
    assert_int_equal(find(w, "other.example.com")->settings->r.requests_max, 50);

    /* Times beyond what apps may set are cut, and cost nothing else. */
    d = (struct route_defaults){ .controller_connect_ms = 1,
                                 .controller_read_ms = UINT64_MAX / 2,
                                 .controller_send_ms = UINT64_MAX };
    route_model_set_defaults(w->model, &d, &err);
    assert_int_equal(err.code, DEIS_OK);
    build(w);
    deis = find(w, "deis.example.com");
    assert_true(admits(deis, "127.0.0.2"));
    assert_int_equal(deis->settings->r.connect_timeout_ms, 100);
    assert_int_equal(deis->settings->r.timeout_ms, 86400000);
    assert_int_equal(deis->settings->send_ms, 86400000);

    d = (struct route_defaults){ .controller_send_ms = 1 };
    route_model_set_defaults(w->model, &d, &err);
    build(w);
    deis = find(w, "deis.example.com");
    assert_true(admits(deis, "127.0.0.2"));
    assert_int_equal(deis->settings->send_ms, 1000);
    assert_int_equal(deis->settings->r.timeout_ms, 0);

    d = (struct route_defaults){ 0 };
    route_model_set_defaults(w->model, &d, &err);
    build(w);
    assert_null(find(w, "deis.example.com")->settings);
    assert_null(find(w, "other.example.com")->settings);
    assert_true(admits(find(w, "blog.example.com"), "10.1.1.1"));
}

static void firewall__is_wanted_once_an_app_or_the_platform_says_so(void **state)
{
    struct world *w = *state;
    struct route_firewall f = { false, 403, 4096 };

    assert_false(w->table->examines);
    assert_false(w->table->firewall.on);
    assert_int_equal(apply(w, "/deis/routing/blog", "{\"settings\":{\"firewall\":false}}"), 0);
    build(w);
    assert_false(w->table->examines);
    assert_int_equal(find(w, "blog.example.com")->settings->r.firewall, DEIS_NO);
    assert_int_equal(apply(w, "/deis/routing/blog", "{\"settings\":{\"firewall\":true}}"), 0);
    build(w);
    assert_true(w->table->examines);
    assert_int_equal(find(w, "blog.example.com")->settings->r.firewall, DEIS_YES);

    uint64_t before = w->table->generation;
    route_model_set_firewall(w->model, &f);
    build(w);
    assert_true(w->table->generation > before);
    assert_int_equal(w->table->firewall.status, 403);
    assert_int_equal(w->table->firewall.body_max, 4096);
    before = w->table->generation;
    route_model_set_firewall(w->model, &f);
    build(w);
    assert_int_equal(w->table->generation, before);
}

static void firewall__of_the_platform(void **state)
{
    struct world *w = *state;

    route_model_set_firewall(w->model, &(struct route_firewall){ true, 400, 4096 });
    build(w);
    assert_true(w->table->examines);
    assert_true(w->table->firewall.on);
}

static void saved__settings_come_back(void **state)
{
    struct world *w = *state;
    struct deis_buf text = DEIS_BUF_INIT(65536);
    struct route_model *m = route_model_new(w->registry);
    struct route_defaults d = { .enforce_whitelist = true };
    struct route_seen seen = { 0 };
    struct deis_err err;

    assert_int_equal(
        apply(w, "/deis/routing/blog",
              "{\"settings\":{\"whitelist\":[\"10.0.0.0/8\"],\"page.503\":\"a\\nb  c\"}}"),
        0);
    assert_int_equal(apply(w, "/deis/domains/*.shop.test", "{\"app\":\"blog\"}"), 0);
    route_model_set_defaults(w->model, &d, &err);
    build(w);
    route_file_save(&(struct route_saved){ .table = w->table }, &text);
    assert_int_equal(route_file_load(m, deis_buf_str(&text), &seen, &err), 0);
    struct route_table *t = route_model_build(m, 1);
    struct route_app *a = route_table_find(t, DEIS_STR("any.shop.test"));
    assert_string_equal(a->settings->r.pages[DEIS_PAGE_503], "a\nb  c");
    assert_true(admits(a, "10.1.1.1"));
    assert_false(admits(a, "11.1.1.1"));
    assert_false(admits(route_table_find(t, DEIS_STR("deis.example.com")), "10.1.1.1"));
    route_table_unref(t);
    route_model_free(m);
    deis_buf_clear(&text);
}

static void wildcard__stands_for_one_label(void **state)
{
    struct world *w = *state;

    route_model_set_app(w->model, "shop", true);
    assert_int_equal(apply(w, "/deis/domains/*.shop.test", "{\"app\":\"shop\"}"), 0);
    assert_int_equal(apply(w, "/deis/domains/www.shop.test", "{\"app\":\"blog\"}"), 0);
    assert_int_equal(apply(w, "/deis/domains/*.example.com", "{\"app\":\"shop\"}"), 0);
    build(w);
    assert_string_equal(find(w, "a.shop.test")->name, "shop");
    assert_string_equal(find(w, "www.shop.test")->name, "blog");
    assert_null(find(w, "shop.test"));
    assert_null(find(w, "a.b.shop.test"));
    assert_null(find(w, ".shop.test"));
    assert_null(find(w, "shop"));
    /* Names of the platform and of apps stay theirs. */
    assert_string_equal(find(w, "deis.example.com")->name, ROUTE_CONTROLLER);
    assert_string_equal(find(w, "blog.example.com")->name, "blog");
}

static struct route_endpoint *choose(struct route_app *a, uint64_t tag, const char *value,
                                     uint64_t now_ms, uint64_t random)
{
    struct route_wish wish = { tag, route_wish_value(deis_str(value)) };

    return route_app_choose(a, &wish, now_ms, random, NULL, 0);
}

static uint64_t next(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *seed ^ (*seed >> 29);
}

static void choice__sticks_while_the_unit_serves(void **state)
{
    struct world *w = *state;
    uint64_t seed = 1;

    assert_int_equal(apply(w, "/deis/routing/blog", "{\"settings\":{\"sticky\":true}}"), 0);
    build(w);
    struct route_app *a = find(w, "blog.example.com");
    struct route_endpoint *e = a->endpoints[2];
    for (int i = 0; i < 50; i++) {
        assert_ptr_equal(choose(a, e->tag, "", 1, next(&seed)), e);
    }
    route_endpoint_eject(e, 1);
    assert_ptr_not_equal(choose(a, e->tag, "", 2, next(&seed)), e);
    struct route_wish wish = { e->tag, 0 };
    assert_ptr_not_equal(route_app_choose(a, &wish, 5000, 0, &e, 1), e);
    assert_non_null(choose(a, e->tag + 1, "", 1, next(&seed)));
}

static void choice__by_value_is_stable_and_even(void **state)
{
    struct world *w = *state;
    unsigned hits[4] = { 0 };
    char value[16];

    assert_int_equal(apply(w, "/deis/routing/blog", "{\"settings\":{\"affinityArg\":\"sid\"}}"), 0);
    build(w);
    struct route_app *a = find(w, "blog.example.com");
    for (int i = 0; i < 2000; i++) {
        snprintf(value, sizeof(value), "user-%d", i);
        struct route_endpoint *e = choose(a, 0, value, 1, (uint64_t)i * 77);
        assert_ptr_equal(choose(a, 0, value, 1, 5), e);
        for (size_t k = 0; k < 4; k++) {
            hits[k] += a->endpoints[k] == e;
        }
        /* Another unit away: it stays. */
        struct route_endpoint *gone = a->endpoints[0] == e ? a->endpoints[1] : a->endpoints[0];
        struct route_wish wish = { 0, route_wish_value(deis_str(value)) };
        assert_ptr_equal(route_app_choose(a, &wish, 1, 0, &gone, 1), e);
    }
    for (size_t k = 0; k < 4; k++) {
        assert_in_range(hits[k], 350, 650);
    }
}

static void count(struct route_app *a, uint64_t now_ms, unsigned hits[4])
{
    uint64_t seed = 42;

    memset(hits, 0, 4 * sizeof(hits[0]));
    for (int i = 0; i < 4000; i++) {
        struct route_endpoint *e = choose(a, 0, "", now_ms, next(&seed));
        for (size_t k = 0; k < 4; k++) {
            /* "10.0.0.<n>:80" */
            hits[k] += e->ip[3] == k + 1;
        }
    }
}

static void choice__by_weight(void **state)
{
    struct world *w = *state;
    unsigned hits[4];

    assert_int_equal(
        apply(w, "/deis/routing/blog",
              "{\"settings\":{\"weight.web.1\":0,\"weight.web.2\":50,\"weight.web.9\":3}}"),
        0);
    build(w);
    struct route_app *a = find(w, "blog.example.com");
    count(a, 1, hits);
    assert_int_equal(hits[0], 0);
    assert_in_range(hits[1], 650, 950);
    assert_in_range(hits[2], 1400, 1800);
    /* Busy for its weight: the others get more. */
    for (size_t k = 0; k < 4; k++) {
        atomic_store(&a->endpoints[k]->in_flight, a->endpoints[k]->ip[3] == 2 ? 10 : 1);
    }
    count(a, 1, hits);
    assert_in_range(hits[1], 0, 100);
    for (size_t k = 0; k < 4; k++) {
        atomic_store(&a->endpoints[k]->in_flight, 0);
        if (a->endpoints[k]->ip[3] != 1) {
            route_endpoint_eject(a->endpoints[k], 1);
        }
    }
    /* Nothing else is left. */
    assert_non_null(choose(a, 0, "", 2, 3));
}

static void choice__starts_new_units_slowly(void **state)
{
    struct world *w = *state;
    struct route_unit u = { "blog", "m1", ROUTE_RUN, true };
    unsigned hits[4];

    assert_int_equal(apply(w, "/deis/routing/blog", "{\"settings\":{\"slowStart\":\"10s\"}}"), 0);
    route_model_set_unit(w->model, "blog_v7.web.4-1a2b3c4d", NULL);
    build(w);
    struct route_app *a = find(w, "blog.example.com");
    count(a, 1000, hits); /* all new: alike */
    assert_in_range(hits[0], 1150, 1550);
    count(a, 20000, hits);
    assert_true(atomic_load(&a->warm));
    route_model_set_unit(w->model, "blog_v7.web.4-1a2b3c4d", &u);
    build(w);
    a = find(w, "blog.example.com");
    count(a, 20000, hits);
    assert_in_range(hits[3], 60, 220); /* a tenth of its share */
    count(a, 25000, hits);
    assert_in_range(hits[3], 450, 800); /* half of it */
    count(a, 30000, hits);
    assert_in_range(hits[3], 850, 1150);
    assert_true(atomic_load(&a->warm));
}

static void rate__lets_a_burst_and_then_a_pace_through(void **state)
{
    struct rate *r = rate_new();
    struct deis_ip one, other;
    uint64_t now_ms = 5000000;

    assert_true(deis_ip_parse(deis_str("10.0.0.1"), &one));
    assert_true(deis_ip_parse(deis_str("10.0.0.2"), &other));
    for (int i = 0; i < 5; i++) {
        assert_int_equal(rate_take(r, &one, 60, 5, now_ms), 0);
    }
    uint64_t wait = rate_take(r, &one, 60, 5, now_ms);
    assert_in_range(wait, 990, 1001);
    assert_int_equal(rate_take(r, &other, 60, 5, now_ms), 0);
    assert_int_not_equal(rate_take(r, &one, 60, 5, now_ms + wait - 10), 0);
    assert_int_equal(rate_take(r, &one, 60, 5, now_ms + wait), 0);
    assert_int_not_equal(rate_take(r, &one, 60, 5, now_ms + wait), 0);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(rate_take(r, &one, 60, 5, now_ms + 60000), 0);
    }
    assert_int_not_equal(rate_take(r, &one, 60, 5, now_ms + 60000), 0);
    rate_free(r);
}

static void rate__holds_with_many_addresses(void **state)
{
    struct rate *r = rate_new();
    struct deis_ip ip;
    unsigned refused = 0;

    /* One that asks often among thousands that ask once. */
    for (unsigned i = 0; i < 3000; i++) {
        char text[32];
        snprintf(text, sizeof(text), "10.1.%u.%u", i / 256, i % 256);
        assert_true(deis_ip_parse(deis_str(text), &ip));
        assert_int_equal(rate_take(r, &ip, 6, 3, 777), 0);
        assert_true(deis_ip_parse(deis_str("10.0.0.1"), &ip));
        refused += rate_take(r, &ip, 6, 3, 777) > 0;
    }
    assert_in_range(refused, 2900, 2997);
    /* A network of IPv6 counts as one address. */
    for (unsigned i = 0; i < 3; i++) {
        char text[32];
        snprintf(text, sizeof(text), "2001:db8::%x", i + 1);
        assert_true(deis_ip_parse(deis_str(text), &ip));
        assert_int_equal(rate_take(r, &ip, 6, 3, 777), 0);
    }
    assert_true(deis_ip_parse(deis_str("2001:db8::4"), &ip));
    assert_int_not_equal(rate_take(r, &ip, 6, 3, 777), 0);
    rate_free(r);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(document__comes_changes_and_goes),
        TEST(document__that_was_never_good_closes_the_app),
        TEST(document__may_come_before_its_app),
        TEST(platform__settings_join_those_of_apps),
        TEST(firewall__is_wanted_once_an_app_or_the_platform_says_so),
        TEST(firewall__of_the_platform),
        TEST(saved__settings_come_back),
        TEST(wildcard__stands_for_one_label),
        TEST(choice__sticks_while_the_unit_serves),
        TEST(choice__by_value_is_stable_and_even),
        TEST(choice__by_weight),
        TEST(choice__starts_new_units_slowly),
        cmocka_unit_test(rate__lets_a_burst_and_then_a_pace_through),
        cmocka_unit_test(rate__holds_with_many_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
