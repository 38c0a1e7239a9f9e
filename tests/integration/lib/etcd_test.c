/* SPDX-License-Identifier: MIT */
/* The etcd client against a real etcd of its own: single calls, transactions, failures. */
#include "tests/support/etcd_server.h"
#include "tests/support/test.h"

#include "lib/base/clock.h"
#include "lib/etcd/etcd.h"

#include <pthread.h>
#include <stdio.h>

#define PATIENCE_MS 20000u /* what is told at once is told long before */

static struct test_etcd server;

/* The call names its last argument "why". */
#define OK(call)                                                                                   \
    do {                                                                                           \
        struct deis_err why_ = DEIS_ERR_INIT;                                                      \
        struct deis_err *why = &why_;                                                              \
        if ((call) < 0) {                                                                          \
            fail_msg("%s: %s", #call, why->msg);                                                   \
        }                                                                                          \
    } while (0)

#define FAILS(want, call)                                                                          \
    do {                                                                                           \
        struct deis_err why_ = DEIS_ERR_INIT;                                                      \
        struct deis_err *why = &why_;                                                              \
        int rc_ = (call);                                                                          \
        if (rc_ != (want)) {                                                                       \
            fail_msg("%s: %d instead of %d: %s", #call, rc_, (want), why->msg);                    \
        }                                                                                          \
        assert_int_equal(why->code, (want));                                                       \
        assert_true(why->msg[0] != '\0');                                                          \
    } while (0)

static struct deis_etcd *connect_to(const char *endpoints, uint64_t timeout_ms)
{
    const struct deis_etcd_opts opts = { .endpoints = endpoints, .timeout_ms = timeout_ms };
    struct deis_err err = DEIS_ERR_INIT;
    struct deis_etcd *e = deis_etcd_new(&opts, &err);
    assert_non_null(e);
    return e;
}

static int group_setup(void **state)
{
    test_etcd_init(&server);
    test_etcd_start(&server);
    return 0;
}

static int group_teardown(void **state)
{
    test_etcd_clear(&server);
    return 0;
}

static int setup(void **state)
{
    struct deis_etcd *e = connect_to(server.url, PATIENCE_MS);
    OK(deis_etcd_delete_prefix(e, "", why));
    *state = e;
    return 0;
}

static int teardown(void **state)
{
    deis_etcd_free(*state);
    return 0;
}

static int64_t mod_of(struct deis_etcd *e, const char *key)
{
    deis_autorange struct deis_etcd_range r = { 0 };
    OK(deis_etcd_get(e, key, &r, why));
    return r.kvs[0].mod_revision;
}

static void check_value(struct deis_etcd *e, const char *key, const char *value)
{
    deis_autorange struct deis_etcd_range r = { 0 };
    OK(deis_etcd_get(e, key, &r, why));
    assert_int_equal(r.count, 1);
    assert_string_equal(r.kvs[0].key, key);
    assert_string_equal(r.kvs[0].value.ptr, value);
}

/* --- single calls --- */

static void kv__what_was_put_is_what_is_got(void **state)
{
    struct deis_etcd *e = *state;
    deis_autorange struct deis_etcd_range r = { 0 };
    static const char bytes[] = "\0\1\xff\xfe{\"";

    FAILS(DEIS_NOT_FOUND, deis_etcd_get(e, "/t/a", &r, why));
    OK(deis_etcd_put(e, "/t/a", deis_str_n(bytes, sizeof(bytes)), 0, why));
    OK(deis_etcd_get(e, "/t/a", &r, why));
    assert_int_equal(r.kvs[0].value.len, sizeof(bytes));
    assert_memory_equal(r.kvs[0].value.ptr, bytes, sizeof(bytes));
    assert_int_equal(r.kvs[0].version, 1);
    assert_int_equal(r.kvs[0].create_revision, r.kvs[0].mod_revision);
    assert_int_equal(r.revision, r.kvs[0].mod_revision);
    OK(deis_etcd_put(e, "/t/a", DEIS_STR(""), 0, why));
    check_value(e, "/t/a", "");
    OK(deis_etcd_delete(e, "/t/a", why));
    OK(deis_etcd_delete(e, "/t/a", why));
    deis_etcd_range_clear(&r);
    FAILS(DEIS_NOT_FOUND, deis_etcd_get(e, "/t/a", &r, why));
}

static void put__is_bounded_by_what_etcd_takes(void **state)
{
    struct deis_etcd *e = *state;
    deis_autobuf struct deis_buf big = DEIS_BUF_INIT(4 << 20);

    while (big.len < (1 << 20)) {
        deis_buf_add_cstr(&big, "0123456789abcdef");
    }
    OK(deis_etcd_put(e, "/t/big", deis_buf_str(&big), 0, why));
    check_value(e, "/t/big", big.data);
    while (big.len < 1600000) {
        deis_buf_add_cstr(&big, "0123456789abcdef");
    }
    FAILS(DEIS_LIMIT, deis_etcd_put(e, "/t/big", deis_buf_str(&big), 0, why));
    while (big.len < (3 << 20)) {
        deis_buf_add_cstr(&big, "0123456789abcdef");
    }
    FAILS(DEIS_LIMIT, deis_etcd_put(e, "/t/big", deis_buf_str(&big), 0, why));
}

/* Keys in more than two pages, written in as few transactions as may be. */
static void put_many(struct deis_etcd *e, const char *prefix, unsigned count)
{
    for (unsigned i = 0; i < count;) {
        deis_autotxn struct deis_etcd_txn *t = deis_etcd_txn_new();
        for (unsigned j = 0; j < 128 && i < count; j++, i++) {
            deis_autofree char *key = deis_asprintf("%s%04u", prefix, i);
            deis_etcd_then_put(t, key, deis_str(key), 0);
        }
        OK(deis_etcd_commit(e, t, NULL, NULL, why));
    }
}

static void list__pages_through_a_prefix_in_order(void **state)
{
    struct deis_etcd *e = *state;
    deis_autorange struct deis_etcd_range r = { 0 };
    char key[32];

    OK(deis_etcd_list(e, "/t/l/", 0, &r, why));
    assert_int_equal(r.count, 0);
    assert_true(r.revision > 0);
    put_many(e, "/t/l/", 600);
    OK(deis_etcd_put(e, "/t/l", DEIS_STR("before"), 0, why));
    OK(deis_etcd_put(e, "/t/l0", DEIS_STR("after"), 0, why));
    OK(deis_etcd_list(e, "/t/l/", 0, &r, why));
    assert_int_equal(r.count, 600);
    for (unsigned i = 0; i < 600; i++) {
        snprintf(key, sizeof(key), "/t/l/%04u", i);
        assert_string_equal(r.kvs[i].key, key);
        assert_string_equal(r.kvs[i].value.ptr, key);
    }
    deis_etcd_range_clear(&r);
    OK(deis_etcd_list(e, "/t/l/", 300, &r, why));
    assert_int_equal(r.count, 300);
    deis_etcd_range_clear(&r);
    OK(deis_etcd_list_keys(e, "/t/l/", &r, why));
    assert_int_equal(r.count, 600);
    assert_int_equal(r.kvs[599].value.len, 0);
    deis_etcd_range_clear(&r);
    OK(deis_etcd_delete_prefix(e, "/t/l/", why));
    OK(deis_etcd_list(e, "", 0, &r, why));
    assert_int_equal(r.count, 2);
}

/* --- transactions --- */

static void txn__guards_hold_or_nothing_is_done(void **state)
{
    struct deis_etcd *e = *state;
    deis_autorange struct deis_etcd_range r = { 0 };
    int64_t revision = 0;

    deis_autotxn struct deis_etcd_txn *create = deis_etcd_txn_new();
    deis_etcd_if_absent(create, "/t/a");
    deis_etcd_if_prefix_empty(create, "/t/dir/");
    deis_etcd_then_put(create, "/t/a", DEIS_STR("1"), 0);
    deis_etcd_then_put(create, "/t/dir/b", DEIS_STR("1"), 0);
    OK(deis_etcd_commit(e, create, NULL, &revision, why));
    assert_int_equal(mod_of(e, "/t/a"), revision);
    FAILS(DEIS_CONFLICT, deis_etcd_commit(e, create, NULL, NULL, why));

    deis_autotxn struct deis_etcd_txn *change = deis_etcd_txn_new();
    deis_etcd_if_mod(change, "/t/a", revision);
    deis_etcd_if_create(change, "/t/a", revision);
    deis_etcd_if_exists(change, "/t/dir/b");
    deis_etcd_then_put(change, "/t/a", DEIS_STR("2"), 0);
    deis_etcd_then_delete(change, "/t/dir/b");
    OK(deis_etcd_commit(e, change, NULL, NULL, why));
    FAILS(DEIS_CONFLICT, deis_etcd_commit(e, change, NULL, NULL, why));
    check_value(e, "/t/a", "2");
    FAILS(DEIS_NOT_FOUND, deis_etcd_get(e, "/t/dir/b", &r, why));

    /* Each guard alone is enough to stop it. */
    for (int i = 0; i < 5; i++) {
        deis_autotxn struct deis_etcd_txn *t = deis_etcd_txn_new();
        switch (i) {
        case 0: deis_etcd_if_mod(t, "/t/a", revision); break;
        case 1: deis_etcd_if_create(t, "/t/a", revision + 1); break;
        case 2: deis_etcd_if_absent(t, "/t/a"); break;
        case 3: deis_etcd_if_exists(t, "/t/none"); break;
        default: deis_etcd_if_prefix_empty(t, "/t/"); break;
        }
        deis_etcd_if_exists(t, "/t/a");
        deis_etcd_then_put(t, "/t/a", DEIS_STR("wrong"), 0);
        FAILS(DEIS_CONFLICT, deis_etcd_commit(e, t, NULL, NULL, why));
    }
    check_value(e, "/t/a", "2");
    deis_autotxn struct deis_etcd_txn *absent = deis_etcd_txn_new();
    deis_etcd_if_mod(absent, "/t/none", 0);
    deis_etcd_then_put(absent, "/t/none", DEIS_STR("x"), 0);
    OK(deis_etcd_commit(e, absent, NULL, NULL, why));
}

static void txn__answers_its_reads_in_order(void **state)
{
    struct deis_etcd *e = *state;
    struct deis_etcd_range rets[3];

    OK(deis_etcd_put(e, "/t/p/1", DEIS_STR("one"), 0, why));
    OK(deis_etcd_put(e, "/t/p/2", DEIS_STR("two"), 0, why));
    deis_autotxn struct deis_etcd_txn *t = deis_etcd_txn_new();
    deis_etcd_then_get(t, "/t/none", false);
    deis_etcd_then_put(t, "/t/p/2", DEIS_STR("new"), 0);
    deis_etcd_then_get(t, "/t/p/", true);
    deis_etcd_then_delete_prefix(t, "/t/q/");
    deis_etcd_then_get(t, "/t/p/1", false);
    OK(deis_etcd_commit(e, t, rets, NULL, why));
    assert_int_equal(rets[0].count, 0);
    assert_int_equal(rets[1].count, 2);
    assert_string_equal(rets[1].kvs[1].value.ptr, "new");
    assert_int_equal(rets[2].count, 1);
    assert_string_equal(rets[2].kvs[0].value.ptr, "one");
    for (size_t i = 0; i < DEIS_COUNT(rets); i++) {
        deis_etcd_range_clear(&rets[i]);
    }
    deis_etcd_if_absent(t, "/t/p/1");
    FAILS(DEIS_CONFLICT, deis_etcd_commit(e, t, rets, NULL, why));
    assert_int_equal(rets[1].count, 0);
}

static int commit_if_unchanged(struct deis_etcd *e, int64_t revision)
{
    deis_autotxn struct deis_etcd_txn *t = deis_etcd_txn_new();
    struct deis_err err = DEIS_ERR_INIT;

    deis_etcd_if_prefix_unchanged(t, "/t/c/", revision);
    deis_etcd_then_put(t, "/t/d", DEIS_STR("x"), 0);
    return deis_etcd_commit(e, t, NULL, NULL, &err);
}

static void txn__is_guarded_by_a_prefix_to_which_nothing_was_put(void **state)
{
    struct deis_etcd *e = *state;
    deis_autorange struct deis_etcd_range none = { 0 };
    deis_autorange struct deis_etcd_range range = { 0 };

    OK(deis_etcd_list_keys(e, "/t/c/", &none, why));
    assert_int_equal(commit_if_unchanged(e, none.revision), DEIS_OK);
    OK(deis_etcd_put(e, "/t/c/a", DEIS_STR("x"), 0, why));
    OK(deis_etcd_put(e, "/t/c/b", DEIS_STR("x"), 0, why));
    assert_int_equal(commit_if_unchanged(e, none.revision), DEIS_CONFLICT);
    OK(deis_etcd_list_keys(e, "/t/c/", &range, why));
    assert_int_equal(commit_if_unchanged(e, range.revision), DEIS_OK);
    OK(deis_etcd_delete(e, "/t/c/b", why));
    assert_int_equal(commit_if_unchanged(e, range.revision), DEIS_OK);
    OK(deis_etcd_put(e, "/t/c/a", DEIS_STR("x"), 0, why));
    assert_int_equal(commit_if_unchanged(e, range.revision), DEIS_CONFLICT);
}

#define THREADS    4
#define INCREMENTS 25

/* Read, add one, write if nobody did meanwhile: as every service changes what it shares. */
static bool increment(struct deis_etcd *e)
{
    deis_autorange struct deis_etcd_range r = { 0 };
    deis_autotxn struct deis_etcd_txn *t = deis_etcd_txn_new();
    struct deis_err err = DEIS_ERR_INIT;
    uint64_t n;

    if (deis_etcd_get(e, "/t/counter", &r, &err) < 0 ||
        deis_str_to_u64(r.kvs[0].value, 0, UINT32_MAX, &n, &err) < 0) {
        abort();
    }
    deis_autofree char *text = deis_asprintf("%u", (unsigned)n + 1);
    deis_etcd_if_mod(t, "/t/counter", r.kvs[0].mod_revision);
    deis_etcd_then_put(t, "/t/counter", deis_str(text), 0);
    int rc = deis_etcd_commit(e, t, NULL, NULL, &err);
    if (rc < 0 && rc != DEIS_CONFLICT) {
        abort();
    }
    return rc == DEIS_OK;
}

static void *increment_many(void *arg)
{
    for (int i = 0; i < INCREMENTS;) {
        i += increment(arg) ? 1 : 0;
    }
    return NULL;
}

static void txn__loses_no_change_among_threads(void **state)
{
    struct deis_etcd *e = *state;
    pthread_t threads[THREADS];
    char sum[16];

    OK(deis_etcd_put(e, "/t/counter", DEIS_STR("0"), 0, why));
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, increment_many, e), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    snprintf(sum, sizeof(sum), "%d", THREADS * INCREMENTS);
    check_value(e, "/t/counter", sum);
}

static void txn__is_limited_to_128_of_each(void **state)
{
    struct deis_etcd *e = *state;
    deis_autotxn struct deis_etcd_txn *t = deis_etcd_txn_new();

    for (int i = 0; i < 128; i++) {
        deis_autofree char *key = deis_asprintf("/t/%d", i);
        deis_etcd_if_absent(t, key);
        deis_etcd_then_put(t, key, DEIS_STR("x"), 0);
    }
    OK(deis_etcd_commit(e, t, NULL, NULL, why));
    deis_etcd_then_delete(t, "/t/other");
    FAILS(DEIS_LIMIT, deis_etcd_commit(e, t, NULL, NULL, why));
}

/* --- leases, single calls --- */

static void lease__takes_its_keys_along(void **state)
{
    struct deis_etcd *e = *state;
    deis_autorange struct deis_etcd_range r = { 0 };
    int64_t lease = 0;
    unsigned ttl_s = 0;

    OK(deis_etcd_lease_grant(e, 60, &lease, why));
    assert_true(lease != 0);
    OK(deis_etcd_put(e, "/t/leased", DEIS_STR("x"), lease, why));
    OK(deis_etcd_get(e, "/t/leased", &r, why));
    assert_int_equal(r.kvs[0].lease, lease);
    OK(deis_etcd_lease_keepalive(e, lease, &ttl_s, why));
    assert_int_equal(ttl_s, 60);
    OK(deis_etcd_lease_revoke(e, lease, why));
    OK(deis_etcd_lease_revoke(e, lease, why));
    FAILS(DEIS_NOT_FOUND, deis_etcd_lease_keepalive(e, lease, &ttl_s, why));
    deis_etcd_range_clear(&r);
    FAILS(DEIS_NOT_FOUND, deis_etcd_get(e, "/t/leased", &r, why));
    FAILS(DEIS_NOT_FOUND, deis_etcd_put(e, "/t/leased", DEIS_STR("x"), lease, why));
}

/* --- failures --- */

static void endpoints__are_checked(void **state)
{
    static const char *const bad[] = { "",
                                       "127.0.0.1:2379",
                                       "ftp://127.0.0.1:2379",
                                       "http://127.0.0.1",
                                       "http://127.0.0.1:2379/v3",
                                       "http://127.0.0.1:2379,,http://127.0.0.1:2380" };

    for (size_t i = 0; i < DEIS_COUNT(bad); i++) {
        const struct deis_etcd_opts opts = { .endpoints = bad[i] };
        struct deis_err err = DEIS_ERR_INIT;
        assert_null(deis_etcd_new(&opts, &err));
        assert_int_equal(err.code, DEIS_INVALID);
    }
}

static void away__is_unavailable_at_once(void **state)
{
    deis_autofree char *url = deis_asprintf("http://127.0.0.1:%u", test_free_port());
    struct deis_etcd *e = connect_to(url, PATIENCE_MS);
    deis_autorange struct deis_etcd_range r = { 0 };
    deis_autotxn struct deis_etcd_txn *t = deis_etcd_txn_new();
    int64_t lease;
    uint64_t start_ms = deis_now_ms();

    FAILS(DEIS_UNAVAILABLE, deis_etcd_get(e, "/t/a", &r, why));
    FAILS(DEIS_UNAVAILABLE, deis_etcd_list(e, "/t/", 0, &r, why));
    FAILS(DEIS_UNAVAILABLE, deis_etcd_put(e, "/t/a", DEIS_STR("x"), 0, why));
    FAILS(DEIS_UNAVAILABLE, deis_etcd_delete_prefix(e, "/t/", why));
    FAILS(DEIS_UNAVAILABLE, deis_etcd_lease_grant(e, 5, &lease, why));
    deis_etcd_then_put(t, "/t/a", DEIS_STR("x"), 0);
    FAILS(DEIS_UNAVAILABLE, deis_etcd_commit(e, t, NULL, NULL, why));
    assert_true(deis_now_ms() - start_ms < PATIENCE_MS);
    deis_etcd_free(e);
}

static void endpoints__the_next_one_serves_when_one_is_away(void **state)
{
    deis_autofree char *urls =
        deis_asprintf("http://127.0.0.1:%u,%s/", test_free_port(), server.url);
    struct deis_etcd *e = connect_to(urls, PATIENCE_MS);

    OK(deis_etcd_put(e, "/t/a", DEIS_STR("x"), 0, why));
    check_value(e, "/t/a", "x");
    deis_etcd_free(e);
}

static void silence__leaves_the_outcome_of_a_write_unknown(void **state)
{
    /* Time enough to send a request on a busy machine: what was not sent is no unknown outcome. */
    struct deis_etcd *e = connect_to(server.url, 2000);
    deis_autorange struct deis_etcd_range r = { 0 };
    deis_autotxn struct deis_etcd_txn *t = deis_etcd_txn_new();

    OK(deis_etcd_put(e, "/t/a", DEIS_STR("1"), 0, why));
    test_etcd_freeze(&server);
    FAILS(DEIS_TIMEOUT, deis_etcd_put(e, "/t/a", DEIS_STR("2"), 0, why));
    deis_etcd_if_absent(t, "/t/b");
    deis_etcd_then_put(t, "/t/b", DEIS_STR("1"), 0);
    FAILS(DEIS_TIMEOUT, deis_etcd_commit(e, t, NULL, NULL, why));
    FAILS(DEIS_UNAVAILABLE, deis_etcd_get(e, "/t/a", &r, why));
    deis_autotxn struct deis_etcd_txn *reads = deis_etcd_txn_new();
    deis_etcd_then_get(reads, "/t/a", false);
    FAILS(DEIS_UNAVAILABLE, deis_etcd_commit(e, reads, &r, NULL, why));
    test_etcd_thaw(&server);
    deis_etcd_free(e);
    e = connect_to(server.url, PATIENCE_MS);
    OK(deis_etcd_put(e, "/t/a", DEIS_STR("3"), 0, why));
    deis_etcd_free(e);
}

static void restart__is_seen_as_away_and_then_served_again(void **state)
{
    struct deis_etcd *e = *state;
    deis_autorange struct deis_etcd_range r = { 0 };

    OK(deis_etcd_put(e, "/t/a", DEIS_STR("kept"), 0, why));
    test_etcd_kill(&server);
    uint64_t start_ms = deis_now_ms();
    FAILS(DEIS_UNAVAILABLE, deis_etcd_put(e, "/t/a", DEIS_STR("lost"), 0, why));
    FAILS(DEIS_UNAVAILABLE, deis_etcd_get(e, "/t/a", &r, why));
    assert_true(deis_now_ms() - start_ms < PATIENCE_MS);
    test_etcd_start(&server);
    check_value(e, "/t/a", "kept");
    OK(deis_etcd_put(e, "/t/a", DEIS_STR("new"), 0, why));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(kv__what_was_put_is_what_is_got),
        CASE(put__is_bounded_by_what_etcd_takes),
        CASE(list__pages_through_a_prefix_in_order),
        CASE(txn__guards_hold_or_nothing_is_done),
        CASE(txn__answers_its_reads_in_order),
        CASE(txn__is_guarded_by_a_prefix_to_which_nothing_was_put),
        CASE(txn__loses_no_change_among_threads),
        CASE(txn__is_limited_to_128_of_each),
        CASE(lease__takes_its_keys_along),
        CASE(endpoints__are_checked),
        CASE(away__is_unavailable_at_once),
        CASE(endpoints__the_next_one_serves_when_one_is_away),
        CASE(silence__leaves_the_outcome_of_a_write_unknown),
        CASE(restart__is_seen_as_away_and_then_served_again),
    };

    if (!test_etcd_installed("etcd_test")) {
        return 0;
    }
    deis_runtime_init("etcd-test");
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
