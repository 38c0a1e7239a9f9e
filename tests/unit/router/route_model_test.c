/* SPDX-License-Identifier: MIT */
#include "router/core/route_docs.h"
#include "router/core/route_model.h"
#include "tests/support/test.h"

struct world {
    struct route_registry *registry;
    struct route_model *model;
    struct route_table *table;
    uint64_t generation;
};

static int setup(void **state)
{
    struct world *w = deis_alloc(sizeof(*w));

    w->registry = route_registry_new();
    w->model = route_model_new(w->registry);
    route_model_set_domain(w->model, "example.com");
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    route_model_free(w->model);
    route_table_unref(w->table);
    assert_true(route_registry_sweep(w->registry));
    assert_int_equal(route_registry_in_flight(w->registry, "any"), 0);
    route_registry_free(w->registry);
    free(w);
    return 0;
}

static bool build(struct world *w)
{
    struct route_table *t = route_model_build(w->model, ++w->generation);

    if (!t) {
        return false;
    }
    route_table_unref(w->table);
    w->table = t;
    return true;
}

static struct route_app *find(struct world *w, const char *host)
{
    return route_table_find(w->table, deis_str(host));
}

static void set_unit(struct world *w, const char *unit, enum route_desired desired)
{
    struct route_unit u = { "blog", "m1", desired, true };

    route_model_set_unit(w->model, unit, &u);
}

static void table__knows_apps_domains_and_the_controller(void **state)
{
    struct world *w = *state;

    route_model_set_app(w->model, "blog", true);
    route_model_set_host(w->model, "WWW.Blog.test.", "blog");
    route_model_set_host(w->model, "lost.test", "nobody");
    route_model_set_service(w->model, ROUTE_CONTROLLER, "c1", "127.0.0.1:8000", NULL);
    assert_true(build(w));
    assert_non_null(find(w, "blog.example.com"));
    assert_ptr_equal(find(w, "www.blog.test"), find(w, "blog.example.com"));
    assert_int_equal(find(w, "blog.example.com")->count, 0);
    assert_int_equal(find(w, "blog.example.com")->wanted, 0);
    assert_int_equal(find(w, "deis.example.com")->kind, ROUTE_PLATFORM);
    assert_int_equal(find(w, "deis.example.com")->count, 1);
    assert_null(find(w, "lost.test"));
    assert_null(find(w, "@controller.example.com"));
    assert_null(find(w, "blog.example.org"));
    assert_false(build(w)); /* nothing changed */
    route_model_set_app(w->model, "blog", false);
    assert_true(build(w));
    assert_null(find(w, "www.blog.test"));
    assert_null(find(w, "blog.example.com"));
}

static void table__nobody_takes_names_of_others(void **state)
{
    struct world *w = *state;

    route_model_set_app(w->model, "evil", true);
    route_model_set_app(w->model, "blog", true);
    route_model_set_app(w->model, "deis", true);
    route_model_set_host(w->model, "deis.example.com", "evil");
    route_model_set_host(w->model, "blog.example.com", "evil");
    route_model_set_service(w->model, ROUTE_CONTROLLER, "c1", "127.0.0.1:8000", NULL);
    assert_true(build(w));
    assert_string_equal(find(w, "deis.example.com")->name, ROUTE_CONTROLLER);
    assert_string_equal(find(w, "blog.example.com")->name, "blog");
}

