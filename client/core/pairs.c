/* SPDX-License-Identifier: MIT */
#include "client/core/pairs.h"

#define NUMBER_MAX 1000000000ULL

/* The contract's patterns say [A-z]: from A to z, with the six signs in between. */
static bool is_name_start(char c)
{
    return c >= 'A' && c <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Length of the leading characters of s that are name characters, digits only after the first. */
static size_t name_length(struct deis_str s, bool digits)
{
    size_t n = 0;

    while (n < s.len && (is_name_start(s.ptr[n]) || (digits && n > 0 && is_digit(s.ptr[n])))) {
        n++;
    }
    return n;
}

/* Splits "name=value" where the name follows the pattern; false when it does not fit. */
static bool split_pair(struct deis_str arg, bool digits, struct deis_str *ret_key,
                       struct deis_str *ret_value)
{
    size_t n = name_length(arg, digits);

    if (n == 0 || n >= arg.len || arg.ptr[n] != '=') {
        return false;
    }
    *ret_key = deis_str_first(arg, n);
    *ret_value = deis_str_skip(arg, n + 1);
    return ret_value->len > 0;
}

static void set_text(json_t *map, struct deis_str key, struct deis_str value)
{
    deis_autofree char *name = deis_str_dup(key);
    json_t *text = json_stringn(value.ptr, value.len);

    json_object_set_new(map, name, text ? text : json_string(""));
}

static void add_config(json_t *map, struct deis_str arg, struct deis_buf *note)
{
    struct deis_str key;
    struct deis_str value;

    if (split_pair(arg, true, &key, &value) && deis_str_is_utf8(value)) {
        set_text(map, key, value);
    } else {
        deis_buf_addf(note, "'%.*s' does not match the pattern 'key=var', ex: MODE=test\n",
                      DEIS_STR_ARG(arg));
    }
}

json_t *pairs_config(const char *const *args, size_t count, struct deis_buf *note)
{
    json_t *map = json_object();

    for (size_t i = 0; i < count; i++) {
        add_config(map, deis_str(args[i]), note);
    }
    return map;
}

json_t *pairs_scale(const char *const *args, size_t count, struct deis_buf *note)
{
    json_t *map = json_object();
    struct deis_str key;
    struct deis_str value;
    uint64_t number = 0;

    for (size_t i = 0; i < count; i++) {
        if (!split_pair(deis_str(args[i]), false, &key, &value) ||
            deis_str_to_u64(value, 0, NUMBER_MAX, &number, NULL) < 0) {
            deis_buf_addf(note, "'%s' does not match the pattern 'type=num', ex: web=2\n", args[i]);
            continue;
        }
        deis_autofree char *name = deis_str_dup(key);
        json_object_set_new(map, name, json_integer((json_int_t)number));
    }
    return map;
}

/* [0-9]+[bkmgBKMG]{1,2} or [0-9]{1,4} */
static bool is_limit(struct deis_str s)
{
    size_t digits = 0;

    while (digits < s.len && is_digit(s.ptr[digits])) {
        digits++;
    }
    size_t units = s.len - digits;
    if (digits == 0 || units > 2) {
        return false;
    }
    for (size_t i = digits; i < s.len; i++) {
        if (!strchr("bkmgBKMG", s.ptr[i])) {
            return false;
        }
    }
    return units > 0 || digits <= 4;
}

json_t *pairs_limits(const char *const *args, size_t count, struct deis_buf *note)
{
    json_t *map = json_object();
    struct deis_str key;
    struct deis_str value;

    for (size_t i = 0; i < count; i++) {
        if (split_pair(deis_str(args[i]), false, &key, &value) && is_limit(value)) {
            set_text(map, key, value);
        } else {
            deis_buf_addf(note,
                          "%s doesn't fit format type=#unit or type=#\n"
                          "Examples: web=2G worker=500M web=300\n",
                          args[i]);
        }
    }
    return map;
}

json_t *pairs_tags(const char *const *args, size_t count, struct deis_buf *note)
{
    json_t *map = json_object();

    for (size_t i = 0; i < count; i++) {
        struct deis_str arg = deis_str(args[i]);
        ptrdiff_t first = deis_str_find(arg, '=');
        if (first >= 0 && first == deis_str_rfind(arg, '=') && deis_str_is_utf8(arg)) {
            set_text(map, deis_str_first(arg, (size_t)first),
                     deis_str_skip(arg, (size_t)first + 1));
        } else {
            /* The misspelling is part of the contract. */
            deis_buf_addf(note,
                          "%s is invalid, Must be in format key=value\n"
                          "Examples: rack=1 evironment=production\n",
                          args[i]);
        }
    }
    return map;
}

json_t *pairs_removals(const char *const *names, size_t count)
{
    json_t *map = json_object();

    for (size_t i = 0; i < count; i++) {
        if (json_object_set_new(map, names[i], json_null()) < 0) {
            json_decref(map);
            return NULL;
        }
    }
    return map;
}

bool pairs_is_key(struct deis_str key)
{
    return key.len > 0 && name_length(key, true) == key.len;
}

int pairs_from_file(const char *arg, char **ret_key, char **ret_path, struct deis_err *err)
{
    struct deis_str key;
    struct deis_str path;

    if (!split_pair(deis_str(arg), true, &key, &path)) {
        return deis_err_set(err, DEIS_INVALID,
                            "--from-file '%s' must be <var>=<path>, ex: TLS_KEY=key.pem", arg);
    }
    *ret_key = deis_str_dup(key);
    *ret_path = deis_str_dup(path);
    return 0;
}

int pairs_set_read(json_t *map, const char *key, struct deis_str value, struct deis_err *err)
{
    if (json_object_get(map, key)) {
        return deis_err_set(err, DEIS_INVALID, "%s is given twice", key);
    }
    if (deis_str_ends(value, "\n")) {
        value = deis_str_first(value, value.len - 1);
    }
    if (!deis_str_is_utf8(value)) {
        return deis_err_set(err, DEIS_INVALID,
                            "the value of %s must be UTF-8 without NUL; encode it, in base64 say",
                            key);
    }
    json_object_set_new(map, key, json_stringn(value.ptr ? value.ptr : "", value.len));
    return 0;
}

json_t *pairs_env_file(struct deis_str text, struct deis_buf *note)
{
    json_t *map = json_object();
    ptrdiff_t end;

    while ((end = deis_str_find(text, '\n')) >= 0) {
        add_config(map, deis_str_first(text, (size_t)end), note);
        text = deis_str_skip(text, (size_t)end + 1);
    }
    return map;
}

void pairs_format_env(json_t *values, struct deis_buf *out)
{
    const char *key = NULL;
    json_t *value = NULL;

    json_object_foreach(values, key, value)
    {
        const char *text = json_string_value(value);
        deis_buf_addf(out, "%s=%s\n", key, text ? text : "");
    }
}

bool pairs_is_private_key(struct deis_str text)
{
    return deis_str_starts(text, "-----BEGIN RSA PRIVATE KEY-----") ||
           deis_str_starts(text, "-----BEGIN DSA PRIVATE KEY-----");
}

int pairs_version(const char *text, uint64_t *ret, struct deis_err *err)
{
    const char *digits = text[0] == 'v' ? text + 1 : text;

    if (deis_str_to_u64(deis_str(digits), 0, NUMBER_MAX, ret, NULL) < 0) {
        return deis_err_set(err, DEIS_INVALID, "'%s' is no release version, ex: v3", text);
    }
    return 0;
}

int pairs_process(const char *text, char **ret_type, char **ret_num, struct deis_err *err)
{
    struct deis_str rest = deis_str(text);
    struct deis_str type;
    struct deis_str num;
    uint64_t number = 0;

    *ret_type = NULL;
    *ret_num = NULL;
    if (!deis_str_split(&rest, '.', &type) || type.len == 0) {
        return deis_err_set(err, DEIS_INVALID, "'%s' is no process, ex: web or web.2", text);
    }
    if (deis_str_split(&rest, '.', &num)) {
        if (deis_str_to_u64(num, 0, NUMBER_MAX, &number, NULL) < 0) {
            return deis_err_set(err, DEIS_INVALID, "'%s' is no process, ex: web or web.2", text);
        }
        *ret_num = deis_asprintf("%llu", (unsigned long long)number);
    }
    *ret_type = deis_str_dup(type);
    return 0;
}

int pairs_number(const char *text, long *ret, struct deis_err *err)
{
    bool negative = text[0] == '-';
    uint64_t number = 0;

    if (deis_str_to_u64(deis_str(negative || text[0] == '+' ? text + 1 : text), 0, NUMBER_MAX,
                        &number, NULL) < 0) {
        return deis_err_set(err, DEIS_INVALID, "'%s' is no number", text);
    }
    *ret = negative ? -(long)number : (long)number;
    return 0;
}
