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
    route_model_set_service(m, ROUTE_CONTROLLER, "c1", "127.0.0.1:8000", NULL);
    route_model_set_service(m, ROUTE_BUILDER, "b1", "127.0.0.1:2223", "127.0.0.0/8,::1/128");
    struct route_table *t = route_model_build(m, 1);
    route_file_save(&(struct route_saved){ t, { 40, 7 } }, out);
    route_table_unref(t);
    route_model_free(m);
}

static void saved__comes_back_as_it_was(void **state)
{
    struct route_registry *r = route_registry_new();
    struct route_model *m = route_model_new(r);
    struct deis_buf text = DEIS_BUF_INIT(65536);
    struct route_seen seen = { 0 };
    struct deis_err err;

    make_saved(r, &text);
    assert_int_equal(route_file_load(m, deis_buf_str(&text), &seen, &err), 0);
    struct route_table *t = route_model_build(m, 1);
    assert_int_equal(seen.revision, 40);
    assert_int_equal(seen.cluster, 7);
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
    assert_null(route_table_find(t, DEIS_STR("deis.localhost"))->endpoints[0]->proxy_from);
    assert_string_equal(route_table_app(t, ROUTE_BUILDER)->endpoints[0]->proxy_from,
                        "127.0.0.0/8,::1/128");
    route_table_unref(t);
    route_model_free(m);
    deis_buf_clear(&text);
    route_registry_free(r);
}

