/* SPDX-License-Identifier: MIT */
#include "tests/support/test.h"

#include "lib/wire/b64.h"

static void b64__knows_the_vectors_of_rfc_4648(void **state)
{
    static const struct {
        const char *plain;
        const char *text;
    } rows[] = { { "", "" },
                 { "f", "Zg==" },
                 { "fo", "Zm8=" },
                 { "foo", "Zm9v" },
                 { "foob", "Zm9vYg==" },
                 { "fooba", "Zm9vYmE=" },
                 { "foobar", "Zm9vYmFy" } };

    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        deis_autobuf struct deis_buf text = DEIS_BUF_INIT(100);
        deis_autobuf struct deis_buf plain = DEIS_BUF_INIT(100);
        struct deis_err err = DEIS_ERR_INIT;
        deis_b64_encode(deis_str(rows[i].plain), &text);
        assert_string_equal(text.data, rows[i].text);
        assert_int_equal(deis_b64_decode(deis_str(rows[i].text), &plain, &err), 0);
        assert_string_equal(plain.data, rows[i].plain);
    }
}

static void b64__goes_there_and_back_for_every_byte(void **state)
{
    char bytes[256];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (char)i;
    }
    for (size_t len = 0; len <= sizeof(bytes); len++) {
        deis_autobuf struct deis_buf text = DEIS_BUF_INIT(400);
        deis_autobuf struct deis_buf plain = DEIS_BUF_INIT(256);
        deis_b64_encode(deis_str_n(bytes, len), &text);
        assert_int_equal(deis_b64_decode(deis_buf_str(&text), &plain, NULL), 0);
        assert_int_equal(plain.len, len);
        assert_memory_equal(plain.data, bytes, len);
    }
}

static void b64__refuses_all_but_the_one_spelling(void **state)
{
    static const struct {
        const char *text;
        const char *msg;
    } rows[] = { { "Zg", "incorrect padding" },      { "Zg=", "incorrect padding" },
                 { "Z", "incorrect padding" },       { "Zm9vZ===", "invalid character" },
                 { "====", "invalid character" },    { "Zh==", "invalid character" },
                 { "Zm9=", "invalid character" },    { "Zm 9", "invalid character" },
                 { "Zm9v\n", "incorrect padding" },  { "Zm-_", "invalid character" },
                 { "Zg==Zg==", "invalid character" } };

    for (size_t i = 0; i < DEIS_COUNT(rows); i++) {
        deis_autobuf struct deis_buf out = DEIS_BUF_INIT(100);
        struct deis_err err = DEIS_ERR_INIT;
        assert_int_equal(deis_b64_decode(deis_str(rows[i].text), &out, &err), DEIS_INVALID);
        assert_string_equal(err.msg, rows[i].msg);
    }
}

static void decode__tells_when_the_buffer_is_too_small(void **state)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(2);
    struct deis_err err = DEIS_ERR_INIT;
    assert_int_equal(deis_b64_decode(DEIS_STR("Zm9v"), &out, &err), DEIS_LIMIT);
    deis_buf_reset(&out);
    assert_int_equal(deis_hex_decode(DEIS_STR("010203"), &out, &err), DEIS_LIMIT);
}

static void hex__is_lower_case_and_even(void **state)
{
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(100);
    deis_autobuf struct deis_buf plain = DEIS_BUF_INIT(100);
    struct deis_err err = DEIS_ERR_INIT;
    deis_hex_encode(DEIS_STR("\x00\x7f\xff\xa0"), &text);
    assert_string_equal(text.data, "007fffa0");
    assert_int_equal(deis_hex_decode(deis_buf_str(&text), &plain, &err), 0);
    assert_int_equal(plain.len, 4);
    assert_memory_equal(plain.data, "\x00\x7f\xff\xa0", 4);
    assert_int_equal(deis_hex_decode(DEIS_STR("0"), &plain, &err), DEIS_INVALID);
    assert_int_equal(deis_hex_decode(DEIS_STR("0g"), &plain, &err), DEIS_INVALID);
    assert_int_equal(deis_hex_decode(DEIS_STR("FF"), &plain, &err), DEIS_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(b64__knows_the_vectors_of_rfc_4648),
        cmocka_unit_test(b64__goes_there_and_back_for_every_byte),
        cmocka_unit_test(b64__refuses_all_but_the_one_spelling),
        cmocka_unit_test(decode__tells_when_the_buffer_is_too_small),
        cmocka_unit_test(hex__is_lower_case_and_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
