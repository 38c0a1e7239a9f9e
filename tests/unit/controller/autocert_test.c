/* SPDX-License-Identifier: MIT */
#include "controller/core/autocert.h"
#include "tests/support/test.h"

static void kind__says_whose_a_name_is(void **state)
{
    static const struct {
        const char *domain;
        enum autocert_kind kind;
        const char *label;
    } cases[] = {
        { "www.blog.test", AUTOCERT_CUSTOM, "" },     { "example.com", AUTOCERT_CUSTOM, "" },
        { "blog.example.com", AUTOCERT_APP, "blog" }, { "deis.example.com", AUTOCERT_API, "" },
        { "a.b.example.com", AUTOCERT_CUSTOM, "" },   { "blogexample.com", AUTOCERT_CUSTOM, "" },
        { ".example.com", AUTOCERT_CUSTOM, "" },      { "", AUTOCERT_CUSTOM, "" },
    };
    struct deis_str label;

    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        assert_int_equal(autocert_kind(cases[i].domain, "example.com", "deis", &label),
                         cases[i].kind);
        assert_true(deis_str_eq_cstr(label, cases[i].label));
    }
    assert_int_equal(autocert_kind("blog.", "", "deis", &label), AUTOCERT_CUSTOM);
}

static void a_certificate__is_renewed_with_a_third_of_its_life_left(void **state)
{
    deis_autojson json_t *doc = autocert_new("a.test", "blog", "mira", "now");

    assert_true(autocert_is_due(doc, 0));
    autocert_issued(doc, "then", 1000000, 1900000, 1000000);
    assert_false(autocert_is_due(doc, 1599999));
    assert_true(autocert_is_due(doc, 1600000));
    assert_false(autocert_again(doc, 1100000));
    /* No life left at all: not at once again. */
    autocert_issued(doc, "then", 1000000, 1000000, 2000000);
    assert_false(autocert_is_due(doc, 2000000));
    deis_autojson json_t *shown = autocert_show(doc);
    assert_string_equal(json_string_value(json_object_get(shown, "state")), "issued");
    assert_string_equal(json_string_value(json_object_get(shown, "expires")), "then");
    assert_null(json_object_get(shown, "next_ms"));
}

static void failures__wait_longer_each_time(void **state)
{
    deis_autojson json_t *doc = autocert_new("a.test", "blog", "mira", "now");
    const uint64_t now = 1000000000, base = 300000;

    for (unsigned i = 0; i < 30; i++) {
        uint64_t delay = base << (i < 20 ? i : 20);
        delay = delay < AUTOCERT_DELAY_MAX ? delay : AUTOCERT_DELAY_MAX;
        autocert_failed(doc, "no", base, 0, now);
        assert_false(autocert_is_due(doc, now + delay - 1));
        assert_true(autocert_is_due(doc, now + delay));
        autocert_failed(doc, "no", base, UINT32_MAX, now);
        i++;
    }
    /* Who asks again waits a minute after the last try. */
    assert_true(autocert_again(doc, now + 1));
    assert_false(autocert_again(doc, now + 2));
    assert_false(autocert_is_due(doc, now + AUTOCERT_AGAIN_MS - 1));
    assert_true(autocert_is_due(doc, now + AUTOCERT_AGAIN_MS));
}

static void reason__is_what_the_authority_said(void **state)
{
    char text[AUTOCERT_DETAIL_MAX + 1];

    autocert_reason(DEIS_STR("uacme: challenge failed\nuacme: the server said:\n{\n"
                             "    \"type\": \"x\",\n    \"detail\": \"Get \\\"http://a\\\": no\","
                             "\n    \"status\": 400\n}\nuacme: failed to authorize\n"),
                    text);
    assert_string_equal(text, "Get \"http://a\": no");
    autocert_reason(DEIS_STR("one\nuacme: two\x1b[1m\nuacme: three\n\n"), text);
    assert_string_equal(text, "two [1m; three");
    autocert_reason(DEIS_STR("uacme: curl_get: GET https://a/dir failed: no such host\n"
                             "uacme: curl_get: waiting 5 seconds before retrying\n"
                             "uacme: curl_get: GET https://a/dir failed: certificate not OK\n"
                             "uacme: acme_get: curl_get failed\n"
                             "uacme: failed to fetch directory at https://a/dir\n"),
                    text);
    assert_string_equal(text, "GET https://a/dir failed: certificate not OK");
    autocert_reason(DEIS_STR(""), text);
    assert_string_equal(text, "");
    char many[5000];
    memset(many, 'a', sizeof(many));
    autocert_reason(deis_str_n(many, sizeof(many)), text);
    assert_int_equal(strlen(text), AUTOCERT_DETAIL_MAX);
}

static void hook__takes_five_texts_and_no_odd_token(void **state)
{
#define HOOK(text) text, sizeof(text)
    struct autocert_hook h;

    assert_true(autocert_hook_parse(HOOK("begin\0http-01\0a.test\0to-K_n\0to-K_n.thumb"), &h));
    assert_string_equal(h.method, "begin");
    assert_string_equal(h.token, "to-K_n");
    assert_string_equal(h.answer, "to-K_n.thumb");
    assert_false(autocert_hook_parse(HOOK("begin\0http-01\0a.test\0../x\0a"), &h));
    assert_false(autocert_hook_parse(HOOK("begin\0http-01\0a.test\0a\0a b"), &h));
    assert_false(autocert_hook_parse(HOOK("begin\0http-01\0a.test\0\0a"), &h));
    assert_false(autocert_hook_parse(HOOK("begin\0http-01\0a.test\0a"), &h));
    assert_false(autocert_hook_parse(HOOK("begin\0http-01\0a.test\0a\0b\0c"), &h));
    assert_false(autocert_hook_parse("begin\0http-01\0a.test\0a\0b", 24, &h));
    assert_false(autocert_hook_parse("", 0, &h));
#undef HOOK
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kind__says_whose_a_name_is),
        cmocka_unit_test(a_certificate__is_renewed_with_a_third_of_its_life_left),
        cmocka_unit_test(failures__wait_longer_each_time),
        cmocka_unit_test(reason__is_what_the_authority_said),
        cmocka_unit_test(hook__takes_five_texts_and_no_odd_token),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
