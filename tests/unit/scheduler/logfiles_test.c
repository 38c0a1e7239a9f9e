/* SPDX-License-Identifier: MIT */
#include "scheduler/core/logfiles.h"
#include "tests/support/test.h"

static void logfiles__follow_the_rotation(void **state)
{
    static const struct {
        struct logfile files[4];
        size_t count;
        uint64_t inode, successor;
        enum logfiles_step step;
        size_t next;
    } cases[] = {
        { { { 0 } }, 1, 0, 0, LOGFILES_NONE, 0 },
        { { { 11 } }, 1, 0, 0, LOGFILES_NEXT, 0 },
        { { { 13 }, { 12 }, { 11 } }, 3, 0, 0, LOGFILES_NEXT, 2 }, /* begin with the oldest */
        { { { 11 } }, 1, 11, 0, LOGFILES_STAY, 0 },
        { { { 12 }, { 11 } }, 2, 11, 0, LOGFILES_NEXT, 0 },
        { { { 0 }, { 11 } }, 2, 11, 0, LOGFILES_STAY, 0 }, /* renamed, not yet anew */
        { { { 13 }, { 12 }, { 11 } }, 3, 11, 0, LOGFILES_NEXT, 1 },
        { { { 14 }, { 13 }, { 12 } }, 3, 11, 12, LOGFILES_NEXT, 2 }, /* ours went, its follower is
                                                                        there */
        { { { 14 }, { 13 }, { 12 } }, 3, 11, 0, LOGFILES_GAP, 2 }, /* who knows what lay between */
        { { { 15 }, { 14 }, { 13 } }, 3, 11, 12, LOGFILES_GAP, 2 },
        { { { 0 }, { 0 } }, 2, 11, 0, LOGFILES_NONE, 0 }, /* the container is gone */
    };

    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        size_t next = 0;
        enum logfiles_step step = logfiles_next(cases[i].files, cases[i].count, cases[i].inode,
                                                cases[i].successor, &next);
        if (step != cases[i].step || next != cases[i].next) {
            fail_msg("case %zu: step %d file %zu", i, (int)step, next);
        }
    }
}

static void logplace__survives_being_written(void **state)
{
    struct logplace p = { .inode = 1ull << 40,
                          .base = 77,
                          .offset = 5,
                          .head_len = 3,
                          .head_hash = logfiles_hash(DEIS_STR("abc")) };
    struct logplace q;
    deis_autojson json_t *obj = logplace_format(&p);

    assert_int_equal(logplace_parse(obj, &q, NULL), 0);
    assert_int_equal(q.inode, p.inode);
    assert_int_equal(q.base, p.base);
    assert_int_equal(q.offset, p.offset);
    assert_int_equal(q.head_len, p.head_len);
    assert_int_equal(q.head_hash, p.head_hash);
    json_object_set_new(obj, "head_len", json_integer(100000));
    assert_int_equal(logplace_parse(obj, &q, NULL), DEIS_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logfiles__follow_the_rotation),
        cmocka_unit_test(logplace__survives_being_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
