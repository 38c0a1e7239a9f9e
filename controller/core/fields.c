/* SPDX-License-Identifier: MIT */
#include "controller/core/fields.h"

#include "lib/wire/url.h"

#include <math.h>

#define BODY_FIELDS_MAX 64    /* of a form */
#define BODY_VALUES_MAX 20000 /* of JSON */

static json_t *detail(const char *format, const char *arg)
{
    char *text = deis_asprintf("%s%s", format, arg);
    json_t *error = json_pack("{s:s}", "detail", text);

    free(text);
    return error ? error : json_pack("{s:s}", "detail", format);
}

static enum body_result bad(json_t **ret_error, const char *reason)
{
    *ret_error = detail("JSON parse error - ", reason);
    return BODY_BAD;
}

/* Each takes some fifty times the memory of its text; commas tell how many there are. */
static bool has_too_many_values(struct deis_str text)
{
    size_t commas = 0;
    bool in_string = false;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '"') {
            in_string = !in_string;
        } else if (in_string && c == '\\') {
            i++;
        } else if (!in_string && c == ',') {
            commas++;
        }
    }
    return commas >= BODY_VALUES_MAX;
}

static enum body_result parse_json(struct deis_str body, json_t **ret_body, json_t **ret_error)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "dict", [JSON_ARRAY] = "list",   [JSON_STRING] = "str",
        [JSON_INTEGER] = "int", [JSON_REAL] = "float",   [JSON_TRUE] = "bool",
        [JSON_FALSE] = "bool",  [JSON_NULL] = "NoneType"
    };
    struct deis_err err = DEIS_ERR_INIT;

    if (has_too_many_values(body)) {
        return bad(ret_error, "too many values");
    }
    json_t *value = deis_json_parse(body, &err);
    if (!value) {
        return bad(ret_error, err.msg);
    }
    if (!json_is_object(value)) {
        char *text = deis_asprintf("Invalid data. Expected a dictionary, but got %s.",
                                   names[json_typeof(value)]);
        *ret_error = json_pack("{s:[s]}", "non_field_errors", text);
        free(text);
        json_decref(value);
        return BODY_BAD;
    }
    *ret_body = value;
    return BODY_OK;
}

static bool set_field(json_t *obj, struct deis_str name, struct deis_str value)
{
    if (!deis_str_is_utf8(name) || !deis_str_is_utf8(value) || name.len == 0 ||
        json_object_size(obj) >= BODY_FIELDS_MAX) {
        return false;
    }
    char *key = deis_str_dup(name);
    json_object_set_new(obj, key, json_stringn(value.ptr, value.len));
    free(key);
    return true;
}

static enum body_result parse_form(struct deis_str body, json_t **ret_body, json_t **ret_error)
{
    deis_autojson json_t *obj = json_object();
    struct deis_str pair;

    while (deis_str_split(&body, '&', &pair)) {
        deis_autobuf struct deis_buf name = DEIS_BUF_INIT(256);
        deis_autobuf struct deis_buf value = DEIS_BUF_INIT(1 << 20);
        ptrdiff_t eq = deis_str_find(pair, '=');
        struct deis_str left = eq < 0 ? pair : deis_str_first(pair, (size_t)eq);
        struct deis_str right = eq < 0 ? DEIS_STR_NONE : deis_str_skip(pair, (size_t)eq + 1);
        if (pair.len == 0) {
            continue;
        }
        if (deis_url_decode(left, true, &name, NULL) < 0 ||
            deis_url_decode(right, true, &value, NULL) < 0 || deis_buf_failed(&name) ||
            deis_buf_failed(&value) || !set_field(obj, deis_buf_str(&name), deis_buf_str(&value))) {
            *ret_error = detail("form parse error", "");
            return BODY_BAD;
        }
    }
    *ret_body = DEIS_TAKE(obj);
    return BODY_OK;
}