static void hosts__added_later_are_as_if_there_from_the_start(void **state)
{
    struct world *w = *state;
    char host[32];

    route_model_set_app(w->model, "blog", true);
    route_model_set_app(w->model, "shop", true);
    route_model_set_host(w->model, "a.test", "blog");
    assert_true(build(w));
    struct route_app *blog = find(w, "a.test");
    struct route_table *before = route_table_ref(w->table);
    route_model_set_host(w->model, "b.test", "blog");
    route_model_set_host(w->model, "blog.example.com", "shop"); /* nobody's to take */
    route_model_set_host(w->model, "lost.test", "nobody");
    route_model_set_host(w->model, "gone.test", "blog");
    assert_true(build(w));
    assert_ptr_equal(find(w, "b.test"), blog); /* and nothing else was made anew */
    assert_ptr_equal(find(w, "a.test"), blog);
    assert_ptr_equal(find(w, "blog.example.com"), blog);
    assert_null(find(w, "lost.test"));
    assert_non_null(find(w, "gone.test"));
    assert_null(route_table_find(before, DEIS_STR("b.test"))); /* which others still use */
    route_table_unref(before);
    assert_false(build(w));

    /* One that goes again, or to another app, before a table is made of it. */
    route_model_set_host(w->model, "c.test", "blog");
    route_model_set_host(w->model, "c.test", NULL);
    route_model_set_host(w->model, "d.test", "blog");
    route_model_set_host(w->model, "d.test", "shop");
    route_model_set_host(w->model, "gone.test", NULL);
    assert_true(build(w));
    assert_null(find(w, "c.test"));
    assert_null(find(w, "gone.test"));
    assert_string_equal(find(w, "d.test")->name, "shop");

    /* Those of an app that comes later, and very many. */
    route_model_set_app(w->model, "nobody", true);
    assert_true(build(w));
    assert_string_equal(find(w, "lost.test")->name, "nobody");
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(host, sizeof(host), "h%d.test", i);
        route_model_set_host(w->model, host, i % 2 ? "blog" : "shop");
        if (i % 7 == 0 || i > 500) {
            assert_true(build(w));
        }
    }
    (void)build(w);
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(host, sizeof(host), "h%d.test", i);
        assert_string_equal(find(w, host)->name, i % 2 ? "blog" : "shop");
    }
}

/* Hosts that come, go and change hands, one table after the other: each is as one that is made from
 * all that is known then. */
static void hosts__changed_one_by_one_are_as_if_read_at_once(void **state)
{
    static const char *const owners[] = { NULL, "blog", "shop", "nobody" };
    static const char *const hosts[] = { "a.test",           "b.test",           "*.b.test",
                                         "blog.example.com", "deis.example.com", "new.example.com",
                                         "example.com",      ".example.com" };
    struct world *w = *state;
    const char *owner[DEIS_COUNT(hosts)] = { NULL };
    uint64_t x = 88172645463325252u; /* xorshift64 */

    route_model_set_app(w->model, "blog", true);
    route_model_set_app(w->model, "shop", true);
    route_model_set_service(w->model, ROUTE_CONTROLLER, "c1", "127.0.0.1:8000", NULL);
    for (int round = 0; round < 500; round++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        size_t which = (x >> 20) % DEIS_COUNT(hosts);
        owner[which] = owners[(x >> 40) % DEIS_COUNT(owners)];
        route_model_set_host(w->model, hosts[which], owner[which]);
        if (x % 3 == 0) {
            continue;
        }
        struct world fresh = { .registry = w->registry, .model = route_model_new(w->registry) };
        route_model_set_domain(fresh.model, "example.com");
        route_model_set_app(fresh.model, "blog", true);
        route_model_set_app(fresh.model, "shop", true);
        route_model_set_service(fresh.model, ROUTE_CONTROLLER, "c1", "127.0.0.1:8000", NULL);
        for (size_t i = 0; i < DEIS_COUNT(hosts); i++) {
            route_model_set_host(fresh.model, hosts[i], owner[i]);
        }
        (void)build(w);
        assert_true(build(&fresh));
        assert_int_equal(route_hosts_count(w->table->hosts), route_hosts_count(fresh.table->hosts));
        for (size_t i = 0; i < DEIS_COUNT(hosts); i++) {
            const struct route_app *a = find(w, hosts[i]), *b = find(&fresh, hosts[i]);
            assert_string_equal(a ? a->name : "", b ? b->name : "");
        }
        route_table_unref(fresh.table);
        route_model_free(fresh.model);
    }
}

static void units__that_leave_are_counted(void **state)
{
    struct world *w = *state;
    struct route_unit other = { "shop", "m1", ROUTE_DRAIN, true };

    set_unit(w, "u1", ROUTE_RUN);
    set_unit(w, "u2", ROUTE_DRAIN);
    assert_int_equal(route_model_leaving(w->model), 1);
    set_unit(w, "u1", ROUTE_DRAIN);
    set_unit(w, "u1", ROUTE_STOP);
    assert_int_equal(route_model_leaving(w->model), 2);
    route_model_set_unit(w->model, "u1", &other);
    assert_int_equal(route_model_leaving(w->model), 2);
    other.routable = false;
    route_model_set_unit(w->model, "u1", &other);
    assert_int_equal(route_model_leaving(w->model), 1);
    set_unit(w, "u2", ROUTE_RUN);
    route_model_set_unit(w->model, "u1", NULL);
    assert_int_equal(route_model_leaving(w->model), 0);
}

