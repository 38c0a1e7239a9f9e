/* SPDX-License-Identifier: MIT */
#include "tests/support/test.h"

#include "lib/etcd/etcd_codec.h"

static void check_prefix(struct deis_str prefix, struct deis_str key, struct deis_str end)
{
    deis_autobuf struct deis_buf got = DEIS_BUF_INIT(64);
    assert_true(deis_str_eq(deis_etcd_prefix_range(prefix, &got), key));
    assert_true(deis_str_eq(deis_buf_str(&got), end));
}

static void prefix__ends_before_the_next_one(void **state)
{
    check_prefix(DEIS_STR("/deis/apps/"), DEIS_STR("/deis/apps/"), DEIS_STR("/deis/apps0"));
    check_prefix(DEIS_STR("a\xff\xff"), DEIS_STR("a\xff\xff"), DEIS_STR("b"));
    check_prefix(DEIS_STR("\xff"), DEIS_STR("\xff"), DEIS_STR("\0"));
    check_prefix(DEIS_STR(""), DEIS_STR("\0"), DEIS_STR("\0"));
}

/* A misspelled field would be dropped by etcd without a word, so the texts are checked to the
 * letter. */
static void requests__are_spelled_as_etcd_wants_them(void **state)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(DEIS_ETCD_BODY_MAX);

    deis_etcd_encode_put(DEIS_STR("a"), DEIS_STR("\xfb\xff"), 9, &out);
    assert_string_equal(out.data, "{\"key\":\"YQ==\",\"value\":\"+/8=\",\"lease\":\"9\"}");
    deis_buf_reset(&out);
    deis_etcd_encode_delete(DEIS_STR("a"), DEIS_STR("b"), &out);
    assert_string_equal(out.data, "{\"key\":\"YQ==\",\"range_end\":\"Yg==\"}");
    deis_buf_reset(&out);
    deis_etcd_encode_grant(10, &out);
    assert_string_equal(out.data, "{\"TTL\":\"10\"}");
    deis_buf_reset(&out);
    deis_etcd_encode_lease_id(7587860567245872136, &out);
    assert_string_equal(out.data, "{\"ID\":\"7587860567245872136\"}");
    deis_buf_reset(&out);
    deis_etcd_encode_watch(DEIS_STR("a"), 78, &out);
    assert_string_equal(out.data, "{\"create_request\":{\"key\":\"YQ==\",\"range_end\":\"Yg==\","
                                  "\"start_revision\":\"78\",\"progress_notify\":true,"
                                  "\"fragment\":true}}");
}

static void txn__has_guards_and_operations(void **state)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(DEIS_ETCD_BODY_MAX);
    deis_autotxn struct deis_etcd_txn *t = deis_etcd_txn_new();

    deis_etcd_if_mod(t, "a", 5);
    deis_etcd_if_create(t, "a", 4);
    deis_etcd_if_absent(t, "b");
    deis_etcd_if_exists(t, "c");
    deis_etcd_if_prefix_empty(t, "a");
    deis_etcd_if_prefix_unchanged(t, "a", 41);
    deis_etcd_then_put(t, "a", DEIS_STR("b"), 0);
    deis_etcd_then_delete(t, "a");
    deis_etcd_then_delete_prefix(t, "a");
    deis_etcd_then_get(t, "a", false);
    deis_etcd_then_get(t, "a", true);
    deis_etcd_encode_txn(t, &out);
    assert_string_equal(
        out.data,
        "{\"compare\":["
        "{\"key\":\"YQ==\",\"target\":\"MOD\",\"result\":\"EQUAL\",\"mod_revision\":\"5\"},"
        "{\"key\":\"YQ==\",\"target\":\"CREATE\",\"result\":\"EQUAL\",\"create_revision\":\"4\"},"
        "{\"key\":\"Yg==\",\"target\":\"VERSION\",\"result\":\"EQUAL\",\"version\":\"0\"},"
        "{\"key\":\"Yw==\",\"target\":\"VERSION\",\"result\":\"GREATER\",\"version\":\"0\"},"
        "{\"key\":\"YQ==\",\"range_end\":\"Yg==\",\"target\":\"VERSION\",\"result\":\"EQUAL\","
        "\"version\":\"0\"},"
        "{\"key\":\"YQ==\",\"range_end\":\"Yg==\",\"target\":\"MOD\",\"result\":\"LESS\","
        "\"mod_revision\":\"42\"}],"
        "\"success\":["
        "{\"request_put\":{\"key\":\"YQ==\",\"value\":\"Yg==\"}},"
        "{\"request_delete_range\":{\"key\":\"YQ==\"}},"
        "{\"request_delete_range\":{\"key\":\"YQ==\",\"range_end\":\"Yg==\"}},"
        "{\"request_range\":{\"key\":\"YQ==\"}},"
        "{\"request_range\":{\"key\":\"YQ==\",\"range_end\":\"Yg==\"}}]}");
    assert_int_equal(deis_etcd_txn_gets(t), 2);
    assert_true(deis_etcd_txn_writes(t));
    assert_int_equal(deis_etcd_txn_check(t, NULL), DEIS_OK);
}

