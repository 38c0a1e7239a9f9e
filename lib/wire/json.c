/* SPDX-License-Identifier: MIT */
#include "lib/wire/json.h"

/* jansson's own limit on nesting is far above ours, and its parser recurses. */
static bool is_too_deep(struct deis_str text)
{
    size_t depth = 0;
    bool in_string = false;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (in_string) {
            if (c == '\\') {
                i++;
            } else if (c == '"') {
                in_string = false;
            }
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > DEIS_JSON_MAX_DEPTH) {
                return true;
            }
        } else if ((c == ']' || c == '}') && depth > 0) {
            depth--;
        }
    }
    return false;
}

/* jansson's own text quotes the input, which may be a secret. */
static const char *fault_text(const json_error_t *fault)
{
    switch (json_error_code(fault)) {
    case json_error_premature_end_of_input: return "the end is missing";
    case json_error_end_of_input_expected: return "bytes after the end";
    case json_error_invalid_utf8: return "invalid UTF-8";
    case json_error_null_character:
    case json_error_null_byte_in_key: return "NUL in a string";
    case json_error_duplicate_key: return "duplicate key";
    case json_error_numeric_overflow: return "number out of range";
    default: return "syntax error";
    }
}

static json_t *parse(struct deis_str text, size_t flags, struct deis_err *err)
{
    json_error_t fault;

    if (is_too_deep(text)) {
        deis_err_set(err, DEIS_INVALID, "JSON is nested deeper than %d levels",
                     DEIS_JSON_MAX_DEPTH);
        return NULL;
    }
    json_t *value = json_loadb(text.len ? text.ptr : "", text.len,
                               JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | flags, &fault);
    if (!value) {
        deis_err_set(err, DEIS_INVALID, "invalid JSON: %s at line %d column %d", fault_text(&fault),
                     fault.line, fault.column);
    }
    return value;
}

json_t *deis_json_parse(struct deis_str text, struct deis_err *err)
{
    return parse(text, 0, err);
}

json_t *deis_json_parse_output(struct deis_str text, struct deis_err *err)
{
    return parse(text, JSON_ALLOW_NUL, err);
}

json_t *deis_json_text(struct deis_str text)
{
    json_t *whole = json_stringn(text.len > 0 ? text.ptr : "", text.len);
    deis_autobuf struct deis_buf clean = DEIS_BUF_INIT(3 * text.len + 1);

    if (whole) {
        return whole;
    }
    while (text.len > 0) {
        size_t step = deis_utf8_step(text);
        if (step > 0) {
            deis_buf_add(&clean, text.ptr, step);
        } else {
            deis_buf_add_cstr(&clean, "\xEF\xBF\xBD");
        }
        text = deis_str_skip(text, step > 0 ? step : 1);
    }
    return json_stringn(clean.data, clean.len);
}

char *deis_json_dump(const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    if (!text) {
        abort();
    }
    return text;
}

/* The member, or NULL when it is absent or null. */
static json_t *member(const json_t *obj, const char *key)
{
    json_t *value = json_object_get(obj, key);
    return json_is_null(value) ? NULL : value;
}

static int missing(const char *key, struct deis_err *err)
{
    return deis_err_set(err, DEIS_INVALID, "field '%s' is missing", key);
}

static int wrong_type(const char *key, const char *type, struct deis_err *err)
{
    return deis_err_set(err, DEIS_INVALID, "field '%s' must be %s", key, type);
}

static int to_str(const json_t *value, const char *key, const char **ret, struct deis_err *err)
{
    if (!json_is_string(value)) {
        return wrong_type(key, "a string", err);
    }
    *ret = json_string_value(value);
    return DEIS_OK;
}

static int to_u64(const json_t *value, const char *key, uint64_t *ret, struct deis_err *err)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0) {
        return wrong_type(key, "a whole number, zero or more", err);
    }
    *ret = (uint64_t)json_integer_value(value);
    return DEIS_OK;
}

static int to_bool(const json_t *value, const char *key, bool *ret, struct deis_err *err)
{
    if (!json_is_boolean(value)) {
        return wrong_type(key, "true or false", err);
    }
    *ret = json_is_true(value);
    return DEIS_OK;
}

int deis_json_get_str(const json_t *obj, const char *key, const char **ret, struct deis_err *err)
{
    const json_t *value = json_object_get(obj, key);
    return value ? to_str(value, key, ret, err) : missing(key, err);
}

int deis_json_get_u64(const json_t *obj, const char *key, uint64_t *ret, struct deis_err *err)
{
    const json_t *value = json_object_get(obj, key);
    return value ? to_u64(value, key, ret, err) : missing(key, err);
}

int deis_json_get_bool(const json_t *obj, const char *key, bool *ret, struct deis_err *err)
{
    const json_t *value = json_object_get(obj, key);
    return value ? to_bool(value, key, ret, err) : missing(key, err);
}

int deis_json_get_object(const json_t *obj, const char *key, json_t **ret, struct deis_err *err)
{
    json_t *value = json_object_get(obj, key);
    if (!value) {
        return missing(key, err);
    }
    if (!json_is_object(value)) {
        return wrong_type(key, "an object", err);
    }
    *ret = value;
    return DEIS_OK;
}

int deis_json_get_array(const json_t *obj, const char *key, json_t **ret, struct deis_err *err)
{
    json_t *value = json_object_get(obj, key);
    if (!value) {
        return missing(key, err);
    }
    if (!json_is_array(value)) {
        return wrong_type(key, "an array", err);
    }
    *ret = value;
    return DEIS_OK;
}

int deis_json_str_or(const json_t *obj, const char *key, const char *def, const char **ret,
                     struct deis_err *err)
{
    const json_t *value = member(obj, key);
    if (value) {
        return to_str(value, key, ret, err);
    }
    *ret = def;
    return DEIS_OK;
}

int deis_json_u64_or(const json_t *obj, const char *key, uint64_t def, uint64_t *ret,
                     struct deis_err *err)
{
    const json_t *value = member(obj, key);
    if (value) {
        return to_u64(value, key, ret, err);
    }
    *ret = def;
    return DEIS_OK;
}

int deis_json_bool_or(const json_t *obj, const char *key, bool def, bool *ret, struct deis_err *err)
{
    const json_t *value = member(obj, key);
    if (value) {
        return to_bool(value, key, ret, err);
    }
    *ret = def;
    return DEIS_OK;
}
