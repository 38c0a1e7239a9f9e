/* SPDX-License-Identifier: MIT */
#include "router/core/kept_doc.h"
#include "router/core/route_hold.h"
#include "router/core/route_model.h"
#include "tests/support/test.h"

/* A table of apps, one letter each, lower case with a unit, upper case without; hosts likewise. '!'
 * behind it: only for some. */
static struct route_table *table(struct route_registry *r, const char *apps)
{
    struct route_model *m = route_model_new(r);

    for (const char *p = apps; *p; p++) {
        if (*p == '!') {
            continue;
        }
        bool runs = *p >= 'a';
        char name[2] = { (char)(*p | 0x20), '\0' };
        route_model_add_fixed(m, name, ROUTE_APP, runs ? name : NULL, "127.0.0.1:80", NULL);
        if (p[1] == '!') {
            struct deis_err err;
            struct deis_str doc = DEIS_STR("{\"settings\":{\"whitelist\":[\"::1\"]}}");
            assert_int_equal(route_model_set_routing(m, name, doc, &err), 0);
        }
    }
    route_model_set_domain(m, "test");
    struct route_table *t = route_model_build(m, 1);
    route_model_free(m);
    return t;
}

static bool covers(const char *next, const char *now)
{
    struct route_registry *r = route_registry_new();
    struct route_table *a = table(r, next);
    struct route_table *b = table(r, now);
    bool result = hold_covers(a, b);

    route_table_unref(a);
    route_table_unref(b);
    route_registry_free(r);
    return result;
}

static void a_table_covers_what_takes_nothing_away(void **state)
{
    assert_true(covers("ab", "ab"));
    assert_true(covers("abc", "ab"));
    assert_true(covers("aB", "aB"));
    assert_true(covers("ab", "aB"));
    assert_false(covers("aB", "ab"));
    assert_false(covers("a", "ab"));
    assert_false(covers("a", "aB"));
    assert_true(covers("", ""));
    assert_false(covers("", "a"));
    assert_true(covers("a!b", "a!b"));
    assert_true(covers("a!", "a"));
    assert_false(covers("ab", "a!b"));
}

static void a_kept_document_is_whole_or_refused(void **state)
{
    deis_autobuf struct deis_buf file = DEIS_BUF_INIT(1000);
    struct deis_str key, value;
    struct deis_err err;

    kept_doc_write(DEIS_STR("certs/a.test"), DEIS_STR("{\"a\":\n1}"), &file);
    assert_int_equal(kept_doc_read(deis_buf_str(&file), &key, &value, &err), 0);
    assert_true(deis_str_eq_cstr(key, "certs/a.test"));
    assert_true(deis_str_eq_cstr(value, "{\"a\":\n1}"));
    for (size_t i = 0; i < file.len; i++) {
        struct deis_str cut = deis_str_first(deis_buf_str(&file), i);
        assert_int_equal(kept_doc_read(cut, &key, &value, &err), DEIS_INVALID);
        file.data[i] ^= 4;
        assert_int_equal(kept_doc_read(deis_buf_str(&file), &key, &value, &err), DEIS_INVALID);
        file.data[i] ^= 4;
    }
    deis_buf_reset(&file);
    kept_doc_write(DEIS_STR(""), DEIS_STR("x"), &file);
    assert_int_equal(kept_doc_read(deis_buf_str(&file), &key, &value, &err), DEIS_INVALID);
    deis_buf_reset(&file);
    kept_doc_write(DEIS_STR("k"), DEIS_STR(""), &file);
    assert_int_equal(kept_doc_read(deis_buf_str(&file), &key, &value, &err), 0);
    assert_int_equal(value.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_covers_what_takes_nothing_away),
        cmocka_unit_test(a_kept_document_is_whole_or_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