static void txn__too_large_is_told_before_it_is_sent(void **state)
{
    deis_autotxn struct deis_etcd_txn *t = deis_etcd_txn_new();
    deis_autobuf struct deis_buf big = DEIS_BUF_INIT(1 << 20);
    struct deis_err err = DEIS_ERR_INIT;

    assert_non_null(deis_buf_reserve(&big, 1 << 20));
    memset(big.data, 'x', 1 << 20);
    deis_buf_added(&big, 1 << 20);
    for (int i = 0; i < 3; i++) {
        deis_etcd_then_put(t, "a", deis_buf_str(&big), 0);
    }
    assert_int_equal(deis_etcd_txn_check(t, &err), DEIS_LIMIT);
}

/* --- answers --- */

#define HEADER "\"header\":{\"cluster_id\":\"18251165009791698893\",\"revision\":\"7\"}"

static void range__is_decoded_and_absent_means_zero(void **state)
{
    deis_autorange struct deis_etcd_range r = { 0 };
    deis_autobuf struct deis_buf last = DEIS_BUF_INIT(64);
    struct deis_etcd_header header;
    bool more;

    int rc = deis_etcd_decode_range(
        DEIS_STR("{" HEADER ",\"kvs\":[{\"key\":\"YQ==\",\"create_revision\":\"2\","
                 "\"mod_revision\":\"3\",\"version\":\"4\",\"value\":\"eA==\",\"lease\":\"5\"},"
                 "{\"key\":\"Yg==\",\"create_revision\":\"2\",\"mod_revision\":\"2\","
                 "\"version\":\"1\"}],\"more\":true,\"count\":\"9\"}"),
        &r, &header, &more, &last, NULL);
    assert_int_equal(rc, DEIS_OK);
    assert_true(header.cluster_id == 18251165009791698893ull);
    assert_true(more);
    assert_string_equal(last.data, "b");
    assert_int_equal(r.count, 2);
    assert_int_equal(r.revision, 7);
    assert_string_equal(r.kvs[0].key, "a");
    assert_string_equal(r.kvs[0].value.ptr, "x");
    assert_int_equal(r.kvs[0].create_revision, 2);
    assert_int_equal(r.kvs[0].mod_revision, 3);
    assert_int_equal(r.kvs[0].version, 4);
    assert_int_equal(r.kvs[0].lease, 5);
    assert_int_equal(r.kvs[1].value.len, 0);
    assert_int_equal(r.kvs[1].value.ptr[0], '\0');
    assert_int_equal(r.kvs[1].lease, 0);
}

static void range__leaves_out_keys_that_hold_a_nul(void **state)
{
    deis_autorange struct deis_etcd_range r = { 0 };
    deis_autobuf struct deis_buf last = DEIS_BUF_INIT(64);
    struct deis_etcd_header header;
    bool more;

    int rc = deis_etcd_decode_range(DEIS_STR("{" HEADER ",\"kvs\":[{\"key\":\"YQ==\"},"
                                             "{\"key\":\"YQBi\"}]}"),
                                    &r, &header, &more, &last, NULL);
    assert_int_equal(rc, DEIS_OK);
    assert_int_equal(r.count, 1);
    assert_int_equal(last.len, 3);
}

static void range__that_is_none_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "[]",
        "{\"kvs\":{}}",
        "{\"kvs\":[1]}",
        "{\"kvs\":[{}]}",
        "{\"kvs\":[{\"key\":7}]}",
        "{\"kvs\":[{\"key\":\"YQ\"}]}",
        "{\"kvs\":[{\"key\":\"YQ==\",\"value\":\"_-8=\"}]}",
        "{\"kvs\":[{\"key\":\"YQ==\",\"mod_revision\":\"x\"}]}",
        "{\"kvs\":[{\"key\":\"YQ==\",\"mod_revision\":\"9223372036854775808\"}]}",
        "{\"header\":{\"cluster_id\":\"-1\"}}",
        "{\"more\":\"yes\"}",
    };

    for (size_t i = 0; i < DEIS_COUNT(bad); i++) {
        deis_autorange struct deis_etcd_range r = { 0 };
        deis_autobuf struct deis_buf last = DEIS_BUF_INIT(64);
        struct deis_etcd_header header;
        struct deis_err err = DEIS_ERR_INIT;
        bool more;
        if (deis_etcd_decode_range(deis_str(bad[i]), &r, &header, &more, &last, &err) !=
            DEIS_PROTOCOL) {
            fail_msg("taken: %s", bad[i]);
        }
        assert_int_equal(err.code, DEIS_PROTOCOL);
    }
}

