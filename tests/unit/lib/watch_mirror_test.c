/* SPDX-License-Identifier: MIT */
#include "tests/support/test.h"

#include "lib/etcd/watch_mirror.h"

static void mirror__tells_each_revision_of_a_key_once(void **state)
{
    struct deis_etcd_mirror m;

    deis_etcd_mirror_init(&m);
    assert_true(deis_etcd_mirror_put(&m, DEIS_STR("a"), 5));
    assert_false(deis_etcd_mirror_put(&m, DEIS_STR("a"), 5));
    assert_true(deis_etcd_mirror_put(&m, DEIS_STR("a"), 6));
    assert_true(deis_etcd_mirror_remove(&m, DEIS_STR("a")));
    assert_false(deis_etcd_mirror_remove(&m, DEIS_STR("a")));
    assert_true(deis_etcd_mirror_put(&m, DEIS_STR("a"), 6));
    m.reset = true; /* the same number, of another history */
    assert_true(deis_etcd_mirror_put(&m, DEIS_STR("a"), 6));
    deis_etcd_mirror_clear(&m);
}

static void mirror__drops_what_the_last_list_lacks(void **state)
{
    struct deis_etcd_mirror m;
    size_t cursor = 0;

    deis_etcd_mirror_init(&m);
    deis_etcd_mirror_put(&m, DEIS_STR("kept"), 1);
    deis_etcd_mirror_put(&m, DEIS_STR("gone"), 2);
    deis_etcd_mirror_begin_list(&m);
    assert_false(deis_etcd_mirror_put(&m, DEIS_STR("kept"), 1));
    assert_true(deis_etcd_mirror_put(&m, DEIS_STR("new"), 3));
    deis_autofree char *gone = deis_etcd_mirror_drop_unlisted(&m, &cursor);
    assert_string_equal(gone, "gone");
    assert_null(deis_etcd_mirror_drop_unlisted(&m, &cursor));
    assert_false(deis_etcd_mirror_remove(&m, DEIS_STR("gone")));
    assert_true(deis_etcd_mirror_remove(&m, DEIS_STR("kept")));
    assert_true(deis_etcd_mirror_remove(&m, DEIS_STR("new")));
    deis_etcd_mirror_clear(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mirror__tells_each_revision_of_a_key_once),
        cmocka_unit_test(mirror__drops_what_the_last_list_lacks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
