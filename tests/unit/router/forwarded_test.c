/* SPDX-License-Identifier: MIT */
#include "router/core/forwarded.h"
#include "tests/support/test.h"

static struct deis_h1_head head;

static void parse(const char *fields, char text[1024])
{
    static const struct deis_h1_limits limits = DEIS_H1_LIMITS_DEFAULT;
    size_t scanned = 0;
    size_t used;
    int status;

    (void)snprintf(text, 1024, "GET / HTTP/1.1\r\nHost: h\r\n%s\r\n", fields);
    assert_int_equal(
        deis_h1_parse_request(deis_str(text), &limits, &scanned, &head, &used, &status, NULL),
        DEIS_H1_DONE);
}

static void client__is_the_last_that_is_no_proxy(void **state)
{
    static const struct {
        const char *fields;
        const char *client;
    } rows[] = {
        { "", "10.0.0.1" },
        { "X-Forwarded-For: 192.0.2.7\r\n", "192.0.2.7" },
        { "x-forwarded-for: 6.6.6.6, 192.0.2.7\r\n", "192.0.2.7" },
        { "X-Forwarded-For: 6.6.6.6, 192.0.2.7, 10.9.9.9\r\n", "192.0.2.7" },
        { "X-Forwarded-For: 6.6.6.6,192.0.2.7\r\nX-Forwarded-For: 10.9.9.9\r\n", "192.0.2.7" },
        { "X-Forwarded-For: 10.3.3.3, 10.9.9.9\r\n", "10.3.3.3" },
        { "X-Forwarded-For: 192.0.2.7:4711\r\n", "192.0.2.7" },
        { "X-Forwarded-For: [2001:db8::7]:4711\r\n", "2001:db8::7" },
        { "X-Forwarded-For: 2001:db8::7\r\n", "2001:db8::7" },
        { "X-Forwarded-For: \r\n", "10.0.0.1" },
        { "X-Forwarded-For: , ,\r\n", "10.0.0.1" },
        { "X-Forwarded-For: unknown\r\n", "10.0.0.1" },
        { "X-Forwarded-For: 6.6.6.6, _hidden, 10.9.9.9\r\n", "10.9.9.9" },
        { "X-Forwarded-For: [::1\r\n", "10.0.0.1" },
        { "X_Forwarded_For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\n", "10.0.0.1" },
    };
    struct deis_cidrs *believed;

    assert_int_equal(deis_cidrs_parse(DEIS_STR("10.0.0.0/8"), &believed, NULL), 0);
    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        struct forwarded f = { .client = DEIS_STR("10.0.0.1") };
        char text[1024];
        char ip[DEIS_IP_TEXT];
        assert_true(deis_ip_parse(f.client, &f.ip));
        parse(rows[i].fields, text);
        forwarded_read(&head, believed, &f);
        assert_true(deis_str_eq_cstr(f.client, rows[i].client));
        (void)deis_ip_format(&f.ip, ip);
        assert_string_equal(ip, rows[i].client);
        assert_false(f.https);
    }
    free(believed);
}

static void scheme_and_port__come_from_the_proxy(void **state)
{
    static const struct {
        const char *fields;
        bool tls;
        bool https;
        const char *port;
    } rows[] = {
        { "", false, false, "" },
        { "X-Forwarded-Proto: https\r\n", false, true, "443" },
        { "X-Forwarded-Proto: HTTPS\r\n", false, true, "443" },
        { "X-Forwarded-Proto: http\r\n", true, true, "" },
        { "X-Forwarded-Proto: https, http\r\n", false, false, "" },
        { "X-Forwarded-Proto: http , https\r\n", false, true, "443" },
        { "X-Forwarded-Proto: wss\r\n", false, false, "" },
        { "X-Forwarded-Proto: https\r\nX-Forwarded-Proto: http\r\n", false, false, "" },
        { "X-Forwarded-Proto: http\r\nX-Forwarded-Proto: https\r\n", false, true, "443" },
        { "X-Forwarded-Port: 1\r\nX-Forwarded-Port: 2\r\n", false, false, "2" },
        { "X-Forwarded-Proto: https\r\nX-Forwarded-Port: 8443\r\n", false, true, "8443" },
        { "X-Forwarded-Port: 8080\r\n", false, false, "8080" },
        { "X-Forwarded-Port: 0\r\n", false, false, "" },
        { "X-Forwarded-Port: 65536\r\n", false, false, "" },
        { "X-Forwarded-Port: 80, 443\r\n", false, false, "" },
    };

    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        struct forwarded f = { .https = rows[i].tls };
        char text[1024];
        parse(rows[i].fields, text);
        forwarded_read(&head, NULL, &f);
        assert_int_equal(f.https, rows[i].https);
        assert_true(deis_str_eq_cstr(f.port, rows[i].port));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(client__is_the_last_that_is_no_proxy),
        cmocka_unit_test(scheme_and_port__come_from_the_proxy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