static void txn__that_did_not_succeed_is_a_conflict(void **state)
{
    int64_t revision = 0;
    struct deis_etcd_range rets[1] = { { 0 } };

    assert_int_equal(deis_etcd_decode_txn(DEIS_STR("{" HEADER "}"), NULL, 0, NULL, NULL),
                     DEIS_CONFLICT);
    assert_int_equal(
        deis_etcd_decode_txn(DEIS_STR("{" HEADER ",\"succeeded\":true}"), NULL, 0, &revision, NULL),
        DEIS_OK);
    assert_int_equal(revision, 7);
    /* More or fewer answers than were asked for. */
    assert_int_equal(
        deis_etcd_decode_txn(DEIS_STR("{" HEADER ",\"succeeded\":true}"), rets, 1, NULL, NULL),
        DEIS_PROTOCOL);
    assert_int_equal(deis_etcd_decode_txn(DEIS_STR("{" HEADER ",\"succeeded\":true,\"responses\":["
                                                   "{\"response_range\":{}}]}"),
                                          NULL, 0, NULL, NULL),
                     DEIS_PROTOCOL);
}

static void lease__answers_of_both_shapes(void **state)
{
    int64_t id = 0;
    unsigned ttl_s = 0;
    struct deis_err err = DEIS_ERR_INIT;

    assert_int_equal(deis_etcd_decode_lease(DEIS_STR("{" HEADER ",\"ID\":\"5\",\"TTL\":\"10\"}"),
                                            &id, &ttl_s, &err),
                     DEIS_OK);
    assert_int_equal(id, 5);
    assert_int_equal(ttl_s, 10);
    assert_int_equal(
        deis_etcd_decode_lease(DEIS_STR("{\"result\":{" HEADER ",\"ID\":\"6\",\"TTL\":\"2\"}}\n"),
                               &id, &ttl_s, &err),
        DEIS_OK);
    assert_int_equal(id, 6);
    /* Dead: no TTL. */
    assert_int_equal(
        deis_etcd_decode_lease(DEIS_STR("{\"result\":{\"ID\":\"6\"}}"), &id, &ttl_s, &err),
        DEIS_OK);
    assert_int_equal(ttl_s, 0);
    assert_int_equal(
        deis_etcd_decode_lease(DEIS_STR("{\"error\":{\"grpc_code\":14,\"http_code\":503,"
                                        "\"message\":\"etcdserver: no leader\"}}"),
                               &id, &ttl_s, &err),
        DEIS_UNAVAILABLE);
}

static void errors__say_whether_anything_was_done(void **state)
{
    static const struct {
        int status;
        const char *text;
        enum deis_etcd_fault fault;
        enum deis_code code;
    } cases[] = {
        { 400, "{\"code\":3,\"message\":\"illegal base64\"}", DEIS_ETCD_FINAL, DEIS_INVALID },
        { 400, "{\"code\":3,\"message\":\"etcdserver: request is too large\"}", DEIS_ETCD_FINAL,
          DEIS_LIMIT },
        { 400, "{\"code\":3,\"message\":\"etcdserver: too many operations in txn request\"}",
          DEIS_ETCD_FINAL, DEIS_LIMIT },
        { 404, "{\"code\":5,\"message\":\"etcdserver: requested lease not found\"}",
          DEIS_ETCD_FINAL, DEIS_NOT_FOUND },
        { 403, "{\"code\":7,\"message\":\"etcdserver: permission denied\"}", DEIS_ETCD_FINAL,
          DEIS_DENIED },
        { 401, "{\"code\":16,\"message\":\"etcdserver: invalid auth token\"}", DEIS_ETCD_FINAL,
          DEIS_DENIED },
        { 429, "{\"code\":8,\"message\":\"etcdserver: mvcc: database space exceeded\"}",
          DEIS_ETCD_FINAL, DEIS_UNAVAILABLE },
        { 429, "{\"code\":8,\"message\":\"grpc: received message larger than max\"}",
          DEIS_ETCD_FINAL, DEIS_LIMIT },
        { 400,
          "{\"code\":11,\"message\":\"etcdserver: mvcc: required revision has been compacted\"}",
          DEIS_ETCD_COMPACTED, DEIS_CONFLICT },
        { 400, "{\"code\":11,\"message\":\"required revision is a future revision\"}",
          DEIS_ETCD_NEXT, DEIS_UNAVAILABLE },
        { 503, "{\"code\":14,\"message\":\"etcdserver: no leader\"}", DEIS_ETCD_NEXT,
          DEIS_UNAVAILABLE },
        { 503, "{\"code\":14,\"message\":\"etcdserver: request timed out\"}", DEIS_ETCD_UNKNOWN,
          DEIS_TIMEOUT },
        { 500, "{\"code\":2,\"message\":\"context deadline exceeded\"}", DEIS_ETCD_UNKNOWN,
          DEIS_TIMEOUT },
        { 404, "Not Found", DEIS_ETCD_FINAL, DEIS_PROTOCOL },
        { 500, "{\"code\":\"many\"}", DEIS_ETCD_FINAL, DEIS_PROTOCOL },
        { 500, "", DEIS_ETCD_FINAL, DEIS_PROTOCOL },
    };

    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        struct deis_err err = DEIS_ERR_INIT;
        assert_int_equal(deis_etcd_decode_error(cases[i].status, deis_str(cases[i].text), &err),
                         cases[i].fault);
        assert_int_equal(err.code, cases[i].code);
    }
}

