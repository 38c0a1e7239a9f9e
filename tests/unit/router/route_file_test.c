/* SPDX-License-Identifier: MIT */
#include "router/core/route_file.h"
#include "tests/support/test.h"

static struct route_table *read_static(struct route_registry *r, struct route_model **m,
                                       const char *text, struct deis_err *err)
{
    *m = route_model_new(r);
    return route_file_read_static(*m, deis_str(text), err) == 0 ? route_model_build(*m, 1) : NULL;
}

static void static_file__makes_a_table(void **state)
{
    struct route_registry *r = route_registry_new();
    struct route_model *m;
    struct deis_err err;
    struct route_table *t = read_static(r, &m,
                                        "# a comment\n\n a.test\t10.0.0.1:80 \r\n"
                                        "a.test 10.0.0.2:80\nB.test [::1]:8080",
                                        &err);

    assert_non_null(t);
    assert_int_equal(route_hosts_count(t->hosts), 2);
    assert_int_equal(route_table_find(t, DEIS_STR("a.test"))->count, 2);
    assert_string_equal(route_table_find(t, DEIS_STR("b.test"))->endpoints[0]->address,
                        "[::1]:8080");
    route_table_unref(t);
    assert_int_equal(route_file_set_static(m, "a.test", "10.0.0.9:80", &err), 0);
    t = route_model_build(m, 2);
    assert_int_equal(route_table_find(t, DEIS_STR("a.test"))->count, 1);
    assert_string_equal(route_table_find(t, DEIS_STR("a.test"))->endpoints[0]->address,
                        "10.0.0.9:80");
    assert_int_equal(route_file_set_static(m, "a.test", "nowhere", &err), DEIS_INVALID);
    assert_null(route_model_build(m, 3));
    route_table_unref(t);
    route_model_free(m);
    route_registry_free(r);
}

static void static_file__names_the_bad_line(void **state)
{
    static const char *const bad[] = {
        "a.test\n",          "a.test 10.0.0.1:80 more\n", "a.test nowhere:80\n",
        "a/b 10.0.0.1:80\n", "a:b 10.0.0.1:80\n",         "a.. 10.0.0.1:80\n"
    };

    for (size_t i = 0; i < DEIS_COUNT(bad); i++) {
        struct route_registry *r = route_registry_new();
        struct route_model *m;
        struct deis_err err;
        deis_autofree char *text = deis_asprintf("ok.test 10.0.0.1:80\n%s", bad[i]);
        assert_null(read_static(r, &m, text, &err));
        assert_non_null(strstr(err.msg, "line 2"));
        route_model_free(m);
        route_registry_free(r);
    }
}

/* A table with an app with two units, one without any, a custom domain and the controller. */
static void make_saved(struct route_registry *r, struct deis_buf *out)
{
    struct route_model *m = route_model_new(r);
    struct route_unit u = { "blog", "m1", ROUTE_RUN, true };
    struct route_limits limits = { 12345, 678 };

    route_model_set_limits(m, &limits);
    route_model_set_app(m, "blog", true);
    route_model_set_app(m, "empty", true);
    route_model_set_host(m, "www.blog.test", "blog");
    route_model_set_unit(m, "u1", &u);
    route_model_set_unit(m, "u2", &u);
    route_model_set_state(m, "m1", "u1", "10.0.0.1:80");
    route_model_set_state(m, "m1", "u2", "10.0.0.2:80");
    route_model_set_service(m, ROUTE_CONTROLLER, "c1", "127.0.0.1:8000");
    struct route_table *t = route_model_build(m, 1);
    route_file_save(t, out);
    route_table_unref(t);
    route_model_free(m);
}

static void saved__comes_back_as_it_was(void **state)
{
    struct route_registry *r = route_registry_new();
    struct route_model *m = route_model_new(r);
    struct deis_buf text = DEIS_BUF_INIT(65536);
    struct deis_err err;

    make_saved(r, &text);
    assert_int_equal(route_file_load(m, deis_buf_str(&text), &err), 0);
    struct route_table *t = route_model_build(m, 1);
    assert_int_equal(t->limits.body_max, 12345);
    assert_int_equal(t->limits.answer_timeout_ms, 678);
    assert_int_equal(route_hosts_count(t->hosts), 4);
    assert_int_equal(route_table_find(t, DEIS_STR("www.blog.test"))->count, 2);
    assert_ptr_equal(route_table_find(t, DEIS_STR("www.blog.test")),
                     route_table_find(t, DEIS_STR("blog.localhost")));
    assert_int_equal(route_table_find(t, DEIS_STR("empty.localhost"))->count, 0);
    assert_int_equal(route_table_find(t, DEIS_STR("deis.localhost"))->kind, ROUTE_PLATFORM);
    /* The same units are the same endpoints, whether they come from disk or from etcd. */
    assert_string_equal(route_table_find(t, DEIS_STR("deis.localhost"))->endpoints[0]->unit,
                        "@controller@c1");
    route_table_unref(t);
    route_model_free(m);
    deis_buf_clear(&text);
    route_registry_free(r);
}

static void saved__torn_or_changed_is_refused(void **state)
{
    struct route_registry *r = route_registry_new();
    struct deis_buf text = DEIS_BUF_INIT(65536);
    struct deis_err err;

    make_saved(r, &text);
    for (size_t len = 0; len < text.len; len++) {
        struct route_model *m = route_model_new(r);
        assert_int_equal(route_file_load(m, deis_str_n(text.data, len), &err), DEIS_INVALID);
        route_model_free(m);
    }
    for (size_t i = 0; i < text.len; i += 7) {
        struct route_model *m = route_model_new(r);
        text.data[i] ^= 1;
        assert_int_equal(route_file_load(m, deis_buf_str(&text), &err), DEIS_INVALID);
        text.data[i] ^= 1;
        route_model_free(m);
    }
    deis_buf_clear(&text);
    route_registry_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(static_file__makes_a_table),
        cmocka_unit_test(static_file__names_the_bad_line),
        cmocka_unit_test(saved__comes_back_as_it_was),
        cmocka_unit_test(saved__torn_or_changed_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
