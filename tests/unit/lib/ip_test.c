/* SPDX-License-Identifier: MIT */
#include "tests/support/test.h"

#include "lib/base/buf.h"
#include "lib/wire/ip.h"

static void ip__is_read_and_written_canonically(void **state)
{
    static const struct {
        const char *text;
        const char *canonical;
        bool v4;
    } rows[] = { { "192.0.2.1", "192.0.2.1", true },
                 { "0.0.0.0", "0.0.0.0", true },
                 { "::ffff:192.0.2.1", "192.0.2.1", true },
                 { "2001:DB8:0:0:0::1", "2001:db8::1", false },
                 { "::", "::", false },
                 { "::1", "::1", false },
                 { "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
                   "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false } };

    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        struct deis_ip ip;
        struct deis_ip again;
        char text[DEIS_IP_TEXT];
        assert_true(deis_ip_parse(deis_str(rows[i].text), &ip));
        assert_int_equal(deis_ip_format(&ip, text), strlen(rows[i].canonical));
        assert_string_equal(text, rows[i].canonical);
        assert_int_equal(deis_ip_is_v4(&ip), rows[i].v4);
        assert_true(deis_ip_parse(deis_str(text), &again) && deis_ip_eq(&ip, &again));
    }
}

static void ip__is_nothing_else(void **state)
{
    static const char *const bad[] = { "",          "1.2.3",    "1.2.3.4.5", "1.2.3.256",
                                       "01.2.3.4",  "1.2.3.4 ", "0x1.2.3.4", "[::1]",
                                       "::1%lo",    "1::2::3",  "::g",       "1.2.3.4/8",
                                       "localhost", "::1:",     "-1.2.3.4" };
    struct deis_ip ip;

    for (size_t i = 0; i < DEIS_COUNT(bad); i++) {
        assert_false(deis_ip_parse(deis_str(bad[i]), &ip));
    }
    assert_false(deis_ip_parse(deis_str_n("1.2.3.4\0", 8), &ip));
}

static void cidr__holds_what_its_prefix_says(void **state)
{
    static const struct {
        const char *range;
        const char *address;
        bool in;
    } rows[] = { { "10.0.0.0/8", "10.255.255.255", true },
                 { "10.0.0.0/8", "11.0.0.0", false },
                 { "10.1.2.3/8", "10.9.9.9", true },
                 { "192.0.2.128/25", "192.0.2.128", true },
                 { "192.0.2.128/25", "192.0.2.127", false },
                 { "192.0.2.1", "192.0.2.1", true },
                 { "192.0.2.1", "192.0.2.2", false },
                 { "192.0.2.1/32", "192.0.2.0", false },
                 { "0.0.0.0/0", "203.0.113.9", true },
                 { "0.0.0.0/0", "2001:db8::1", false },
                 { "::/0", "203.0.113.9", true },
                 { "::/0", "2001:db8::1", true },
                 { "2001:db8::/33", "2001:db8:7fff::", true },
                 { "2001:db8::/33", "2001:db8:8000::", false },
                 { "::ffff:10.0.0.0/104", "10.1.1.1", true },
                 { "::1", "::1", true },
                 { "10.0.0.0/8", "::a00:1", false } };

    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        struct deis_cidr range;
        struct deis_ip ip;
        assert_int_equal(deis_cidr_parse(deis_str(rows[i].range), &range, NULL), 0);
        assert_true(deis_ip_parse(deis_str(rows[i].address), &ip));
        assert_int_equal(deis_cidr_contains(&range, &ip), rows[i].in);
    }
}

static void cidrs__name_what_is_wrong(void **state)
{
    static const char *const bad[] = { "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1",  "10.0.0/8",
                                       "::/129",      "/8",        "10.0.0.0/8/8", "all" };
    struct deis_err err = DEIS_ERR_INIT;
    struct deis_cidrs *list;

    for (size_t i = 0; i < DEIS_COUNT(bad); i++) {
        deis_autofree char *text = deis_asprintf("127.0.0.1, %s", bad[i]);
        assert_int_equal(deis_cidrs_parse(deis_str(text), &list, &err), DEIS_INVALID);
        assert_non_null(strstr(err.msg, bad[i]));
        assert_null(list);
    }
    assert_int_equal(deis_cidrs_parse(DEIS_STR(" , "), &list, NULL), 0);
    assert_null(list);
    struct deis_ip ip = deis_ip_v4((const uint8_t[4]){ 10, 2, 3, 4 });
    assert_false(deis_cidrs_contain(list, &ip));
    assert_int_equal(deis_cidrs_parse(DEIS_STR("::1 127.0.0.0/8,10.0.0.0/8"), &list, NULL), 0);
    assert_int_equal(list->count, 3);
    assert_true(deis_cidrs_contain(list, &ip));
    free(list);
    deis_autobuf struct deis_buf many = DEIS_BUF_INIT(4096);
    for (int i = 0; i <= DEIS_CIDRS_MAX; i++) {
        deis_buf_add_cstr(&many, "::1,");
    }
    assert_int_equal(deis_cidrs_parse(deis_buf_str(&many), &list, NULL), DEIS_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ip__is_read_and_written_canonically),
        cmocka_unit_test(ip__is_nothing_else),
        cmocka_unit_test(cidr__holds_what_its_prefix_says),
        cmocka_unit_test(cidrs__name_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
