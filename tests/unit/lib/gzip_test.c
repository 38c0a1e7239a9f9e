/* SPDX-License-Identifier: MIT */
#include "tests/support/test.h"

#include "lib/model/gzip.h"

static struct deis_gzip defaults(void)
{
    struct deis_gzip r;

    deis_gzip_default(&r);
    return r;
}

static void defaults__are_off_and_those_of_v1(void **state)
{
    static const char *const in[] = { "text/html",        "TEXT/Plain; charset=utf-8",
                                      "application/json", " text/css ;a=\"b;c\"",
                                      "image/svg+xml",    "text/javascript" };
    static const char *const out[] = { "",
                                       ";",
                                       "image/png",
                                       "text",
                                       "text/htm",
                                       "text/html2",
                                       "html",
                                       "text/html text/css",
                                       "text/css,text/html",
                                       "*",
                                       "application/json/x",
                                       "text/event-stream" };
    struct deis_gzip r = defaults();

    assert_false(r.on);
    assert_true(r.vary);
    assert_int_equal(r.level, 5);
    assert_int_equal(r.min_length, 256);
    assert_int_equal(r.minor, 1);
    assert_false(r.not_to_proxies);
    for (size_t i = 0; i < DEIS_COUNT(in); i++) {
        assert_true(deis_gzip_has_type(&r, deis_str(in[i])));
    }
    for (size_t i = 0; i < DEIS_COUNT(out); i++) {
        assert_false(deis_gzip_has_type(&r, deis_str(out[i])));
    }
}

/* The whole table of values; bad ones leave the rules as they were and say what they must be. */
static void values(void **state)
{
    static const struct {
        const char *name;
        const char *value;
        const char *fault; /* NULL: good */
    } rows[] = {
        { "gzip", "on", NULL },
        { "gzip", "false", NULL },
        { "gzip", "maybe", "on or off, not 'maybe'" },
        { "gzip", "", "on or off" },
        { "gzipVary", "off", NULL },
        { "gzipVary", "Accept", "on or off" },
        { "gzipMinLength", "0", NULL },
        { "gzipMinLength", "1k", NULL },
        { "gzipMinLength", "-1", "a size up to 1T" },
        { "gzipMinLength", "2T", "a size up to 1T" },
        { "gzipCompLevel", "1", NULL },
        { "gzipCompLevel", "9", NULL },
        { "gzipCompLevel", "0", "from 1 to 9, not '0'" },
        { "gzipCompLevel", "10", "from 1 to 9" },
        { "gzipCompLevel", "-1", "from 1 to 9" },
        { "gzipCompLevel", "", "from 1 to 9" },
        { "gzipHttpVersion", "1.0", NULL },
        { "gzipHttpVersion", "1.1", NULL },
        { "gzipHttpVersion", "1", "1.1 or 1.0, not '1'" },
        { "gzipHttpVersion", "2", "1.1 or 1.0" },
        { "gzipProxied", "any", NULL },
        { "gzipProxied", "off", NULL },
        { "gzipProxied", "expired no-cache", "any or off, not 'expired no-cache'" },
        { "gzipTypes", "text/css", NULL },
        { "gzipTypes", "Text/CSS, application/json  text/plain", NULL },
        { "gzipTypes", "*", NULL },
        { "gzipTypes", "", NULL },
        { "gzipTypes", "css", "not 'css'" },
        { "gzipTypes", "text/css /x", "not '/x'" },
        { "gzipTypes", "text/", "not 'text/'" },
        { "gzipTypes", "text/*/x", "not 'text/*/x'" },
        { "gzipTypes", "text/a\tb", "must be media types" },
        { "gzipTypes", "text/css;q=1", "must be media types" },
        { "gzipDisable", "", NULL },
        { "gzipDisable", "msie6", NULL },
        { "gzipDisable", "Old Browser/1., other", NULL },
        { "gzipDisable", "MSIE [4-6]\\.", "no regular expression" },
    };

    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        struct deis_gzip r = defaults();
        struct deis_gzip before = r;
        struct deis_err err = DEIS_ERR_INIT;
        int code = deis_gzip_set(&r, deis_str(rows[i].name), rows[i].value, &err);
        if (!rows[i].fault) {
            assert_int_equal(code, 0);
            continue;
        }
        assert_int_equal(code, DEIS_INVALID);
        if (!strstr(err.msg, rows[i].fault)) {
            fail_msg("%s: %s", rows[i].value, err.msg);
        }
        assert_true(deis_gzip_equal(&r, &before));
    }
    struct deis_gzip r = defaults();
    assert_int_equal(deis_gzip_set(&r, DEIS_STR("gzipColour"), "red", NULL), DEIS_NOT_FOUND);
}

