/* SPDX-License-Identifier: MIT */
/* Section numbers are those of HAProxy's doc/proxy-protocol.txt. */
#include "tests/support/test.h"

#include "lib/wire/proxy_head.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4        "\x7f\0\0\x01\xc0\0\x02\x09\x01\xbb\0\x50"

struct outcome {
    enum deis_proxy_result result;
    struct deis_proxy_head head;
    size_t used;
};

/* The whole, and byte by byte: always the same, and "more" until the last byte of the header. */
static struct outcome parse(struct deis_str input)
{
    struct outcome o;
    struct deis_proxy_head head;
    enum deis_proxy_result r = DEIS_PROXY_MORE;
    size_t used = 0;
    size_t have = 0;

    o.result = deis_proxy_head_parse(input, &o.head, &o.used, NULL);
    while (r == DEIS_PROXY_MORE && have < input.len) {
        r = deis_proxy_head_parse(deis_str_first(input, ++have), &head, &used, NULL);
    }
    assert_int_equal(r, o.result);
    assert_int_equal(used, o.used);
    assert_memory_equal(&head, &o.head, sizeof(head));
    if (r == DEIS_PROXY_DONE) {
        assert_int_equal(have, used);
    }
    return o;
}

#define PARSE(literal) parse(deis_str_n("" literal, sizeof(literal) - 1))

static void check_source(const struct outcome *o, const char *address, unsigned port)
{
    char text[DEIS_IP_TEXT];

    assert_int_equal(o->result, DEIS_PROXY_DONE);
    assert_true(o->head.known);
    (void)deis_ip_format(&o->head.source, text);
    assert_string_equal(text, address);
    assert_int_equal(o->head.source_port, port);
}

static void v1__gives_addresses_and_ports(void **state)
{
    struct outcome o = PARSE("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\nGET / HTTP/1.1\r\n");
    check_source(&o, "192.0.2.1", 56324);
    assert_int_equal(o.used, 46 - 1);
    assert_int_equal(o.head.destination_port, 443);
    o = PARSE("PROXY TCP6 2001:db8::1 2001:DB8::2 0 65535\r\n");
    check_source(&o, "2001:db8::1", 0);
    o = PARSE("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n");
    check_source(&o, "192.0.2.1", 1);
    o = PARSE("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
              "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n");
    assert_int_equal(o.used, 104);
}

static void v1__unknown_leaves_the_peer(void **state)
{
    struct outcome o = PARSE("PROXY UNKNOWN\r\nrest");
    assert_int_equal(o.result, DEIS_PROXY_DONE);
    assert_int_equal(o.used, 15);
    assert_false(o.head.known);
    o = PARSE("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
              "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n");
    assert_int_equal(o.used, 107);
    assert_false(o.head.known);
}

static void v1__refuses_what_does_not_match_exactly(void **state)
{
    static const char *const bad[] = {
        "GET / HTTP/1.1\r\n\r\n",
        "PROXY\r\n",
        "PROXY \r\n",
        "PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
        "proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY tcp4 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY UNKNOWNX\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n",
        "PROXY TCP4 192.0.2.1  192.0.2.2 1 2\r\n",
        "PROXY TCP4 192.0.2.1\t192.0.2.2 1 2\r\n",
        "PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n",
        "PROXY TCP4 192.0.2 192.0.2.2 1 2\r\n",
        "PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n",
        "PROXY TCP4 ::1 ::1 1 2\r\n",
        "PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY TCP6 ::1 192.0.2.2 1 2\r\n",
        "PROXY TCP6 [::1] ::1 1 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 -2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 00 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 \r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\rX",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n\r\n",
        "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535 \r\n",
        "SSH-2.0-x\r\n",
        "P\r\n",
    };

    for (size_t i = 0; i < DEIS_COUNT(bad); i++) {
        struct deis_err err = DEIS_ERR_INIT;
        struct deis_proxy_head head;
        size_t used;
        assert_int_equal(parse(deis_str(bad[i])).result, DEIS_PROXY_BAD);
        (void)deis_proxy_head_parse(deis_str(bad[i]), &head, &used, &err);
        assert_int_equal(err.code, DEIS_PROTOCOL);
    }
    assert_int_equal(PARSE("PROXY TCP4 192.0.2.1\0192.0.2.2 1 2\r\n").result, DEIS_PROXY_BAD);
    assert_int_equal(PARSE("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r").result, DEIS_PROXY_MORE);
    assert_int_equal(PARSE("").result, DEIS_PROXY_MORE);
}

static void v2__gives_addresses_and_ports(void **state)
{
    struct outcome o = PARSE(SIGNATURE "\x21\x11\0\x0c" V4 "GET /");
    check_source(&o, "127.0.0.1", 443);
    assert_int_equal(o.used, 28);
    assert_int_equal(o.head.destination_port, 80);
    o = PARSE(SIGNATURE "\x21\x21\0\x24"
                        "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
                        "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02\x12\x34\0\x16");
    check_source(&o, "2001:db8::1", 0x1234);
    assert_int_equal(o.used, 52);
}

