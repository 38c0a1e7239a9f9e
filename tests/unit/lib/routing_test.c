/* SPDX-License-Identifier: MIT */
#include "tests/support/test.h"

#include "lib/model/routing.h"

static bool has(const char *network, const char *address)
{
    struct deis_cidr c;
    struct deis_err err;
    struct deis_ip ip;
    struct deis_routing r = { .allowed = &c, .allowed_count = 1 };

    assert_int_equal(deis_whitelist_entry(deis_str(network), &c, &err), 0);
    assert_true(deis_ip_parse(deis_str(address), &ip));
    return deis_routing_allows(&r, &ip);
}

static void networks(void **state)
{
    assert_true(has("10.0.0.0/8", "10.255.0.1"));
    assert_false(has("10.0.0.0/8", "11.0.0.1"));
    assert_true(has("10.1.2.3", "10.1.2.3"));
    assert_false(has("10.1.2.3", "10.1.2.2"));
    assert_true(has("10.1.2.3/31", "10.1.2.2"));
    assert_true(has("10.1.2.3:office", "10.1.2.3"));
    assert_true(has("10.1.0.0/16:office: second floor", "10.1.9.9"));
    assert_true(has("0.0.0.0/0", "203.0.113.9"));
    assert_false(has("0.0.0.0/0", "2001:db8::1"));
    assert_true(has("::/0", "2001:db8::1"));
    assert_false(has("::/0", "203.0.113.9"));
    assert_true(has("2001:db8::/33", "2001:db8:7fff::1"));
    assert_false(has("2001:db8::/33", "2001:db8:8000::1"));
    assert_true(has("[2001:db8::/32]:home", "2001:db8:1::1"));
    assert_true(has("[::1]", "::1"));
    assert_true(has("::ffff:10.0.0.0/104", "10.9.9.9"));
}

static void no_networks(void **state)
{
    static const char *const bad[] = {
        "",        "x",    "10.0.0", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1",  "10.0.0.0/8x",
        "::1/129", "[::1", "[::1]x", "300.1.1.1",   "1.2.3.4 ",  "10.0.0.1/8/8", "::1:office"
    };
    struct deis_cidr c;
    struct deis_err err;

    for (size_t i = 0; i < DEIS_COUNT(bad); i++) {
        assert_int_equal(deis_whitelist_entry(deis_str(bad[i]), &c, &err), DEIS_INVALID);
    }
    assert_int_equal(deis_whitelist_entry(deis_str_n("1.2.3.4\0", 8), &c, &err), DEIS_INVALID);
    assert_null(deis_whitelist_read(DEIS_STR("10.0.0.1, nonsense"), &err));
    assert_non_null(strstr(err.msg, "'nonsense'"));
}

static void value_is(const char *name, const char *json, const char *kept)
{
    struct deis_err err;
    deis_autofree char *wrapped = deis_asprintf("[%s]", json);
    deis_autojson json_t *given = deis_json_parse(deis_str(wrapped), &err);
    deis_autojson json_t *value = deis_routing_value(name, json_array_get(given, 0), &err);

    if (!kept) {
        assert_null(value);
        assert_int_equal(err.code, DEIS_INVALID);
        return;
    }
    assert_non_null(value);
    deis_autofree char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    assert_string_equal(text, kept);
}

static void values(void **state)
{
    value_is("maintenance", "\"on\"", "true");
    value_is("maintenance", "false", "false");
    value_is("maintenance", "\"yes\"", NULL);
    value_is("maintenance", "1", NULL);
    value_is("gzip", "\"off\"", "false");
    value_is("gzip", "9", NULL);
    value_is("firewall", "\"on\"", "true");
    value_is("firewall", "\"strict\"", NULL);
    value_is("timeout", "\"500ms\"", NULL);
    value_is("timeout", "\"90\"", "\"90\"");
    value_is("timeout", "30", "30");
    value_is("timeout", "86401", NULL);
    value_is("timeout", "-1", NULL);
    value_is("timeout", "1.5", NULL);
    value_is("connectTimeout", "\"500ms\"", "\"500ms\"");
    value_is("bodySize", "\"20m\"", "\"20m\"");
    value_is("bodySize", "0", NULL);
    value_is("bodySize", "7", "7");
    value_is("bodySize", "\"2T\"", NULL);
    value_is("maxRequests", "\"12\"", "12");
    value_is("maxRequests", "0", NULL);
    value_is("maxConnections", "\"1000\"", "1000");
    value_is("maxConnections", "1000001", NULL);
    value_is("addressRequests", "\"20\"", "20");
    value_is("addressRequests", "0", NULL);
    value_is("addressRequests", "1000001", NULL);
    value_is("weight.web.2", "\"0\"", "0");
    value_is("weight.web.2", "101", NULL);
    value_is("affinityArg", "\"sid\"", "\"sid\"");
    value_is("affinityArg", "\"a&b\"", NULL);
    value_is("affinityArg", "\"\"", NULL);
    value_is("whitelist", "\"10.0.0.1:a, ::1\"", "[\"10.0.0.1:a\",\"::1\"]");
    value_is("whitelist", "[\"10.0.0.1\",\"::1\"]", "[\"10.0.0.1\",\"::1\"]");
    value_is("whitelist", "[]", NULL);
    value_is("whitelist", "[1]", NULL);
    value_is("whitelist", "{}", NULL);
    value_is("page.503", "\"<p>soon</p>\"", "\"<p>soon</p>\"");
    value_is("page.503", "\"\"", NULL);
    value_is("page.503", "7", NULL);
}