/* --- watch lines --- */

static int decode_line(const char *text, struct deis_etcd_watch_line *line)
{
    struct deis_err err = DEIS_ERR_INIT;
    int rc = deis_etcd_decode_watch_line(deis_str(text), line, &err);
    assert_int_equal(rc, err.code);
    return rc;
}

static void watch_line__of_each_kind(void **state)
{
    struct deis_etcd_watch_line line;

    assert_int_equal(decode_line("{\"result\":{" HEADER ",\"created\":true}}", &line), DEIS_OK);
    assert_true(line.created && !line.canceled && line.count == 0);
    assert_int_equal(line.header.revision, 7);

    assert_int_equal(decode_line("{\"result\":{" HEADER ",\"fragment\":true,\"events\":["
                                 "{\"kv\":{\"key\":\"YQ==\",\"mod_revision\":\"6\","
                                 "\"value\":\"eA==\"}},"
                                 "{\"type\":\"DELETE\",\"kv\":{\"key\":\"Yg==\","
                                 "\"mod_revision\":\"7\"}}]}}",
                                 &line),
                     DEIS_OK);
    assert_true(line.fragment);
    assert_int_equal(line.count, 2);
    assert_false(line.events[0].deleted);
    assert_string_equal(line.events[0].kv.value.ptr, "x");
    assert_true(line.events[1].deleted);
    assert_string_equal(line.events[1].kv.key, "b");
    deis_etcd_watch_line_clear(&line);

    assert_int_equal(decode_line("{\"result\":{" HEADER "}}", &line), DEIS_OK);
    assert_true(!line.created && line.count == 0);

    assert_int_equal(decode_line("{\"result\":{\"header\":{},\"canceled\":true,"
                                 "\"compact_revision\":\"5\"}}",
                                 &line),
                     DEIS_OK);
    assert_true(line.canceled);
    assert_int_equal(line.compact_revision, 5);

    assert_int_equal(decode_line("{\"result\":{\"created\":true,\"canceled\":true,"
                                 "\"cancel_reason\":\"permission denied\"}}",
                                 &line),
                     DEIS_OK);
    assert_true(line.canceled);
    assert_string_equal(line.reason, "permission denied");
}

static void watch_line__that_ends_the_stream(void **state)
{
    struct deis_etcd_watch_line line;

    assert_int_equal(decode_line("{\"error\":{\"grpc_code\":14,\"http_code\":503,"
                                 "\"message\":\"etcdserver: no leader\"}}",
                                 &line),
                     DEIS_UNAVAILABLE);
    assert_int_equal(decode_line("{\"error\":\"?\"}", &line), DEIS_PROTOCOL);
    assert_int_equal(decode_line("{\"result\":{\"eve", &line), DEIS_PROTOCOL);
    assert_int_equal(decode_line("{}", &line), DEIS_PROTOCOL);
    assert_int_equal(decode_line("{\"result\":{\"events\":[{\"type\":\"NONE\",\"kv\":{\"key\":"
                                 "\"YQ==\",\"mod_revision\":\"6\"}}]}}",
                                 &line),
                     DEIS_PROTOCOL);
    assert_int_equal(decode_line("{\"result\":{\"events\":[{\"kv\":{\"key\":\"YQ==\"}}]}}", &line),
                     DEIS_PROTOCOL);
    assert_int_equal(decode_line("{\"result\":{\"events\":["
                                 "{\"kv\":{\"key\":\"YQ==\",\"mod_revision\":\"6\"}},"
                                 "{\"kv\":{\"key\":\"YQ==\",\"mod_revision\":\"5\"}}]}}",
                                 &line),
                     DEIS_PROTOCOL);
}