static void units__are_routed_while_ready_wanted_and_not_lost(void **state)
{
    struct world *w = *state;

    route_model_set_app(w->model, "blog", true);
    set_unit(w, "u1", ROUTE_RUN);
    route_model_set_state(w->model, "m2", "u1", "10.0.0.9:5000"); /* another machine's word */
    assert_true(build(w));
    assert_int_equal(find(w, "blog.example.com")->count, 0);
    assert_int_equal(find(w, "blog.example.com")->wanted, 1);
    route_model_set_state(w->model, "m1", "u1", "10.0.0.1:5000");
    assert_true(build(w));
    struct route_app *a = find(w, "blog.example.com");
    assert_int_equal(a->count, 1);
    assert_string_equal(a->endpoints[0]->address, "10.0.0.1:5000");
    struct route_endpoint *e = a->endpoints[0];
    route_model_set_machine_lost(w->model, "m1", true);
    assert_true(build(w));
    assert_int_equal(find(w, "blog.example.com")->count, 0);
    assert_true(atomic_load(&e->retired));
    route_model_set_machine_lost(w->model, "m1", false);
    assert_true(build(w));
    assert_ptr_equal(find(w, "blog.example.com")->endpoints[0], e);
    assert_false(atomic_load(&e->retired));
    set_unit(w, "u1", ROUTE_DRAIN);
    assert_true(build(w));
    assert_int_equal(find(w, "blog.example.com")->count, 0);
    assert_int_equal(find(w, "blog.example.com")->wanted, 0);
    set_unit(w, "u1", ROUTE_RUN);
    route_model_set_state(w->model, "m1", "u1", "");
    assert_true(build(w));
    assert_int_equal(find(w, "blog.example.com")->count, 0);
    route_model_set_state(w->model, "m1", "u1", "no address");
    assert_true(build(w));
    assert_int_equal(find(w, "blog.example.com")->count, 0);
    route_model_set_unit(w->model, "u1", NULL);
    assert_true(build(w));
    assert_false(route_model_unit(w->model, "u1", &(enum route_desired){ ROUTE_RUN }));
}

static void units__before_their_app_is_known_make_no_route(void **state)
{
    struct world *w = *state;

    set_unit(w, "u1", ROUTE_RUN);
    route_model_set_state(w->model, "m1", "u1", "10.0.0.1:5000");
    assert_true(build(w));
    assert_null(find(w, "blog.example.com"));
    route_model_set_app(w->model, "blog", true);
    assert_true(build(w));
    assert_int_equal(find(w, "blog.example.com")->count, 1);
}

static void units__not_routable_stay_out(void **state)
{
    struct world *w = *state;
    struct route_unit u = { "blog", "m1", ROUTE_DRAIN, false };
    size_t cursor = 0;
    const char *unit;
    enum route_desired desired;

    route_model_set_app(w->model, "blog", true);
    route_model_set_unit(w->model, "worker", &u);
    assert_false(route_model_next_unit(w->model, &cursor, &unit, &desired));
    set_unit(w, "web", ROUTE_DRAIN);
    cursor = 0;
    assert_true(route_model_next_unit(w->model, &cursor, &unit, &desired));
    assert_string_equal(unit, "web");
    assert_int_equal(desired, ROUTE_DRAIN);
}

static void build__shares_what_did_not_change(void **state)
{
    struct world *w = *state;

    route_model_set_app(w->model, "blog", true);
    route_model_set_app(w->model, "shop", true);
    set_unit(w, "u1", ROUTE_RUN);
    assert_true(build(w));
    struct route_table *old = route_table_ref(w->table);
    route_model_set_state(w->model, "m1", "u1", "10.0.0.1:5000");
    assert_true(build(w));
    assert_ptr_equal(old->hosts, w->table->hosts);
    assert_ptr_not_equal(old, w->table);
    assert_ptr_equal(route_table_find(old, DEIS_STR("shop.example.com")),
                     find(w, "shop.example.com"));
    assert_ptr_not_equal(route_table_find(old, DEIS_STR("blog.example.com")),
                         find(w, "blog.example.com"));
    assert_ptr_equal(route_table_find(old, DEIS_STR("blog.example.com"))->stats,
                     find(w, "blog.example.com")->stats);
    /* A snapshot never changes. */
    assert_int_equal(route_table_find(old, DEIS_STR("blog.example.com"))->count, 0);
    route_table_unref(old);
}

