/* SPDX-License-Identifier: MIT */
#include "tests/support/test.h"

#include "lib/base/clock.h"

#include <errno.h>

static void set__fills_and_returns_the_code(void **state)
{
    struct deis_err err = DEIS_ERR_INIT;
    assert_int_equal(deis_err_set(&err, DEIS_CONFLICT, "app '%s' exists", "blog"), DEIS_CONFLICT);
    assert_int_equal(err.code, DEIS_CONFLICT);
    assert_string_equal(err.msg, "app 'blog' exists");
    assert_int_equal(deis_err_set(NULL, DEIS_LIMIT, "nobody reads this"), DEIS_LIMIT);
}

static void set__may_use_its_own_message(void **state)
{
    struct deis_err err = DEIS_ERR_INIT;
    deis_err_set(&err, DEIS_INVALID, "first");
    deis_err_set(&err, DEIS_PROTOCOL, "second after %s", err.msg);
    assert_string_equal(err.msg, "second after first");
}

static void set__cuts_what_is_too_long(void **state)
{
    struct deis_err err = DEIS_ERR_INIT;
    char text[2000];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    deis_err_set(&err, DEIS_INVALID, "%s", text);
    assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
    deis_err_wrap(&err, "%s", "context");
    assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
    assert_memory_equal(err.msg, "context: xxx", 12);
}

static void errno__becomes_a_code_and_a_text(void **state)
{
    struct deis_err err = DEIS_ERR_INIT;
    assert_int_equal(deis_err_errno(&err, ENOENT, "can't open '%s'", "x"), DEIS_NOT_FOUND);
    assert_string_equal(err.msg, "can't open 'x': No such file or directory");
    assert_int_equal(deis_err_errno(&err, EACCES, "x"), DEIS_DENIED);
    assert_int_equal(deis_err_errno(&err, ENOSPC, "x"), DEIS_LIMIT);
    assert_true(deis_err_is_disk_full(&err));
    assert_int_equal(deis_err_errno(&err, EMFILE, "x"), DEIS_LIMIT);
    assert_false(deis_err_is_disk_full(&err));
    assert_int_equal(deis_err_errno(&err, EDQUOT, "x"), DEIS_LIMIT);
    deis_err_wrap(&err, "while it was kept");
    assert_true(deis_err_is_disk_full(&err));
    deis_err_set(&err, DEIS_LIMIT, "too long");
    assert_false(deis_err_is_disk_full(&err));
    assert_int_equal(deis_err_errno(&err, EIO, "x"), DEIS_SYSTEM);
}

static void wrap__puts_context_in_front_and_keeps_the_code(void **state)
{
    struct deis_err err = DEIS_ERR_INIT;
    deis_err_set(&err, DEIS_TIMEOUT, "no answer");
    assert_int_equal(deis_err_wrap(&err, "etcd '%s'", "a"), DEIS_TIMEOUT);
    assert_string_equal(err.msg, "etcd 'a': no answer");
}

static void code__has_a_status_for_http(void **state)
{
    assert_int_equal(deis_code_http_status(DEIS_INVALID), 400);
    assert_int_equal(deis_code_http_status(DEIS_DENIED), 403);
    assert_int_equal(deis_code_http_status(DEIS_NOT_FOUND), 404);
    assert_int_equal(deis_code_http_status(DEIS_CONFLICT), 409);
    assert_int_equal(deis_code_http_status(DEIS_LIMIT), 413);
    assert_int_equal(deis_code_http_status(DEIS_INTERNAL), 500);
    assert_int_equal(deis_code_http_status(DEIS_PROTOCOL), 502);
    assert_int_equal(deis_code_http_status(DEIS_UNAVAILABLE), 503);
    assert_string_equal(deis_code_name(DEIS_NOT_FOUND), "not found");
}

static void time__has_the_two_layouts_of_the_api(void **state)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(64);
    deis_time_format_model(UINT64_C(1772730867999), &out);
    assert_string_equal(out.data, "2026-03-05T17:14:27UTC");
    deis_buf_reset(&out);
    deis_time_format_iso(UINT64_C(1772730867000042), &out);
    assert_string_equal(out.data, "2026-03-05T17:14:27.000042Z");
    deis_buf_reset(&out);
    deis_time_format_iso(0, &out);
    assert_string_equal(out.data, "1970-01-01T00:00:00.000000Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set__fills_and_returns_the_code),
        cmocka_unit_test(set__may_use_its_own_message),
        cmocka_unit_test(set__cuts_what_is_too_long),
        cmocka_unit_test(errno__becomes_a_code_and_a_text),
        cmocka_unit_test(wrap__puts_context_in_front_and_keeps_the_code),
        cmocka_unit_test(code__has_a_status_for_http),
        cmocka_unit_test(time__has_the_two_layouts_of_the_api),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
