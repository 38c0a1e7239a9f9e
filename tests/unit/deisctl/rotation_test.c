/* SPDX-License-Identifier: MIT */
#include "deisctl/core/rotation.h"
#include "tests/support/test.h"

#include <stdio.h>

#define A "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define B "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf"

/* Ids of both, as the services say them. */
static char id_a[DEIS_KEY_ID_TEXT];
static char id_b[DEIS_KEY_ID_TEXT];

static struct deis_keyring ring_of(const char *text)
{
    struct deis_keyring ring;

    assert_int_equal(deis_keyring_parse(deis_str(text), &ring, NULL), 0);
    return ring;
}

static int setup(void **state)
{
    struct deis_keyring ring = ring_of(A "\n" B "\n");

    deis_key_id_text(&ring.keys[0], id_a);
    deis_key_id_text(&ring.keys[1], id_b);
    return 0;
}

struct row {
    const char *file;
    const char *one; /* what two services hold: "a", "ab", "ba", "b"; NULL: it does not say */
    const char *two;
    size_t left; /* values sealed with the second key */
    enum rotation_step next;
    const char *why; /* a part of the text */
};

static void fill(const char *letters, char *out[3])
{
    size_t n = 0;

    for (; letters[n]; n++) {
        out[n] = letters[n] == 'a' ? id_a : id_b;
    }
    out[n] = NULL;
}

static void rotation__goes_step_by_step(void **state)
{
    static const struct row rows[] = {
        { A, "a", "a", 0, ROTATION_NONE, "" },
        { A "\n" B, "a", "a", 0, ROTATION_AWAIT_HOLD, "is not yet held by: one, two" },
        { A "\n" B, "ab", "a", 0, ROTATION_AWAIT_HOLD, "is not yet held by: two" },
        { A "\n" B, "ab", NULL, 0, ROTATION_AWAIT_HOLD, "two (of an older version)" },
        { A "\n" B, "ab", "ab", 0, ROTATION_ACTIVATE, "" },
        { A "\n" B, "ba", "ab", 0, ROTATION_ACTIVATE, "" },
        { B " 1700000000\n" A, "ab", "ab", 3, ROTATION_AWAIT_SEAL, "does not yet seal in: one" },
        { B " 1700000000\n" A, "ba", "ab", 3, ROTATION_AWAIT_SEAL, "does not yet seal in: two" },
        { B " 1700000000\n" A, "ba", "ba", 3, ROTATION_AWAIT_VALUES, "3 values are still sealed" },
        { B " 1700000000\n" A, "ba", "ba", 0, ROTATION_RETIRE, "" },
        { B " 1700000000", "ba", "b", 0, ROTATION_AWAIT_FORGET, "is not the only one in: one" },
        { B " 1700000000", "b", "b", 0, ROTATION_NONE, "" },
    };

    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        const struct row *row = &rows[i];
        struct deis_keyring ring = ring_of(row->file);
        deis_autobuf struct deis_buf why = DEIS_BUF_INIT(1024);
        size_t values[DEIS_KEYRING_MAX] = { 7, row->left };
        char *one[3], *two[3];
        fill(row->one, one);
        fill(row->two ? row->two : "", two);
        const struct rotation_service services[] = { { "one", one },
                                                     { "two", row->two ? two : NULL } };
        const struct rotation_view view = { &ring, services, 2, values };
        enum rotation_step next = rotation_next(&view, &why);
        const char *text = why.len > 0 ? why.data : "";
        if (next != row->next || !strstr(text, row->why)) {
            fail_msg("row %zu: step %d, '%s'", i, next, text);
        }
    }
}

static void rotation__without_services_nothing_is_risked(void **state)
{
    struct deis_keyring two = ring_of(A "\n" B);
    struct deis_keyring one = ring_of(A);
    deis_autobuf struct deis_buf why = DEIS_BUF_INIT(1024);
    size_t values[DEIS_KEYRING_MAX] = { 0 };
    const struct rotation_view view = { &two, NULL, 0, values };
    const struct rotation_view quiet = { &one, NULL, 0, values };

    assert_int_equal(rotation_next(&quiet, &why), ROTATION_NONE);
    assert_int_equal(rotation_next(&view, &why), ROTATION_AWAIT_HOLD);
    assert_non_null(strstr(why.data, "no service is registered"));
}

static void rotation__each_key_has_a_state(void **state)
{
    struct deis_keyring added = ring_of(A "\n" B " 1700000000");
    struct deis_keyring turned = ring_of(B " 1700000000\n" A);
    struct deis_keyring undated = ring_of(A "\n" B);

    assert_string_equal(rotation_state(&added, 0), "seals");
    assert_string_equal(rotation_state(&added, 1), "new");
    assert_string_equal(rotation_state(&turned, 0), "seals");
    assert_string_equal(rotation_state(&turned, 1), "old");
    assert_int_equal(rotation_newest(&undated), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rotation__goes_step_by_step),
        cmocka_unit_test(rotation__without_services_nothing_is_risked),
        cmocka_unit_test(rotation__each_key_has_a_state),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