static void values__come_and_go(void **state)
{
    struct deis_gzip first = defaults();
    struct deis_gzip r = first;

    assert_int_equal(deis_gzip_set(&r, DEIS_STR("gzipTypes"), "Image/PNG, text/x", NULL), 0);
    assert_true(deis_gzip_has_type(&r, DEIS_STR("image/png")));
    assert_true(deis_gzip_has_type(&r, DEIS_STR("text/X;a")));
    assert_true(deis_gzip_has_type(&r, DEIS_STR("text/html"))); /* always */
    assert_false(deis_gzip_has_type(&r, DEIS_STR("text/plain")));
    assert_false(deis_gzip_equal(&r, &first));
    assert_int_equal(deis_gzip_set(&r, DEIS_STR("gzipTypes"), "*", NULL), 0);
    assert_true(deis_gzip_has_type(&r, DEIS_STR("what/ever")));
    assert_false(deis_gzip_has_type(&r, DEIS_STR("")));
    assert_int_equal(deis_gzip_set(&r, DEIS_STR("gzipTypes"), NULL, NULL), 0);
    assert_true(deis_gzip_equal(&r, &first));
}

static void values__are_bounded(void **state)
{
    char text[2 * DEIS_GZIP_TYPES_MAX];
    struct deis_gzip r = defaults();

    for (size_t len = 4; len < sizeof(text); len += 4) {
        for (size_t i = 0; i < len; i += 4) {
            memcpy(text + i, "a/b,", 4);
        }
        text[len - 1] = '\0';
        int code = deis_gzip_set(&r, DEIS_STR("gzipTypes"), text, NULL);
        assert_int_equal(code, len - 1 > DEIS_GZIP_TYPES_MAX - 16 ? DEIS_INVALID : 0);
        assert_true(strlen(r.types) < sizeof(r.types));
    }
    memset(text, 'a', sizeof(text) - 1);
    text[DEIS_GZIP_CLIENTS_MAX] = '\0';
    assert_int_equal(deis_gzip_set(&r, DEIS_STR("gzipDisable"), text, NULL), DEIS_INVALID);
    text[DEIS_GZIP_CLIENTS_MAX - 1] = '\0';
    assert_int_equal(deis_gzip_set(&r, DEIS_STR("gzipDisable"), text, NULL), 0);
}

static void clients(void **state)
{
    static const struct {
        const char *listed;
        const char *agent;
        bool found;
    } rows[] = {
        { "", "Mozilla/4.0 (compatible; MSIE 6.0)", false },
        { "msie6", "Mozilla/4.0 (compatible; MSIE 6.0)", true },
        { "msie6", "Mozilla/4.0 (compatible; MSIE 7.0)", false },
        { "x/1, Old Browser,", "my old browser/1.2", true },
        { "Old Browser", "ol", false },
        { "Old Browser", "", false },
        { " , ,", "any", false },
    };

    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        struct deis_gzip g = defaults();
        assert_int_equal(deis_gzip_set(&g, DEIS_STR("gzipDisable"), rows[i].listed, NULL), 0);
        assert_int_equal(deis_gzip_has_client(&g, deis_str(rows[i].agent)), rows[i].found);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults__are_off_and_those_of_v1),
        cmocka_unit_test(values),
        cmocka_unit_test(values__come_and_go),
        cmocka_unit_test(values__are_bounded),
        cmocka_unit_test(clients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
