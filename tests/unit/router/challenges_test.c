/* SPDX-License-Identifier: MIT */
#include "router/core/challenges.h"
#include "tests/support/test.h"

static void challenges__answer_their_very_path(void **state)
{
    struct deis_map *m = deis_map_new(free);
    struct deis_err err;

    assert_null(challenges_copy(m));
    assert_null(challenges_find(NULL, DEIS_STR(CHALLENGES_PATH "t")));
    assert_true(challenges_set(m, DEIS_STR("t-O_k"), DEIS_STR("{\"answer\":\"t-O_k.x\"}"), &err));
    struct deis_map *copy = challenges_copy(m);
    assert_string_equal(challenges_find(copy, DEIS_STR(CHALLENGES_PATH "t-O_k")), "t-O_k.x");
    assert_null(challenges_find(copy, DEIS_STR(CHALLENGES_PATH "t-O_")));
    assert_null(challenges_find(copy, DEIS_STR(CHALLENGES_PATH "t-O_k?")));
    assert_null(challenges_find(copy, DEIS_STR(CHALLENGES_PATH)));
    assert_null(challenges_find(copy, DEIS_STR("/t-O_k")));
    assert_true(challenges_set(m, DEIS_STR("t-O_k"), DEIS_STR_NONE, &err));
    assert_int_equal(deis_map_count(m), 0);
    deis_map_free(copy);
    deis_map_free(m);
}

static void challenges__take_base64url_only_and_not_too_many(void **state)
{
    static const char *const bad[] = { "",
                                       "{}",
                                       "{\"answer\":1}",
                                       "{\"answer\":\"\"}",
                                       "{\"answer\":\"a b\"}",
                                       "{\"answer\":\"a\\r\\nX: y\"}",
                                       "{\"answer\":\"a/b\"}",
                                       "nonsense" };
    struct deis_map *m = deis_map_new(free);
    struct deis_err err;
    char token[16];

    for (size_t i = 0; i < DEIS_COUNT(bad); i++) {
        assert_false(challenges_set(m, DEIS_STR("t"), deis_str(bad[i]), &err));
    }
    assert_false(challenges_set(m, DEIS_STR("a/b"), DEIS_STR("{\"answer\":\"a\"}"), &err));
    assert_false(challenges_set(m, DEIS_STR(""), DEIS_STR("{\"answer\":\"a\"}"), &err));
    for (int i = 0; i < CHALLENGES_MAX; i++) {
        (void)snprintf(token, sizeof(token), "t%d", i);
        assert_true(challenges_set(m, deis_str(token), DEIS_STR("{\"answer\":\"a\"}"), &err));
    }
    assert_false(challenges_set(m, DEIS_STR("one-more"), DEIS_STR("{\"answer\":\"a\"}"), &err));
    deis_map_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(challenges__answer_their_very_path),
        cmocka_unit_test(challenges__take_base64url_only_and_not_too_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