static void saved__torn_or_changed_is_refused(void **state)
{
    struct route_registry *r = route_registry_new();
    struct deis_buf text = DEIS_BUF_INIT(65536);
    struct route_seen seen = { 0 };
    struct deis_err err;

    make_saved(r, &text);
    for (size_t len = 0; len < text.len; len++) {
        struct route_model *m = route_model_new(r);
        assert_int_equal(route_file_load(m, deis_str_n(text.data, len), &seen, &err), DEIS_INVALID);
        route_model_free(m);
    }
    for (size_t i = 0; i < text.len; i += 7) {
        struct route_model *m = route_model_new(r);
        text.data[i] ^= 1;
        assert_int_equal(route_file_load(m, deis_buf_str(&text), &seen, &err), DEIS_INVALID);
        text.data[i] ^= 1;
        route_model_free(m);
    }
    deis_buf_clear(&text);
    route_registry_free(r);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The lines of a saved table but for its checksum, in order. */
static char *sorted(struct deis_str text)
{
    struct deis_buf out = DEIS_BUF_INIT(1 << 20);
    char *lines[4000];
    struct deis_str line;
    size_t count = 0;

    while (deis_str_split(&text, '\n', &line)) {
        assert_true(count < DEIS_COUNT(lines));
        if (!deis_str_starts(line, "end ")) {
            lines[count++] = deis_str_dup(line);
        }
    }
    qsort(lines, count, sizeof(lines[0]), by_text);
    for (size_t i = 0; i < count; i++) {
        deis_buf_addf(&out, "%s\n", lines[i]);
        free(lines[i]);
    }
    char *all = deis_str_dup(deis_buf_str(&out));
    deis_buf_clear(&out);
    return all;
}

static void assert_loads_as(struct route_registry *r, const struct deis_buf *file,
                            const struct route_saved *t)
{
    struct route_model *m = route_model_new(r);
    struct deis_buf first = DEIS_BUF_INIT(1 << 20), second = DEIS_BUF_INIT(1 << 20);
    struct route_seen seen = { 0 };
    struct deis_err err;

    assert_int_equal(route_file_load(m, deis_buf_str(file), &seen, &err), 0);
    struct route_table *loaded = route_model_build(m, 1);
    route_file_save(t, &first);
    route_file_save(&(struct route_saved){ loaded, seen }, &second);
    char *a = sorted(deis_buf_str(&first)), *b = sorted(deis_buf_str(&second));
    assert_string_equal(a, b);
    free(a);
    free(b);
    deis_buf_clear(&first);
    deis_buf_clear(&second);
    route_table_unref(loaded);
    route_model_free(m);
}

enum { APPS = 150, HOSTS = 300 };

static void change_something(struct route_model *m, uint64_t x)
{
    const struct deis_str settings[] = { DEIS_STR("{\"settings\":{\"rateLimit\":60}}"),
                                         DEIS_STR("{\"settings\":{\"sticky\":true}}"),
                                         DEIS_STR_NONE };
    struct route_limits limits = { 1000 + (x >> 8) % 3, 2000 };
    char app[32], unit[64], host[32], address[32];
    struct deis_err err;

    (void)snprintf(app, sizeof(app), "app%u", (unsigned)((x >> 10) % APPS));
    (void)snprintf(unit, sizeof(unit), "%s.u%u", app, (unsigned)((x >> 20) % 3));
    (void)snprintf(host, sizeof(host), "h%u.test", (unsigned)((x >> 30) % HOSTS));
    (void)snprintf(address, sizeof(address), "10.0.0.%u:80", (unsigned)((x >> 40) % 250));
    switch (x % 6) {
    case 0: route_model_set_host(m, host, app); break;
    case 1: route_model_set_host(m, host, NULL); break;
    case 2: route_model_set_limits(m, &limits); break;
    case 3:
        assert_int_equal(route_model_set_routing(m, app, settings[(x >> 50) % 3], &err), 0);
        break;
    default: {
        struct route_unit u = { app, "m1", (x >> 50) % 4 ? ROUTE_RUN : ROUTE_DRAIN, true };
        route_model_set_unit(m, unit, &u);
        route_model_set_state(m, "m1", unit, address);
        break;
    }
    }
}

/* Whatever has changed, the table with the changes behind it is the newest one. */
static void changes__lead_from_one_table_to_the_next(void **state)
{
    struct route_registry *r = route_registry_new();
    struct route_model *m = route_model_new(r);
    struct deis_buf file = DEIS_BUF_INIT(1 << 22), more = DEIS_BUF_INIT(1 << 20);
    uint64_t x = 88172645463325252u; /* xorshift64 */
    unsigned appended = 0;
    char name[32];

    for (int i = 0; i < APPS; i++) {
        (void)snprintf(name, sizeof(name), "app%d", i);
        route_model_set_app(m, name, true);
    }
    for (int i = 0; i < HOSTS; i++) {
        (void)snprintf(name, sizeof(name), "first%d.test", i);
        route_model_set_host(m, name, "app1");
    }
    struct route_saved last = { route_model_build(m, 1), { 1, 7 } };
    route_file_save(&last, &file);
    for (uint64_t round = 2; round < 300; round++) {
        for (int i = 0; i < (round % 10 == 0 ? 20 : 2); i++) {
            x ^= x << 13, x ^= x >> 7, x ^= x << 17;
            change_something(m, x);
        }
        struct route_table *t = route_model_build(m, round);
        if (!t) {
            continue;
        }
        const struct route_saved next = { t, { (int64_t)round / 2, 7 + round / 100 } };
        if (route_file_save_changes(&last, &next, &more)) {
            deis_buf_add_str(&file, deis_buf_str(&more));
            appended++;
        } else {
            route_file_save(&next, &file);
        }
        assert_loads_as(r, &file, &next);
        route_table_unref((struct route_table *)(uintptr_t)last.table);
        last = next;
    }
    assert_true(appended > 200);
    assert_true(route_file_save_changes(&last, &last, &more));
    assert_int_equal(more.len, 0);
    /* another revision alone is a change, too */
    const struct route_saved later = { last.table, { 1000, 7 } };
    assert_true(route_file_save_changes(&last, &later, &more));
    deis_buf_add_str(&file, deis_buf_str(&more));
    assert_loads_as(r, &file, &later);
    route_table_unref((struct route_table *)(uintptr_t)last.table);
    route_model_free(m);
    deis_buf_clear(&file);
    deis_buf_clear(&more);
    route_registry_free(r);
}

static void changes__that_are_torn_leave_those_before(void **state)
{
    struct route_registry *r = route_registry_new();
    struct deis_buf text = DEIS_BUF_INIT(65536);
    struct deis_buf file = DEIS_BUF_INIT(65536);
    struct route_seen seen = { 0 };
    struct deis_err err;

    make_saved(r, &file);
    size_t whole = file.len;
    for (int i = 0; i < 2; i++) {
        deis_buf_reset(&text);
        deis_buf_addf(&text, "seen 4%d 7\n", i + 1);
        deis_buf_addf(&text,
                      "app blog\nto u%d 10.0.0.9:80\nnohost www.blog.test\nhost w%d.test blog\n", i,
                      i);
        deis_buf_addf(&text, "end %016llx\n",
                      (unsigned long long)route_file_checksum(deis_buf_str(&text)));
        deis_buf_add_str(&file, deis_buf_str(&text));
    }
    for (size_t len = whole; len <= file.len; len++) {
        struct route_model *m = route_model_new(r);
        bool torn = len != whole && len != whole + text.len && len != file.len;
        assert_int_equal(route_file_load(m, deis_str_n(file.data, len), &seen, &err), torn);
        struct route_table *t = route_model_build(m, 1);
        bool first = len >= whole + text.len;
        assert_int_equal(seen.revision, len == file.len ? 42 : first ? 41 : 40);
        assert_int_equal(route_table_find(t, DEIS_STR("blog.localhost"))->count, first ? 1 : 2);
        assert_int_equal(route_table_find(t, DEIS_STR("www.blog.test")) != NULL, !first);
        assert_int_equal(route_table_find(t, DEIS_STR("w0.test")) != NULL, first);
        assert_int_equal(route_table_find(t, DEIS_STR("w1.test")) != NULL, len == file.len);
        route_table_unref(t);
        route_model_free(m);
    }
    for (size_t i = whole; i < file.len; i++) {
        struct route_model *m = route_model_new(r);
        file.data[i] ^= 1;
        assert_int_equal(route_file_load(m, deis_buf_str(&file), &seen, &err), 1);
        file.data[i] ^= 1;
        route_model_free(m);
    }
    deis_buf_clear(&text);
    deis_buf_clear(&file);
    route_registry_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(static_file__makes_a_table),
        cmocka_unit_test(static_file__names_the_bad_line),
        cmocka_unit_test(saved__comes_back_as_it_was),
        cmocka_unit_test(saved__torn_or_changed_is_refused),
        cmocka_unit_test(changes__lead_from_one_table_to_the_next),
        cmocka_unit_test(changes__that_are_torn_leave_those_before),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
