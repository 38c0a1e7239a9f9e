/* SPDX-License-Identifier: MIT */
#include "tests/support/test.h"

#include "lib/base/map.h"

static int freed_count;

static void count_and_free(void *value)
{
    freed_count++;
    free(value);
}

static int setup(void **state)
{
    freed_count = 0;
    *state = deis_map_new(count_and_free);
    return 0;
}

static int teardown(void **state)
{
    deis_map_free(*state);
    return 0;
}

static void get__finds_what_was_set(void **state)
{
    struct deis_map *m = *state;
    assert_null(deis_map_get(m, DEIS_STR("a")));
    deis_map_set(m, DEIS_STR("a"), deis_strdup("1"));
    deis_map_set(m, DEIS_STR(""), deis_strdup("empty"));
    deis_map_set(m, DEIS_STR("a\0b"), deis_strdup("nul"));
    assert_string_equal(deis_map_get(m, DEIS_STR("a")), "1");
    assert_string_equal(deis_map_get(m, DEIS_STR("")), "empty");
    assert_string_equal(deis_map_get(m, DEIS_STR("a\0b")), "nul");
    assert_int_equal(deis_map_count(m), 3);
}

static void key__is_a_copy(void **state)
{
    struct deis_map *m = *state;
    char key[] = "key";
    deis_map_set(m, deis_str(key), deis_strdup("1"));
    key[0] = 'x';
    assert_non_null(deis_map_get(m, DEIS_STR("key")));
}

static void set__frees_the_former_value(void **state)
{
    struct deis_map *m = *state;
    char *same = deis_strdup("same");
    deis_map_set(m, DEIS_STR("a"), deis_strdup("1"));
    deis_map_set(m, DEIS_STR("a"), same);
    assert_int_equal(freed_count, 1);
    deis_map_set(m, DEIS_STR("a"), same);
    assert_int_equal(freed_count, 1);
    assert_int_equal(deis_map_count(m), 1);
}

static void remove_and_take__differ_in_who_owns(void **state)
{
    struct deis_map *m = *state;
    deis_map_set(m, DEIS_STR("a"), deis_strdup("1"));
    deis_map_set(m, DEIS_STR("b"), deis_strdup("2"));
    assert_true(deis_map_remove(m, DEIS_STR("a")));
    assert_false(deis_map_remove(m, DEIS_STR("a")));
    assert_int_equal(freed_count, 1);
    deis_autofree char *taken = deis_map_take(m, DEIS_STR("b"));
    assert_string_equal(taken, "2");
    assert_int_equal(freed_count, 1);
    assert_null(deis_map_take(m, DEIS_STR("b")));
    assert_int_equal(deis_map_count(m), 0);
}

static void many__survive_growth_and_removal(void **state)
{
    struct deis_map *m = *state;
    char key[32];
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 5000; i++) {
            snprintf(key, sizeof(key), "key-%u", i);
            deis_map_set(m, deis_str(key), deis_strdup(key));
        }
        for (unsigned i = 0; i < 5000; i += 2) {
            snprintf(key, sizeof(key), "key-%u", i);
            assert_true(deis_map_remove(m, deis_str(key)));
        }
        assert_int_equal(deis_map_count(m), 2500);
        for (unsigned i = 0; i < 5000; i++) {
            snprintf(key, sizeof(key), "key-%u", i);
            const char *value = deis_map_get(m, deis_str(key));
            assert_int_equal(value != NULL, i % 2);
            if (value) {
                assert_string_equal(value, key);
            }
        }
    }
}

static void next__sees_each_once_even_while_removing(void **state)
{
    struct deis_map *m = *state;
    char name[32];
    bool seen[300] = { false };
    for (unsigned i = 0; i < DEIS_COUNT(seen); i++) {
        snprintf(name, sizeof(name), "%u", i);
        deis_map_set(m, deis_str(name), deis_strdup(name));
    }
    size_t cursor = 0;
    struct deis_str key;
    void *value;
    size_t count = 0;
    while (deis_map_next(m, &cursor, &key, &value)) {
        uint64_t i;
        assert_true(deis_str_eq_cstr(key, value));
        assert_int_equal(deis_str_to_u64(key, 0, DEIS_COUNT(seen) - 1, &i, NULL), 0);
        assert_false(seen[i]);
        seen[i] = true;
        count++;
        if (i % 3 == 0) {
            assert_true(deis_map_remove(m, key));
        }
    }
    assert_int_equal(count, DEIS_COUNT(seen));
    assert_int_equal(deis_map_count(m), 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(get__finds_what_was_set, setup, teardown),
        cmocka_unit_test_setup_teardown(key__is_a_copy, setup, teardown),
        cmocka_unit_test_setup_teardown(set__frees_the_former_value, setup, teardown),
        cmocka_unit_test_setup_teardown(remove_and_take__differ_in_who_owns, setup, teardown),
        cmocka_unit_test_setup_teardown(many__survive_growth_and_removal, setup, teardown),
        cmocka_unit_test_setup_teardown(next__sees_each_once_even_while_removing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