static void build__copies_only_the_group_that_changed(void **state)
{
    struct world *w = *state;
    char name[32];

    for (int i = 0; i < 3 * ROUTE_GROUP; i++) {
        (void)snprintf(name, sizeof(name), "app%d", i);
        route_model_set_app(w->model, name, true);
    }
    route_model_set_app(w->model, "blog", true);
    set_unit(w, "u1", ROUTE_RUN);
    assert_true(build(w));
    struct route_table *old = route_table_ref(w->table);
    route_model_set_state(w->model, "m1", "u1", "10.0.0.1:5000");
    assert_true(build(w));
    assert_int_equal(w->table->app_count, 3 * ROUTE_GROUP + 1);
    int different = 0;
    for (int i = 0; i < 4; i++) {
        different += old->groups[i] != w->table->groups[i];
    }
    assert_int_equal(different, 1);
    for (size_t i = 0; i < w->table->app_count; i++) {
        struct route_app *a = route_table_at(w->table, i);
        assert_int_equal(a->count, strcmp(a->name, "blog") == 0);
        assert_string_equal(a->name, route_table_at(old, i)->name);
    }
    route_table_unref(old);
}

static void services__keep_the_last_address_until_another_is_there(void **state)
{
    struct world *w = *state;

    route_model_set_service(w->model, ROUTE_CONTROLLER, "c1", "127.0.0.1:8001", NULL);
    route_model_set_service(w->model, ROUTE_CONTROLLER, "c2", "127.0.0.1:8002", NULL);
    assert_true(build(w));
    assert_int_equal(find(w, "deis.example.com")->count, 2);
    route_model_set_service(w->model, ROUTE_CONTROLLER, "c1", NULL, NULL);
    assert_true(build(w));
    assert_int_equal(find(w, "deis.example.com")->count, 1);
    route_model_set_service(w->model, ROUTE_CONTROLLER, "c2", NULL, NULL);
    assert_true(build(w));
    assert_string_equal(find(w, "deis.example.com")->endpoints[0]->address, "127.0.0.1:8002");
    route_model_set_service(w->model, ROUTE_CONTROLLER, "c3", "127.0.0.1:8003", NULL);
    assert_true(build(w));
    assert_int_equal(find(w, "deis.example.com")->count, 1);
    assert_string_equal(find(w, "deis.example.com")->endpoints[0]->address, "127.0.0.1:8003");
}

static int apply(struct world *w, const char *key, const char *value, struct deis_err *err)
{
    return route_docs_apply(w->model, key, value ? deis_str(value) : DEIS_STR_NONE, err);
}

static const char unit_doc[] =
    "{\"unit\":\"blog_v1.web.1-aa\",\"app\":\"blog\",\"release\":1,\"type\":\"web\",\"num\":1,"
    "\"machine\":\"m1\",\"desired\":\"run\",\"epoch\":1,\"image\":\"i\",\"env\":\"\","
    "\"entrypoint\":null,\"command\":null,\"memory_bytes\":0,\"cpu_shares\":0,\"routable\":true,"
    "\"grace_ms\":1,\"start_timeout_ms\":1,\"health\":null}";
static const char state_doc[] =
    "{\"unit\":\"blog_v1.web.1-aa\",\"app\":\"blog\",\"type\":\"web\",\"num\":1,\"release\":1,"
    "\"machine\":\"m1\",\"state\":\"up\",\"ready\":true,\"address\":\"10.0.0.1:5000\","
    "\"container\":\"\",\"exits\":0,\"exit\":null,\"reason\":\"\",\"since\":1}";

