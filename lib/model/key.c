/* SPDX-License-Identifier: MIT */
#include "lib/model/codec.h"

#include <stdarg.h>
#include <stdio.h>

#define ROOT "/deis/"

char *deis_key(char out[DEIS_KEY_MAX], const char *format, ...)
{
    const size_t root_len = sizeof(ROOT) - 1;
    va_list args;

    memcpy(out, ROOT, root_len);
    va_start(args, format);
    int n = vsnprintf(out + root_len, DEIS_KEY_MAX - root_len, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= DEIS_KEY_MAX - root_len) {
        abort(); /* every part is a checked name: a key this long is our bug */
    }
    return out;
}

struct deis_str deis_key_below(const char *key, const char *prefix)
{
    struct deis_str rest = deis_str(key);

    if (!deis_str_starts(rest, ROOT)) {
        return DEIS_STR_NONE;
    }
    rest = deis_str_skip(rest, sizeof(ROOT) - 1);
    if (!deis_str_starts(rest, prefix)) {
        return DEIS_STR_NONE;
    }
    return deis_str_skip(rest, strlen(prefix));
}

void deis_strv_free(char **v)
{
    for (char **p = v; p && *p; p++) {
        free(*p);
    }
    free(v);
}

char **deis_strv_copy(char *const *v)
{
    size_t count = 0;

    if (!v) {
        return NULL;
    }
    while (v[count]) {
        count++;
    }
    char **copy = deis_alloc((count + 1) * sizeof(*copy));
    for (size_t i = 0; i < count; i++) {
        copy[i] = deis_strdup(v[i]);
    }
    return copy;
}

bool deis_strv_eq(char *const *a, char *const *b)
{
    if (!a || !b) {
        return a == b;
    }
    while (*a && *b && strcmp(*a, *b) == 0) {
        a++;
        b++;
    }
    return !*a && !*b;
}

int codec_text(const json_t *obj, const char *key, char **ret, struct deis_err *err)
{
    const char *text;
    int r = deis_json_get_str(obj, key, &text, err);

    if (r < 0) {
        return r;
    }
    *ret = deis_strdup(text);
    return 0;
}

int codec_name(const json_t *obj, const char *key, char **ret, struct deis_err *err)
{
    const char *text;
    int r = deis_json_get_str(obj, key, &text, err);

    if (r < 0) {
        return r;
    }
    size_t len = strlen(text);
    bool good = len > 0 && len <= DEIS_NAME_MAX;
    for (const char *p = text; good && *p; p++) {
        good = *p != '/' && (unsigned char)*p >= ' ' && *p != '\x7f';
    }
    if (!good) {
        return deis_err_set(err, DEIS_INVALID,
                            "field '%s' must be a name of 1 to %d characters without '/'", key,
                            DEIS_NAME_MAX);
    }
    *ret = deis_strdup(text);
    return 0;
}

int codec_text_or(const json_t *obj, const char *key, const char *def, char **ret,
                  struct deis_err *err)
{
    const char *text;
    int r = deis_json_str_or(obj, key, def, &text, err);

    if (r < 0) {
        return r;
    }
    *ret = text ? deis_strdup(text) : NULL;
    return 0;
}

int codec_u32(const json_t *obj, const char *key, uint32_t def, uint32_t *ret, struct deis_err *err)
{
    uint64_t number;
    int r = deis_json_u64_or(obj, key, def, &number, err);

    if (r < 0) {
        return r;
    }
    if (number > UINT32_MAX) {
        return deis_err_set(err, DEIS_INVALID, "field '%s' is too large", key);
    }
    *ret = (uint32_t)number;
    return 0;
}

int codec_strv(const json_t *obj, const char *key, char ***ret, struct deis_err *err)
{
    json_t *array = json_object_get(obj, key);

    *ret = NULL;
    if (!array || json_is_null(array)) {
        return 0;
    }
    if (!json_is_array(array)) {
        return deis_err_set(err, DEIS_INVALID, "field '%s' must be an array", key);
    }
    char **v = deis_alloc((json_array_size(array) + 1) * sizeof(*v));
    for (size_t i = 0; i < json_array_size(array); i++) {
        const char *text = json_string_value(json_array_get(array, i));
        if (!text) {
            deis_strv_free(v);
            return deis_err_set(err, DEIS_INVALID, "field '%s' must hold strings", key);
        }
        v[i] = deis_strdup(text);
    }
    *ret = v;
    return 0;
}

int codec_object(const json_t *obj, const char *key, json_t **ret, struct deis_err *err)
{
    json_t *value = json_object_get(obj, key);

    *ret = NULL;
    if (!value || json_is_null(value)) {
        return 0;
    }
    if (!json_is_object(value)) {
        return deis_err_set(err, DEIS_INVALID, "field '%s' must be an object", key);
    }
    *ret = json_incref(value);
    return 0;
}

int codec_texts(const json_t *obj, const char *key, json_t **ret, struct deis_err *err)
{
    const char *name;
    json_t *value;
    int r = codec_object(obj, key, ret, err);

    json_object_foreach(*ret, name, value)
    {
        if (!json_is_string(value)) {
            return deis_err_set(err, DEIS_INVALID, "field '%s' must hold strings only", key);
        }
    }
    return r;
}

int codec_counters(const json_t *obj, const char *key, json_t **ret, struct deis_err *err)
{
    const char *name;
    json_t *value;
    int r = codec_object(obj, key, ret, err);

    json_object_foreach(*ret, name, value)
    {
        json_int_t number = json_integer_value(value);
        if (!json_is_integer(value) || number < 0 || number > UINT32_MAX) {
            return deis_err_set(err, DEIS_INVALID, "field '%s' must hold counters only", key);
        }
    }
    return r;
}

int codec_health(const json_t *obj, struct deis_health *ret, struct deis_err *err)
{
    deis_autojson json_t *health = NULL;
    int r = codec_object(obj, "health", &health, err);

    if (r < 0 || !health) {
        return r;
    }
    r = codec_text(health, "path", &ret->path, err);
    if (r == 0) {
        r = deis_json_u64_or(health, "delay_ms", 0, &ret->delay_ms, err);
    }
    if (r == 0) {
        r = deis_json_u64_or(health, "timeout_ms", 1000, &ret->timeout_ms, err);
    }
    return r < 0 ? deis_err_wrap(err, "health") : 0;
}

json_t *codec_strv_json(char *const *v)
{
    if (!v) {
        return json_null();
    }
    json_t *array = json_array();
    for (; *v; v++) {
        json_array_append_new(array, json_string(*v));
    }
    return array;
}

json_t *codec_health_json(const struct deis_health *h)
{
    if (!h->path) {
        return json_null();
    }
    json_t *obj = json_object();
    codec_set_text(obj, "path", h->path);
    codec_set_number(obj, "delay_ms", h->delay_ms);
    codec_set_number(obj, "timeout_ms", h->timeout_ms);
    return obj;
}

void codec_set_text(json_t *obj, const char *key, const char *text)
{
    if (text) {
        json_object_set_new(obj, key, deis_json_text(deis_str(text)));
    }
}

void codec_set_number(json_t *obj, const char *key, uint64_t number)
{
    json_object_set_new(obj, key, json_integer((json_int_t)number));
}

void codec_set_object(json_t *obj, const char *key, json_t *value)
{
    if (value) {
        json_object_set(obj, key, value);
    }
}

char *codec_dump(json_t *obj)
{
    char *text = deis_json_dump(obj);

    json_decref(obj);
    return text;
}
