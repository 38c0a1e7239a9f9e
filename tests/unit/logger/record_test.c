/* SPDX-License-Identifier: MIT */
#include "logger/core/record.h"
#include "tests/support/test.h"

static const struct record sample = {
    .seq = 41,
    .time_ms = 1700000000123,
    .position = 0x1122334455667788,
    .lost = 3,
    .source = { "container", 9 },
    .process = { "web.1", 5 },
    .text = { "GET / 200\0x", 11 },
};

static void record__what_is_encoded_comes_back(void **state)
{
    deis_autobuf struct deis_buf bytes = DEIS_BUF_INIT(4096);
    struct record got;

    record_encode(&sample, &bytes);
    record_encode(&(struct record){ .seq = 42, .process = { "cmd.1", 5 } }, &bytes);
    struct deis_str rest = deis_buf_str(&bytes);
    assert_int_equal(record_decode(&rest, &got), RECORD_OK);
    assert_int_equal(got.seq, sample.seq);
    assert_int_equal(got.time_ms, sample.time_ms);
    assert_int_equal(got.position, sample.position);
    assert_int_equal(got.lost, 3);
    assert_true(deis_str_eq(got.source, sample.source));
    assert_true(deis_str_eq(got.process, sample.process));
    assert_true(deis_str_eq(got.text, sample.text));
    assert_int_equal(record_decode(&rest, &got), RECORD_OK);
    assert_int_equal(got.seq, 42);
    assert_int_equal(got.text.len, 0);
    assert_int_equal(record_decode(&rest, &got), RECORD_END);
}

static void record__every_cut_and_every_flipped_bit_is_noticed(void **state)
{
    deis_autobuf struct deis_buf bytes = DEIS_BUF_INIT(4096);
    struct record got;

    record_encode(&sample, &bytes);
    for (size_t len = 1; len < bytes.len; len++) {
        struct deis_str cut = { bytes.data, len };
        assert_int_equal(record_decode(&cut, &got), RECORD_TORN);
    }
    for (size_t bit = 0; bit < bytes.len * 8; bit++) {
        struct deis_str all = deis_buf_str(&bytes);
        bytes.data[bit / 8] ^= (char)(1 << (bit % 8));
        assert_int_equal(record_decode(&all, &got), RECORD_TORN);
        bytes.data[bit / 8] ^= (char)(1 << (bit % 8));
    }
}

static void record__a_filter_is_a_type_or_a_process(void **state)
{
    const struct record web1 = { .process = { "web.1", 5 } };

    assert_true(record_matches(&web1, DEIS_STR("")));
    assert_true(record_matches(&web1, DEIS_STR("web")));
    assert_true(record_matches(&web1, DEIS_STR("web.1")));
    assert_false(record_matches(&web1, DEIS_STR("we")));
    assert_false(record_matches(&web1, DEIS_STR("web.10")));
    assert_false(record_matches(&web1, DEIS_STR("web.")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(record__what_is_encoded_comes_back),
        cmocka_unit_test(record__every_cut_and_every_flipped_bit_is_noticed),
        cmocka_unit_test(record__a_filter_is_a_type_or_a_process),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