static void v2__local_and_unknown_leave_the_peer(void **state)
{
    static const struct {
        struct deis_str head;
    } rows[] = {

#define ROW(literal)                                                                               \
    {                                                                                              \
        {                                                                                          \
            "" literal, sizeof(literal) - 1                                                        \
        }                                                                                          \
    }
        ROW(SIGNATURE "\x20\0\0\0"),        ROW(SIGNATURE "\x20\x11\0\x0c" V4),
        ROW(SIGNATURE "\x20\xff\0\x03zzz"), /* the family of LOCAL is ignored */
        ROW(SIGNATURE "\x21\0\0\0"),        ROW(SIGNATURE "\x21\0\0\x02zz"),
        ROW(SIGNATURE "\x21\x10\0\x0c" V4), ROW(SIGNATURE "\x21\x12\0\x0c" V4), /* UDP */
    };

    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        struct outcome o = parse(rows[i].head);
        assert_int_equal(o.result, DEIS_PROXY_DONE);
        assert_int_equal(o.used, rows[i].head.len);
        assert_false(o.head.known);
    }
    char unix_head[16 + 216] = SIGNATURE "\x21\x31\0\xd8";
    struct outcome o = parse(deis_str_n(unix_head, sizeof(unix_head)));
    assert_int_equal(o.result, DEIS_PROXY_DONE);
    assert_false(o.head.known);
}

static void v2__refuses(void **state)
{
    static const struct {
        struct deis_str head;
    } rows[] = {
        ROW("\r\n\r\n\0\r\nQUIT\r"),                             /* another signature */
        ROW(SIGNATURE "\x11\x11\0\x0c" V4),                      /* version 1 */
        ROW(SIGNATURE "\x31\x11\0\x0c" V4),                      /* version 3 */
        ROW(SIGNATURE "\x22\x11\0\x0c" V4),                      /* command */
        ROW(SIGNATURE "\x21\x41\0\x0c" V4),                      /* family */
        ROW(SIGNATURE "\x21\x13\0\x0c" V4),                      /* protocol */
        ROW(SIGNATURE "\x21\x11\0\x0b" V4),                      /* addresses cut */
        ROW(SIGNATURE "\x21\x21\0\x0c" V4),                      /* too few for IPv6 */
        ROW(SIGNATURE "\x21\x31\0\x0c" V4),                      /* for a Unix socket */
        ROW(SIGNATURE "\x21\x11\x10\0" V4),                      /* longer than we take */
        ROW(SIGNATURE "\x21\x11\xff\xff" V4),                    /* by far */
        ROW(SIGNATURE "\x21\x11\0\x0d" V4 "\x04"),               /* half a TLV */
        ROW(SIGNATURE "\x21\x11\0\x0f" V4 "\x04\0\x01"),         /* a value that is not there */
        ROW(SIGNATURE "\x21\x11\0\x11" V4 "\x03\0\x02zz"),       /* a checksum of two bytes */
        ROW(SIGNATURE "\x21\x11\0\x13" V4 "\x03\0\x04\0\0\0\0"), /* a wrong one */
    };

    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        assert_int_equal(parse(rows[i].head).result, DEIS_PROXY_BAD);
    }
    assert_int_equal(PARSE(SIGNATURE "\x21\x11\0\x0c\x7f").result, DEIS_PROXY_MORE);
}

static void v2__extensions_are_skipped_but_the_checksum(void **state)
{
    struct outcome o = PARSE(SIGNATURE "\x21\x11\0\x1c" V4 "\x04\0\0"
                                       "\xe0\0\x03"
                                       "abc"
                                       "\x03\0\x04"
                                       "\xf6\x4b\x81\xac");
    check_source(&o, "127.0.0.1", 443);
    assert_int_equal(o.used, 44);
}

static void format__is_read_back(void **state)
{
    static const struct {
        const char *source;
        const char *destination;
        const char *line;
    } rows[] = { { "192.0.2.1", "198.51.100.2", "PROXY TCP4 192.0.2.1 198.51.100.2 1 65535\r\n" },
                 { "2001:db8::1", "::1", "PROXY TCP6 2001:db8::1 ::1 1 65535\r\n" },
                 { "192.0.2.1", "::1", "PROXY TCP6 ::ffff:c000:0201 ::1 1 65535\r\n" } };

    char out[DEIS_PROXY_V1_MAX + 1];

    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        struct deis_proxy_head head = { .known = true,
                                        .source_port = 1,
                                        .destination_port = 65535 };
        assert_true(deis_ip_parse(deis_str(rows[i].source), &head.source));
        assert_true(deis_ip_parse(deis_str(rows[i].destination), &head.destination));
        size_t len = deis_proxy_head_format(out, &head);
        assert_int_equal(len, strlen(out));
        assert_string_equal(out, rows[i].line);
        struct outcome o = parse(deis_str(out));
        check_source(&o, rows[i].source, 1);
        assert_true(deis_ip_eq(&o.head.destination, &head.destination));
    }
    struct deis_proxy_head none = { 0 };
    (void)deis_proxy_head_format(out, &none);
    assert_string_equal(out, "PROXY UNKNOWN\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v1__gives_addresses_and_ports),
        cmocka_unit_test(v1__unknown_leaves_the_peer),
        cmocka_unit_test(v1__refuses_what_does_not_match_exactly),
        cmocka_unit_test(v2__gives_addresses_and_ports),
        cmocka_unit_test(v2__local_and_unknown_leave_the_peer),
        cmocka_unit_test(v2__refuses),
        cmocka_unit_test(v2__extensions_are_skipped_but_the_checksum),
        cmocka_unit_test(format__is_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
