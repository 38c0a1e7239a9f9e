/* SPDX-License-Identifier: MIT */
#include "router/core/handover_msg.h"
#include "tests/support/test.h"

static struct handover_msg parse(const char *text)
{
    struct handover_msg m;
    struct deis_err err;

    assert_int_equal(handover_parse(deis_str(text), &m, &err), 0);
    return m;
}

static void words__are_read(void **state)
{
    struct handover_msg m = parse("HELLO 1 0.0.0.0:80");

    assert_int_equal(m.type, HANDOVER_HELLO);
    assert_int_equal(m.version, 1);
    assert_true(deis_str_eq_cstr(m.text, "0.0.0.0:80"));
    m = parse("HELLO 7"); /* what a later version says after its number is its own matter */
    assert_int_equal(m.version, 7);
    m = parse("SOCKETS metrics 64");
    assert_int_equal(m.type, HANDOVER_SOCKETS);
    assert_int_equal(m.kind, SOCKET_METRICS);
    assert_int_equal(m.count, 64);
    assert_int_equal(parse("END").type, HANDOVER_END);
    assert_int_equal(parse("TAKE").type, HANDOVER_TAKE);
    assert_int_equal(parse("READY").type, HANDOVER_READY);
    assert_int_equal(parse("TAKEN").type, HANDOVER_TAKEN);
    assert_int_equal(parse("END").count, 0);
    m = parse("REFUSED this router is stopping");
    assert_int_equal(m.type, HANDOVER_REFUSED);
    assert_true(deis_str_eq_cstr(m.text, "this router is stopping"));
}

static void anything_else__is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        " ",
        "hello 1 a",
        "HELLO",
        "HELLO ",
        "HELLO 1",
        "HELLO 0 a",
        "HELLO -1 a",
        "HELLO 4294967296 a",
        "HELLO x a",
        "SOCKETS",
        "SOCKETS http",
        "SOCKETS http 0",
        "SOCKETS http 65",
        "SOCKETS ftp 1",
        "SOCKETS http 1 ",
        "SOCKETS http 1 2",
        "END ",
        "END x",
        "TAKE\n",
        "TAKEN 1",
        "REFUSED",
        "REFUSED ",
        "REFUSED a\tb",
        "READYREADY",
    };
    struct handover_msg m;
    struct deis_err err;
    char large[HANDOVER_PACKET_MAX + 2];

    for (size_t i = 0; i < DEIS_COUNT(bad); i++) {
        assert_int_equal(handover_parse(deis_str(bad[i]), &m, &err), DEIS_PROTOCOL);
    }
    memset(large, 'a', sizeof(large));
    memcpy(large, "HELLO 1 ", 8);
    assert_int_equal(handover_parse(deis_str_n(large, 8 + HANDOVER_TEXT_MAX), &m, &err), 0);
    assert_int_equal(handover_parse(deis_str_n(large, 9 + HANDOVER_TEXT_MAX), &m, &err),
                     DEIS_PROTOCOL);
    assert_int_equal(handover_parse(deis_str_n(large, sizeof(large)), &m, &err), DEIS_PROTOCOL);
    assert_int_equal(handover_parse(deis_str_n("END\0", 4), &m, &err), DEIS_PROTOCOL);
}

static void written__is_read_back(void **state)
{
    char text[HANDOVER_PACKET_MAX];
    char longer[HANDOVER_PACKET_MAX * 2];

    for (int type = HANDOVER_HELLO; type <= HANDOVER_REFUSED; type++) {
        struct handover_msg in = { .type = (enum handover_type)type,
                                   .version = HANDOVER_VERSION,
                                   .kind = SOCKET_SSH,
                                   .count = 3,
                                   .text = DEIS_STR("[::]:80") };
        struct handover_msg out;
        struct deis_err err;
        size_t n = handover_write(text, &in);
        assert_int_equal(handover_parse(deis_str_n(text, n), &out, &err), 0);
        assert_int_equal(out.type, type);
        if (type == HANDOVER_SOCKETS) {
            assert_int_equal(out.kind, SOCKET_SSH);
            assert_int_equal(out.count, 3);
        }
        if (type == HANDOVER_HELLO || type == HANDOVER_REFUSED) {
            assert_true(deis_str_eq(out.text, in.text));
        }
    }
    memset(longer, 'x', sizeof(longer));
    struct handover_msg in = { .type = HANDOVER_REFUSED, .text = { longer, sizeof(longer) } };
    assert_int_equal(handover_write(text, &in), 8 + HANDOVER_TEXT_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words__are_read),
        cmocka_unit_test(anything_else__is_refused),
        cmocka_unit_test(written__is_read_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
