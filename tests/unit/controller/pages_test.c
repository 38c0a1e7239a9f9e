/* SPDX-License-Identifier: MIT */
#include "controller/pages.h"
#include "tests/support/test.h"

static bool has(struct pages *p, const char *name, const char *stamp, const char *text, size_t rows)
{
    size_t got = 0;
    deis_autofree char *kept = pages_get(p, name, deis_str(stamp), &got);

    return kept && strcmp(kept, text) == 0 && got == rows;
}

static void pages__hold_for_their_stamp_alone(void **state)
{
    struct pages *p = pages_new(1000);

    assert_false(pages_has(p, "a"));
    pages_put(p, "a", DEIS_STR("7"), 2, "two rows");
    assert_true(pages_has(p, "a"));
    assert_true(has(p, "a", "7", "two rows", 2));
    assert_null(pages_get(p, "a", DEIS_STR("8"), NULL));
    assert_null(pages_get(p, "a", DEIS_STR_NONE, NULL));
    assert_null(pages_get(p, "b", DEIS_STR("7"), NULL));
    pages_put(p, "a", DEIS_STR("8"), 3, "three");
    assert_null(pages_get(p, "a", DEIS_STR("7"), NULL));
    assert_true(has(p, "a", "8", "three", 3));
    pages_put(p, "a", DEIS_STR_NONE, 3, "of nobody knows what");
    assert_false(pages_has(p, "a"));
    pages_free(p);
}

static void pages__are_bounded(void **state)
{
    struct pages *p = pages_new(800);
    char text[100] = "";
    char name[] = "a";

    memset(text, 'x', 97);
    for (unsigned i = 0; i < 100; i++) { /* the same ones again and again take no more room */
        name[0] = (char)('a' + i % 8);
        pages_put(p, name, DEIS_STR("12"), 1, text);
    }
    for (name[0] = 'a'; name[0] <= 'h'; name[0]++) {
        assert_true(has(p, name, "12", text, 1));
    }
    memset(text, 'x', 98); /* too long to be kept: the others stay */
    pages_put(p, "b", DEIS_STR("12"), 1, text);
    assert_false(pages_has(p, "b"));
    assert_true(pages_has(p, "a"));
    text[97] = '\0';
    pages_put(p, "b", DEIS_STR("12"), 1, text);
    assert_true(pages_has(p, "a"));
    pages_put(p, "i", DEIS_STR("12"), 1, text); /* no room: all go */
    assert_false(pages_has(p, "a"));
    assert_true(has(p, "i", "12", text, 1));
    pages_free(p);
}

static void pages__are_bounded_with_their_names(void **state)
{
    struct pages *p = pages_new(800);
    char name[91] = "";

    memset(name, 'n', 90);
    for (name[0] = 'a'; name[0] <= 'i'; name[0]++) {
        pages_put(p, name, DEIS_STR("1"), 1, "text");
    }
    name[0] = 'a';
    assert_false(pages_has(p, name));
    name[0] = 'i';
    assert_true(pages_has(p, name));
    pages_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages__hold_for_their_stamp_alone),
        cmocka_unit_test(pages__are_bounded),
        cmocka_unit_test(pages__are_bounded_with_their_names),
    };
    return cmocka_run_group_tests_name("controller_pages", tests, NULL, NULL);
}
