/* SPDX-License-Identifier: MIT */
#include "tests/support/test.h"

#include "lib/wire/run_frame.h"

static void run_frame__is_read_back_however_it_is_cut(void **state)
{
    deis_autobuf struct deis_buf wire = DEIS_BUF_INIT(1 << 20);

    deis_run_frame_add(&wire, DEIS_RUN_OPEN, DEIS_STR("{}"));
    deis_run_frame_add_size(&wire, 24, 70000);
    deis_run_frame_add(&wire, DEIS_RUN_INPUT, DEIS_STR("ab\0c"));
    deis_run_frame_add(&wire, DEIS_RUN_EOF, DEIS_STR_NONE);
    for (size_t cut = 1; cut <= wire.len; cut++) {
        struct deis_run_reader r;
        deis_autobuf struct deis_buf seen = DEIS_BUF_INIT(4096);
        struct deis_str rest = deis_buf_str(&wire);
        enum deis_run_frame type;
        struct deis_str payload;
        struct deis_err err = DEIS_ERR_INIT;

        deis_run_reader_init(&r, true);
        while (rest.len > 0) {
            struct deis_str part = deis_str_first(rest, cut);
            rest = deis_str_skip(rest, part.len);
            while (deis_run_reader_feed(&r, &part, &type, &payload, &err) == DEIS_RUN_FRAME) {
                deis_buf_addf(&seen, "%c%zu ", (char)type, payload.len);
                if (type == DEIS_RUN_SIZE) {
                    uint32_t rows, columns;
                    assert_int_equal(deis_run_size(payload, &rows, &columns, &err), 0);
                    assert_int_equal(rows, 24);
                    assert_int_equal(columns, 10000);
                }
            }
            assert_int_equal(part.len, 0);
            part = DEIS_STR_NONE;
            assert_int_equal(deis_run_reader_feed(&r, &part, &type, &payload, &err), DEIS_RUN_MORE);
        }
        assert_string_equal(seen.data, "o2 s4 i4 e0 ");
        deis_run_reader_clear(&r);
    }
}

static void run_frame__refuses_what_no_peer_may_send(void **state)
{
    static const struct {
        bool from_client;
        struct deis_str wire;
        const char *why;
    } cases[] = {
        { true, DEIS_STR("z\0\0\0\0"), "type 0x7a" },
        { true, DEIS_STR("x\0\0\0\4"), "type 0x78" },
        { false, DEIS_STR("i\0\0\0\1"), "type 0x69" },
        { true, DEIS_STR("i\0\0\0\0"), "'i' has 0 bytes" },
        { true, DEIS_STR("i\0\1\0\1"), "'i' has 65537 bytes" },
        { true, DEIS_STR("o\xff\xff\xff\xff"), "'o' has 4294967295 bytes" },
        { true, DEIS_STR("s\0\0\0\3"), "'s' has 3 bytes" },
        { true, DEIS_STR("k\0\0\0\x09"), "'k' has 9 bytes" },
        { false, DEIS_STR("x\0\0\0\5"), "'x' has 5 bytes" },
        { false, DEIS_STR("f\0\0\x10\1"), "'f' has 4097 bytes" },
    };

    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        struct deis_run_reader r;
        struct deis_str input = cases[i].wire;
        enum deis_run_frame type;
        struct deis_str payload;
        struct deis_err err = DEIS_ERR_INIT;

        deis_run_reader_init(&r, cases[i].from_client);
        assert_int_equal(deis_run_reader_feed(&r, &input, &type, &payload, &err), DEIS_RUN_BAD);
        assert_int_equal(err.code, DEIS_PROTOCOL);
        assert_non_null(strstr(err.msg, cases[i].why));
        assert_int_equal(r.payload.cap, 0);
        deis_run_reader_clear(&r);
    }
}

static void run_frame__sizes_have_bounds(void **state)
{
    static const struct deis_str bad[] = {
        { "\0\0\0\x50", 4 }, { "\0\x18\0\0", 4 }, { "\x27\x11\0\x50", 4 }, { "\0\x18\x27\x11", 4 }
    };
    uint32_t rows, columns;

    for (size_t i = 0; i < DEIS_COUNT(bad); i++) {
        assert_int_equal(deis_run_size(bad[i], &rows, &columns, NULL), DEIS_PROTOCOL);
    }
}

static void run_frame__counts_whole_frames(void **state)
{
    deis_autobuf struct deis_buf wire = DEIS_BUF_INIT(4096);

    deis_run_frame_add(&wire, DEIS_RUN_OUTPUT, DEIS_STR("12345"));
    deis_run_frame_add(&wire, DEIS_RUN_ERROR, DEIS_STR("123"));
    struct deis_str all = deis_buf_str(&wire);
    assert_int_equal(all.len, 18);
    assert_int_equal(deis_run_whole_frames(all, 100), 18);
    assert_int_equal(deis_run_whole_frames(all, 17), 10);
    assert_int_equal(deis_run_whole_frames(deis_str_first(all, 17), 100), 10);
    assert_int_equal(deis_run_whole_frames(all, 9), 0);
    assert_int_equal(deis_run_whole_frames(deis_str_first(all, 4), 100), 0);
    assert_int_equal(deis_run_whole_frames(DEIS_STR("d\xff\xff\xff\xff"), 100), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run_frame__is_read_back_however_it_is_cut),
        cmocka_unit_test(run_frame__refuses_what_no_peer_may_send),
        cmocka_unit_test(run_frame__sizes_have_bounds),
        cmocka_unit_test(run_frame__counts_whole_frames),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