static void docs__make_routes(void **state)
{
    struct world *w = *state;
    struct deis_err err = DEIS_ERR_INIT;

    assert_int_equal(apply(w, "/deis/config/platform/domain", "other.net", &err), 0);
    assert_int_equal(apply(w, "/deis/apps/blog", "{}", &err), 0);
    assert_int_equal(apply(w, "/deis/apps/blog/releases/0000000001", "{}", &err), 0);
    assert_int_equal(apply(w, "/deis/domains/www.blog.test", "{\"app\":\"blog\"}", &err), 0);
    assert_int_equal(apply(w, "/deis/units/blog_v1.web.1-aa", unit_doc, &err), 0);
    assert_int_equal(apply(w, "/deis/states/m1/blog_v1.web.1-aa", state_doc, &err), 0);
    assert_int_equal(apply(w, "/deis/services/controller/c1", "{\"http\":\"127.0.0.1:1\"}", &err),
                     0);
    assert_int_equal(apply(w, "/deis/services/logger/l1", "{\"bus\":\"tcp://127.0.0.1:1\"}", &err),
                     0);
    assert_true(build(w));
    assert_int_equal(find(w, "blog.other.net")->count, 1);
    assert_int_equal(find(w, "www.blog.test")->count, 1);
    assert_int_equal(find(w, "deis.other.net")->count, 1);
    assert_int_equal(apply(w, "/deis/verdicts/m1", "{\"state\":\"lost\"}", &err), 0);
    assert_true(build(w));
    assert_int_equal(find(w, "www.blog.test")->count, 0);
    assert_int_equal(apply(w, "/deis/verdicts/m1", "{\"state\":\"cordoned\"}", &err), 0);
    assert_true(build(w));
    assert_int_equal(find(w, "www.blog.test")->count, 1);
    assert_int_equal(apply(w, "/deis/states/m1/blog_v1.web.1-aa", NULL, &err), 0);
    assert_int_equal(apply(w, "/deis/domains/www.blog.test", NULL, &err), 0);
    assert_true(build(w));
    assert_null(find(w, "www.blog.test"));
    assert_int_equal(find(w, "blog.other.net")->count, 0);
}

static void docs__builders_say_who_tells_the_client(void **state)
{
    static const struct {
        const char *doc;
        const char *proxy_from;
    } cases[] = {
        { "{\"ssh\":\"127.0.0.1:1\"}", NULL },
        { "{\"ssh\":\"127.0.0.1:1\",\"proxy_from\":\"127.0.0.0/8, ::1/128\"}",
          "127.0.0.0/8,,::1/128" },
        { "{\"ssh\":\"127.0.0.1:1\",\"proxy_from\":\"10.0.0.0/8\"}", "10.0.0.0/8" },
        { "{\"ssh\":\"127.0.0.1:1\",\"proxy_from\":\"\"}", NULL },
        { "{\"ssh\":\"127.0.0.1:1\",\"proxy_from\":\"10.0.0.0/8 no\\nto\"}", NULL },
    };
    struct world *w = *state;
    struct deis_err err = DEIS_ERR_INIT;

    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        assert_int_equal(apply(w, "/deis/services/builder/b1", cases[i].doc, &err), 0);
        assert_true(build(w));
        struct route_app *builder = route_table_app(w->table, ROUTE_BUILDER);
        assert_int_equal(builder->count, 1);
        const char *got = builder->endpoints[0]->proxy_from;
        assert_string_equal(got ? got : "(none)",
                            cases[i].proxy_from ? cases[i].proxy_from : "(none)");
    }
}

static void docs__bad_ones_change_nothing(void **state)
{
    struct world *w = *state;
    static const char *const keys[] = { "/deis/units/blog_v1.web.1-aa",
                                        "/deis/states/m1/blog_v1.web.1-aa",
                                        "/deis/domains/www.blog.test", "/deis/verdicts/m1",
                                        "/deis/services/controller/c1" };
    static const char *const values[] = { "", "nonsense", "{",
                                          "{\"app\":1,\"http\":1,\"state\":1}" };
    struct deis_err err = DEIS_ERR_INIT;

    docs__make_routes(state);
    for (size_t i = 0; i < DEIS_COUNT(keys); i++) {
        for (size_t k = 0; k < DEIS_COUNT(values); k++) {
            assert_int_equal(apply(w, keys[i], values[k], &err), DEIS_INVALID);
            assert_string_not_equal(err.msg, "");
        }
    }
    assert_int_equal(apply(w, "/deis/config/controller/subdomain", "a.b", &err), DEIS_INVALID);
    assert_int_equal(apply(w, "/deis/states/m1", "x", &err), 0);
    assert_int_equal(apply(w, "/deis/other/key", "x", &err), 0);
    assert_false(build(w));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(table__knows_apps_domains_and_the_controller),
        TEST(table__nobody_takes_names_of_others),
        TEST(hosts__added_later_are_as_if_there_from_the_start),
        TEST(hosts__changed_one_by_one_are_as_if_read_at_once),
        TEST(units__that_leave_are_counted),
        TEST(units__are_routed_while_ready_wanted_and_not_lost),
        TEST(units__before_their_app_is_known_make_no_route),
        TEST(units__not_routable_stay_out),
        TEST(build__shares_what_did_not_change),
        TEST(build__copies_only_the_group_that_changed),
        TEST(services__keep_the_last_address_until_another_is_there),
        TEST(docs__make_routes),
        TEST(docs__builders_say_who_tells_the_client),
        TEST(docs__bad_ones_change_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
