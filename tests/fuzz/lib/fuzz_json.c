/* SPDX-License-Identifier: MIT */
#include "lib/wire/json.h"
#include "lib/wire/json_scan.h"

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

/* What is an object for the strict parser is one for the scanner, with the same members. */
static void check_scanned(struct deis_str input, const json_t *value)
{
    static const char *const names[] = { "a", "b" };
    struct deis_str members[2];

    bool taken = deis_json_scan_object(input, names, 2, members);
    check(taken || !json_is_object(value));
    for (size_t i = 0; taken && value && i < 2; i++) {
        deis_autojson json_t *member = members[i].ptr ? deis_json_parse(members[i], NULL) : NULL;
        check(!members[i].ptr || json_equal(member, json_object_get(value, names[i])));
    }
}

static void walk(struct deis_str input, const json_t *value)
{
    struct deis_str at = input, item;
    size_t n = 0;
    bool bad;

    while (deis_json_scan_array(&at, &item, &bad)) {
        n++;
    }
    check(!json_is_array(value) || (!bad && n == json_array_size(value)));
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
    check_scanned(input, value);
    walk(input, value);
    return 0;
}