static struct deis_str find(struct deis_str in, struct deis_str what)
{
    const char *p =
        what.len > 0 && in.len >= what.len ? memmem(in.ptr, in.len, what.ptr, what.len) : NULL;
    return p ? deis_str_n(p, what.len) : DEIS_STR_NONE;
}

/* The value of `name="..."` in the head of a part. */
static struct deis_str part_name(struct deis_str head)
{
    struct deis_str at = find(head, DEIS_STR("name=\""));
    if (!at.ptr) {
        return DEIS_STR_NONE;
    }
    struct deis_str rest =
        deis_str_n(at.ptr + at.len, (size_t)(head.ptr + head.len - at.ptr) - at.len);
    ptrdiff_t end = deis_str_find(rest, '"');
    return end < 0 ? DEIS_STR_NONE : deis_str_first(rest, (size_t)end);
}

static bool parse_parts(struct deis_str body, struct deis_str boundary, json_t *obj)
{
    struct deis_str at = find(body, boundary);

    if (!at.ptr || at.ptr != body.ptr) {
        return false;
    }
    body = deis_str_skip(body, boundary.len);
    while (!deis_str_starts(body, "--")) {
        struct deis_str next = find(body, boundary);
        if (!next.ptr || !deis_str_starts(body, "\r\n")) {
            return false;
        }
        struct deis_str part = deis_str_n(body.ptr + 2, (size_t)(next.ptr - body.ptr) - 2);
        struct deis_str gap = find(part, DEIS_STR("\r\n\r\n"));
        if (next.ptr < body.ptr + 2 || !gap.ptr || !deis_str_ends(part, "\r\n") ||
            gap.ptr + 4 > part.ptr + part.len - 2) {
            return false;
        }
        struct deis_str head = deis_str_n(part.ptr, (size_t)(gap.ptr - part.ptr));
        struct deis_str value = deis_str_skip(part, head.len + 4);
        if (!set_field(obj, part_name(head), deis_str_first(value, value.len - 2))) {
            return false;
        }
        body = deis_str_skip(body, (size_t)(next.ptr - body.ptr) + boundary.len);
    }
    return true;
}

/* "--" and the boundary that the content type names; false when there is none. */
static bool boundary_of(struct deis_str type, char out[80])
{
    struct deis_str at = find(type, DEIS_STR("boundary="));

    if (!at.ptr) {
        return false;
    }
    struct deis_str value = deis_str_skip(type, (size_t)(at.ptr - type.ptr) + at.len);
    ptrdiff_t semi = deis_str_find(value, ';');
    value = deis_str_trim(semi < 0 ? value : deis_str_first(value, (size_t)semi));
    if (value.len >= 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"') {
        value = deis_str_n(value.ptr + 1, value.len - 2);
    }
    if (value.len == 0 || value.len > 70) {
        return false;
    }
    snprintf(out, 80, "--%.*s", DEIS_STR_ARG(value));
    return true;
}

static enum body_result parse_multipart(struct deis_str type, struct deis_str body,
                                        json_t **ret_body, json_t **ret_error)
{
    deis_autojson json_t *obj = json_object();
    char boundary[80];

    if (!boundary_of(type, boundary) || !parse_parts(body, deis_str(boundary), obj)) {
        *ret_error = detail("Multipart form parse error", "");
        return BODY_BAD;
    }
    *ret_body = DEIS_TAKE(obj);
    return BODY_OK;
}

