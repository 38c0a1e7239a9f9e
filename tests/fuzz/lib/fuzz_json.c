/* SPDX-License-Identifier: MIT */
#include "lib/wire/json.h"

static void check(bool fact)
{
    if (!fact) {
        abort();
    }
}

/* Any text becomes a JSON string by our escaping. */
static void check_escaped(struct deis_str input)
{
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(6 * input.len + 2);

    if (deis_str_find(input, '\0') >= 0) {
        return;
    }
    deis_buf_add_char(&text, '"');
    deis_buf_add_json_escaped(&text, input);
    deis_buf_add_char(&text, '"');
    check(!deis_buf_failed(&text));
    deis_autojson json_t *value = deis_json_parse(deis_buf_str(&text), NULL);
    check(json_is_string(value));
    if (deis_str_is_utf8(input)) {
        check(deis_str_eq_cstr(input, json_string_value(value)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct deis_str input = deis_str_n((const char *)data, size);
    struct deis_err err = DEIS_ERR_INIT;
    deis_autojson json_t *value = deis_json_parse(input, &err);

    if (value) {
        const char *s = NULL;
        uint64_t n = 0;
        bool b = false;
        deis_autofree char *text = deis_json_dump(value);
        deis_autojson json_t *again = deis_json_parse(deis_str(text), &err);
        check(again && json_equal(value, again));
        check(deis_json_str_or(value, "a", "", &s, &err) != DEIS_OK || s);
        (void)!deis_json_u64_or(value, "a", 0, &n, &err);
        (void)!deis_json_bool_or(value, "a", false, &b, &err);
    } else {
        check(err.code == DEIS_INVALID);
    }
    check_escaped(input);
    return 0;
}