static void unknown_names(void **state)
{
    static const char *const bad[] = { "",           "Maintenance",   "weight.",
                                       "weight.web", "weight.web.0",  "weight.web.x",
                                       "weight..1",  "weight.web.02", "page.200",
                                       "page." };
    struct deis_err err;
    deis_autojson json_t *one = json_integer(1);

    for (size_t i = 0; i < DEIS_COUNT(bad); i++) {
        assert_null(deis_routing_value(bad[i], one, &err));
        assert_int_equal(err.code, DEIS_NOT_FOUND);
    }
}

static void too_many(void **state)
{
    struct deis_buf text = DEIS_BUF_INIT(DEIS_ROUTING_MAX);
    struct deis_err err;

    for (int i = 0; i <= DEIS_ROUTING_ENTRIES_MAX; i++) {
        deis_buf_addf(&text, "10.0.%d.%d,", i / 256, i % 256);
    }
    assert_null(deis_whitelist_read(deis_buf_str(&text), &err));
    assert_int_equal(err.code, DEIS_INVALID);
    deis_buf_clear(&text);
    deis_autojson json_t *page = json_sprintf("%*s", DEIS_ROUTING_PAGE_MAX + 1, "x");
    assert_null(deis_routing_value("page.503", page, &err));
}

static void document(void **state)
{
    static const char text[] =
        "{\"settings\":{\"whitelist\":[\"10.0.0.0/8\"],\"bodySize\":\"1k\",\"timeout\":\"2m\","
        "\"connectTimeout\":3,\"slowStart\":\"30s\",\"rateLimit\":600,\"enforceHTTPS\":false,\"firewall\":true,"
        "\"hsts\":true,\"weight.web.2\":5,\"page.maintenance\":\"soon\",\"fromTheFuture\":[]},"
        "\"configWhitelist\":[\"::1:x\"]}";
    static const char good[] =
        "{\"settings\":{\"whitelist\":[\"10.0.0.0/8\"],\"bodySize\":\"1k\",\"timeout\":\"2m\","
        "\"connectTimeout\":3,\"slowStart\":\"30s\",\"rateLimit\":600,\"enforceHTTPS\":false,\"firewall\":true,"
        "\"hsts\":true,\"weight.web.2\":5,\"page.maintenance\":\"soon\",\"fromTheFuture\":[]},"
        "\"configWhitelist\":[\"[::1]:x\"]}";
    struct deis_routing r;
    struct deis_err err;

    assert_int_equal(deis_routing_parse(deis_str(text), &r, &err), DEIS_INVALID);
    assert_non_null(strstr(err.msg, "configWhitelist"));
    assert_int_equal(deis_routing_parse(deis_str(good), &r, &err), 0);
    assert_true(r.restricted);
    assert_int_equal(r.allowed_count, 2);
    assert_true(r.has_body_max);
    assert_int_equal(r.body_max, 1024);
    assert_int_equal(r.timeout_ms, 120000);
    assert_int_equal(r.connect_timeout_ms, 3000);
    assert_int_equal(r.slow_start_ms, 30000);
    assert_int_equal(r.rate_minute, 600);
    assert_int_equal(r.rate_burst, 100);
    assert_int_equal(r.enforce_https, DEIS_NO);
    assert_int_equal(r.hsts, DEIS_YES);
    assert_int_equal(r.firewall, DEIS_YES);
    assert_int_equal(r.gzip, DEIS_UNSET);
    assert_int_equal(r.weight_count, 1);
    assert_string_equal(r.weights[0].process, "web.2");
    assert_string_equal(r.pages[DEIS_PAGE_MAINTENANCE], "soon");
    assert_null(r.pages[DEIS_PAGE_503]);
    assert_false(r.maintenance);
    deis_autofree char *back = deis_routing_format(&r);
    assert_string_equal(back, good);
    deis_routing_clear(&r);
}

static void bad_documents(void **state)
{
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        "{\"settings\":[]}",
        "{\"settings\":{\"maintenance\":\"maybe\"}}",
        "{\"settings\":{\"whitelist\":[\"10.0.0.0/99\"]}}",
        "{\"settings\":{},\"configWhitelist\":[]}",
        "{\"settings\":{},\"configWhitelist\":5}",
    };
    struct deis_routing r;
    struct deis_err err;

    for (size_t i = 0; i < DEIS_COUNT(bad); i++) {
        assert_int_equal(deis_routing_parse(deis_str(bad[i]), &r, &err), DEIS_INVALID);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks),      cmocka_unit_test(no_networks), cmocka_unit_test(values),
        cmocka_unit_test(unknown_names), cmocka_unit_test(too_many),    cmocka_unit_test(document),
        cmocka_unit_test(bad_documents),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
