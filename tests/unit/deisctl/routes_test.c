/* SPDX-License-Identifier: MIT */
#include "deisctl/core/routes.h"
#include "tests/support/test.h"

#define DOCUMENT                                                                                   \
    "{\"generation\":7,\"adopted\":7,\"apps\":["                                                   \
    "{\"app\":\"blog\",\"platform\":false,\"wanted\":2,\"endpoints\":["                            \
    "{\"unit\":\"blog_v2.web.1-aa\",\"address\":\"172.18.0.5:5000\",\"state\":\"up\","             \
    "\"in_flight\":3},"                                                                            \
    "{\"unit\":\"blog_v2.web.2-bb\",\"address\":\"172.18.0.6:5000\",\"state\":\"aside\","          \
    "\"in_flight\":0}]},"                                                                          \
    "{\"app\":\"cold\",\"platform\":false,\"wanted\":0,\"endpoints\":[]},"                         \
    "{\"app\":\"new\",\"platform\":false,\"wanted\":1,\"endpoints\":[]}],"                         \
    "\"hosts\":{\"www.blog.test\":\"blog\",\"new.test\":\"new\",\"cold.test\":\"cold\"}}"

static void table__has_a_row_for_each_host_and_unit(void **state)
{
    struct deis_err err = DEIS_ERR_INIT;
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(10000);
    deis_autojson json_t *routes = routes_read(DEIS_STR(DOCUMENT), NULL, &err);
    struct table t;

    assert_non_null(routes);
    routes_tabulate(routes, &t);
    table_format(&t, &out);
    table_clear(&t);
    assert_string_equal(
        out.data,
        "HOST           APP   UNIT              ADDRESS          STATE                BUSY\n"
        "cold.test      cold  -                 -                none runs (503)      -\n"
        "new.test       new   -                 -                none is ready (503)  -\n"
        "www.blog.test  blog  blog_v2.web.1-aa  172.18.0.5:5000  up                   3\n"
        "www.blog.test  blog  blog_v2.web.2-bb  172.18.0.6:5000  aside                0\n");
}

static void only__takes_a_host_or_an_app(void **state)
{
    static const struct {
        const char *only;
        size_t count;
    } rows[] = { { "blog", 1 }, { "www.blog.test", 1 }, { "new.test", 1 }, { "nobody", 0 } };
    struct deis_err err = DEIS_ERR_INIT;

    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        deis_autojson json_t *routes = routes_read(DEIS_STR(DOCUMENT), rows[i].only, &err);
        assert_int_equal(json_array_size(routes), rows[i].count);
    }
}

static void document__of_something_else_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "ok",
        "[]",
        "{}",
        "{\"apps\":[],\"hosts\":[]}",
        "{\"apps\":{},\"hosts\":{}}",
        "{\"apps\":[],\"hosts\":{\"a\":\"b\"}}",
        "{\"apps\":[],\"hosts\":{\"a\":1}}",
        "{\"apps\":[1],\"hosts\":{\"a\":\"b\"}}",
        "{\"apps\":[{\"app\":\"b\"}],\"hosts\":{\"a\":\"b\"}}",
        "{\"apps\":[{\"app\":\"b\",\"endpoints\":[],\"wanted\":-1}],\"hosts\":{\"a\":\"b\"}}",
    };

    for (size_t i = 0; i < DEIS_COUNT(bad); i++) {
        struct deis_err err = DEIS_ERR_INIT;
        assert_null(routes_read(deis_str(bad[i]), NULL, &err));
        assert_int_equal(err.code, DEIS_PROTOCOL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table__has_a_row_for_each_host_and_unit),
        cmocka_unit_test(only__takes_a_host_or_an_app),
        cmocka_unit_test(document__of_something_else_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