/* --- paging --- */

static void pager__goes_on_after_the_last_key_at_one_revision(void **state)
{
    deis_autorange struct deis_etcd_range r = { 0 };
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(DEIS_ETCD_BODY_MAX);
    struct deis_etcd_pager p;

    deis_etcd_pager_init(&p, DEIS_STR("a"), 0, false);
    deis_etcd_pager_request(&p, &out);
    assert_string_equal(out.data, "{\"key\":\"YQ==\",\"range_end\":\"Yg==\",\"limit\":\"250\"}");
    assert_int_equal(
        deis_etcd_pager_answer(
            &p, DEIS_STR("{" HEADER ",\"kvs\":[{\"key\":\"YWE=\"}],\"more\":true}"), &r, NULL),
        DEIS_OK);
    assert_false(p.done);
    deis_buf_reset(&out);
    deis_etcd_pager_request(&p, &out); /* "aa" and a NUL */
    assert_string_equal(out.data, "{\"key\":\"YWEA\",\"range_end\":\"Yg==\",\"limit\":\"250\","
                                  "\"revision\":\"7\"}");
    assert_int_equal(deis_etcd_pager_answer(
                         &p,
                         DEIS_STR("{\"header\":{\"revision\":\"9\"},\"kvs\":[{\"key\":\"YWI=\"}]}"),
                         &r, NULL),
                     DEIS_OK);
    assert_true(p.done);
    assert_int_equal(r.count, 2);
    assert_int_equal(r.revision, 7);
    deis_etcd_pager_turn_to(&p, DEIS_STR("b"));
    deis_buf_reset(&out);
    deis_etcd_pager_request(&p, &out);
    assert_string_equal(out.data, "{\"key\":\"Yg==\",\"range_end\":\"Yw==\",\"limit\":\"250\","
                                  "\"revision\":\"7\"}");
    deis_etcd_pager_clear(&p);
}

static void pager__stops_at_its_limit_and_does_not_turn_in_circles(void **state)
{
    deis_autorange struct deis_etcd_range r = { 0 };
    struct deis_etcd_pager p;

    deis_etcd_pager_init(&p, DEIS_STR("a"), 1, false);
    assert_int_equal(
        deis_etcd_pager_answer(
            &p, DEIS_STR("{" HEADER ",\"kvs\":[{\"key\":\"YWE=\"}],\"more\":true}"), &r, NULL),
        DEIS_OK);
    assert_true(p.done);
    deis_etcd_pager_clear(&p);

    deis_etcd_pager_init(&p, DEIS_STR("b"), 0, false);
    assert_int_equal(
        deis_etcd_pager_answer(
            &p, DEIS_STR("{" HEADER ",\"kvs\":[{\"key\":\"YWE=\"}],\"more\":true}"), &r, NULL),
        DEIS_PROTOCOL);
    assert_int_equal(deis_etcd_pager_answer(&p, DEIS_STR("{" HEADER ",\"more\":true}"), &r, NULL),
                     DEIS_PROTOCOL);
    assert_true(deis_etcd_pager_shrink(&p));
    assert_true(p.page_keys < DEIS_ETCD_PAGE_KEYS);
    while (deis_etcd_pager_shrink(&p)) {
    }
    assert_int_equal(p.page_keys, 1);
    deis_etcd_pager_clear(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prefix__ends_before_the_next_one),
        cmocka_unit_test(requests__are_spelled_as_etcd_wants_them),
        cmocka_unit_test(txn__has_guards_and_operations),
        cmocka_unit_test(txn__too_large_is_told_before_it_is_sent),
        cmocka_unit_test(range__is_decoded_and_absent_means_zero),
        cmocka_unit_test(range__leaves_out_keys_that_hold_a_nul),
        cmocka_unit_test(range__that_is_none_is_refused),
        cmocka_unit_test(txn__that_did_not_succeed_is_a_conflict),
        cmocka_unit_test(lease__answers_of_both_shapes),
        cmocka_unit_test(errors__say_whether_anything_was_done),
        cmocka_unit_test(watch_line__of_each_kind),
        cmocka_unit_test(watch_line__that_ends_the_stream),
        cmocka_unit_test(pager__goes_on_after_the_last_key_at_one_revision),
        cmocka_unit_test(pager__stops_at_its_limit_and_does_not_turn_in_circles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