enum body_result body_parse(struct deis_str content_type, struct deis_str body, json_t **ret_body,
                            json_t **ret_error)
{
    ptrdiff_t semi = deis_str_find(content_type, ';');
    struct deis_str type =
        deis_str_trim(semi < 0 ? content_type : deis_str_first(content_type, (size_t)semi));

    *ret_body = NULL;
    *ret_error = NULL;
    if (body.len == 0) {
        *ret_body = json_object();
        return BODY_OK;
    }
    if (type.len == 0 || deis_str_ieq_cstr(type, "application/json")) {
        return parse_json(body, ret_body, ret_error);
    }
    if (deis_str_ieq_cstr(type, "application/x-www-form-urlencoded")) {
        return parse_form(body, ret_body, ret_error);
    }
    if (deis_str_ieq_cstr(type, "multipart/form-data")) {
        return parse_multipart(content_type, body, ret_body, ret_error);
    }
    char *text = deis_asprintf("Unsupported media type '%.*s' in request.",
                               DEIS_STR_ARG(deis_str_first(type, 128)));
    *ret_error = json_pack("{s:s}", "detail", text);
    free(text);
    if (!*ret_error) {
        *ret_error = detail("Unsupported media type in request.", "");
    }
    return BODY_UNSUPPORTED;
}

void fields_init(struct fields *f, const json_t *body)
{
    f->body = body;
    f->errors = json_object();
}

void fields_clear(struct fields *f)
{
    json_decref(f->errors);
    f->errors = NULL;
}

bool fields_failed(const struct fields *f)
{
    return json_object_size(f->errors) > 0;
}

json_t *fields_take_errors(struct fields *f)
{
    return DEIS_TAKE(f->errors);
}

void fields_error(struct fields *f, const char *name, const char *format, ...)
{
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(4096);
    va_list args;
    json_t *list = json_object_get(f->errors, name);

    va_start(args, format);
    deis_buf_vaddf(&text, format, args);
    va_end(args);
    if (!list) {
        list = json_array();
        json_object_set_new(f->errors, name, list);
    }
    json_array_append_new(list, deis_json_text(deis_buf_str(&text)));
}

bool fields_has(const struct fields *f, const char *name)
{
    return json_object_get(f->body, name) != NULL;
}

char *fields_scalar(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_STRING:
        return deis_str_dup(deis_str_n(json_string_value(value), json_string_length(value)));
    case JSON_INTEGER: return deis_asprintf("%lld", (long long)json_integer_value(value));
    case JSON_REAL: return deis_json_dump(value);
    case JSON_TRUE: return deis_strdup("True");
    case JSON_FALSE: return deis_strdup("False");
    case JSON_NULL:
    case JSON_OBJECT:
    case JSON_ARRAY: break;
    }
    return NULL;
}

static size_t characters(const char *s)
{
    size_t n = 0;

    for (; *s; s++) {
        n += ((unsigned char)*s & 0xC0) != 0x80;
    }
    return n;
}

char *fields_text(struct fields *f, const char *name, unsigned flags, size_t max)
{
    const json_t *value = json_object_get(f->body, name);

    if (!value) {
        if (flags & FIELD_REQUIRED) {
            fields_error(f, name, "This field is required.");
        }
        return NULL;
    }
    if (json_is_null(value)) {
        fields_error(f, name, "This field may not be null.");
        return NULL;
    }
    char *text = fields_scalar(value);
    if (!text) {
        fields_error(f, name, "Not a valid string.");
        return NULL;
    }
    if (text[0] == '\0' && !(flags & FIELD_BLANK_OK)) {
        fields_error(f, name, "This field may not be blank.");
    } else if (characters(text) > max) {
        fields_error(f, name, "Ensure this field has no more than %zu characters.", max);
    } else {
        return text;
    }
    free(text);
    return NULL;
}

json_t *fields_map(struct fields *f, const char *name)
{
    json_t *value = json_object_get(f->body, name);

    if (!value) {
        return NULL;
    }
    if (json_is_null(value)) {
        fields_error(f, name, "This field may not be null.");
        return NULL;
    }
    if (json_is_string(value)) {
        struct deis_str text = deis_str_n(json_string_value(value), json_string_length(value));
        json_t *parsed = has_too_many_values(text) ? NULL : deis_json_parse(text, NULL);
        if (json_is_object(parsed)) {
            return parsed;
        }
        json_decref(parsed);
    } else if (json_is_object(value)) {
        return json_incref(value);
    }
    fields_error(f, name, "Expected a JSON object of names and values.");
    return NULL;
}
