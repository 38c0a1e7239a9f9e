/* SPDX-License-Identifier: MIT */
#include "router/core/body_kind.h"
#include "tests/support/h1_head.h"

static enum body_kind kind_of(const char *method, const char *fields)
{
    deis_autofree char *text = deis_asprintf("%s / HTTP/1.1\r\nHost: a\r\n%s\r\n", method, fields);
    struct deis_h1_head head = h1_request_head(text);

    return body_kind(&head);
}

static enum body_kind kind(const char *fields)
{
    return kind_of("POST", fields);
}

static void body__of_variables_is_looked_into(void **state)
{
    static const struct {
        const char *type;
        enum body_kind want;
    } cases[] = {
        { "application/x-www-form-urlencoded", BODY_TEXT },
        { "APPLICATION/X-WWW-Form-Urlencoded ; charset=utf-8", BODY_TEXT },
        { "application/x-www-form-urlencoded\tcharset=utf-8", BODY_TEXT },
        { "application/json", BODY_TEXT },
        { "text/json;x=y", BODY_TEXT },
        { "application/problem+JSON", BODY_TEXT },
        { "text/xml", BODY_TEXT },
        { "application/xml", BODY_TEXT },
        { "application/soap+xml; charset=utf-8", BODY_TEXT },
        { "multipart/form-data; boundary=a", BODY_PARTS },
        { "Multipart/Form-Data", BODY_PARTS },
        { "multipart/form-data boundary=a", BODY_PARTS },
        { "multipart/mixed; boundary=a", BODY_OPAQUE },
        { "application/octet-stream", BODY_OPAQUE },
        { "application/grpc+proto", BODY_OPAQUE },
        { "application/x-www-form-urlencoded2", BODY_OPAQUE },
        { "application/json5", BODY_OPAQUE },
        { "text/plain; a=application/json", BODY_OPAQUE },
        { "json", BODY_OPAQUE },
        { "", BODY_TEXT }, /* of a POST */
    };

    for (size_t i = 0; i < DEIS_COUNT(cases); i++) {
        deis_autofree char *field = deis_asprintf("Content-Type: %s\r\n", cases[i].type);
        assert_int_equal(kind(field), cases[i].want);
    }
    assert_int_equal(kind(""), BODY_TEXT);
    assert_int_equal(kind_of("PUT", ""), BODY_OPAQUE);
    assert_int_equal(kind_of("PUT", "Content-Type: \r\n"), BODY_OPAQUE);
}

static void body__that_is_two_things_is_the_stricter(void **state)
{
    assert_int_equal(kind("Content-Type: text/plain\r\nContent-Type: application/json\r\n"),
                     BODY_TEXT);
    assert_int_equal(kind("content-type: multipart/form-data\r\nContent-Type: text/xml\r\n"),
                     BODY_TEXT);
    assert_int_equal(kind("Content-Type: multipart/form-data\r\nContent-Type: text/plain\r\n"),
                     BODY_PARTS);
    assert_int_equal(kind("Content-Type: text/plain, application/json\r\n"), BODY_TEXT);
    assert_int_equal(kind("Content-Type: text/plain;,multipart/form-data\r\n"), BODY_PARTS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(body__of_variables_is_looked_into),
        cmocka_unit_test(body__that_is_two_things_is_the_stricter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
