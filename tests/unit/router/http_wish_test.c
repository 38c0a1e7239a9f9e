/* SPDX-License-Identifier: MIT */
#include "router/core/http_wish.h"
#include "tests/support/h1_head.h"

static uint64_t tag(const char *cookies)
{
    deis_autofree char *text = deis_asprintf("GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", cookies);
    struct deis_h1_head head = h1_request_head(text);

    return http_cookie_tag(&head);
}

static void cookie__is_found_among_others(void **state)
{
    assert_int_equal(tag(""), 0);
    assert_int_equal(tag("Cookie: deis_unit=0123456789abcdef\r\n"), 0x0123456789abcdef);
    assert_int_equal(tag("Cookie: a=b; deis_unit=00000000000000ff; c\r\n"), 255);
    assert_int_equal(tag("cookie: a=b\r\nCookie:deis_unit=00000000000000ff\r\n"), 255);
    assert_int_equal(tag("Cookie: deis_unit=bad; deis_unit=00000000000000ff\r\n"), 255);
    assert_int_equal(tag("Cookie: deis_unit=0000000000000ff\r\n"), 0);
    assert_int_equal(tag("Cookie: deis_unit=00000000000000fF\r\n"), 0);
    assert_int_equal(tag("Cookie: deis_unit=00000000000000fff\r\n"), 0);
    assert_int_equal(tag("Cookie: xdeis_unit=00000000000000ff\r\n"), 0);
    assert_int_equal(tag("Cookie: \"deis_unit=00000000000000ff\"\r\n"), 0);
}

static void value_is(const char *target, const char *want)
{
    struct deis_str got = http_query_value(deis_str(target), "sid");

    if (!want) {
        assert_null(got.ptr);
    } else {
        assert_true(deis_str_eq_cstr(got, want));
    }
}

static void query__variable_is_found(void **state)
{
    value_is("/", NULL);
    value_is("/?", NULL);
    value_is("/sid=1", NULL);
    value_is("/?sid=1", "1");
    value_is("/a?x=2&sid=one%20two&sid=3", "one%20two");
    value_is("/a?xsid=2", NULL);
    value_is("/a?sid", NULL);
    value_is("/a?sid=", NULL);
    value_is("/a?sid=&b", NULL);
    value_is("/a?b=?sid=4&sid==", "=");
    value_is("*", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cookie__is_found_among_others),
        cmocka_unit_test(query__variable_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
