/* SPDX-License-Identifier: MIT */
#include "lib/wire/json_scan.h"

#include "lib/wire/json.h"

struct scan {
    const char *at;
    const char *end;
};

static void skip_space(struct scan *s)
{
    while (s->at < s->end &&
           (*s->at == ' ' || *s->at == '\n' || *s->at == '\r' || *s->at == '\t')) {
        s->at++;
    }
}

static bool take(struct scan *s, char c)
{
    skip_space(s);
    bool there = s->at < s->end && *s->at == c;
    s->at += there;
    return there;
}

/* Past a string whose first quote has been taken. */
static bool skip_string(struct scan *s)
{
    while (s->at < s->end) {
        const char *quote = memchr(s->at, '"', (size_t)(s->end - s->at));
        if (!quote) {
            return false;
        }
        const char *p = quote;
        while (p > s->at && p[-1] == '\\') {
            p--;
        }
        s->at = quote + 1;
        if ((quote - p) % 2 == 0) {
            return true;
        }
    }
    return false;
}

/* Past a number or a word. */
static bool skip_word(struct scan *s)
{
    const char *from = s->at;

    while (s->at < s->end &&
           ((*s->at >= '0' && *s->at <= '9') || (*s->at >= 'a' && *s->at <= 'z') || *s->at == '-' ||
            *s->at == '+' || *s->at == '.' || *s->at == 'E')) {
        s->at++;
    }
    return s->at > from;
}

/* Past one value of any kind. */
static bool skip_value(struct scan *s)
{
    char open[DEIS_JSON_MAX_DEPTH];
    size_t depth = 0;

    do {
        skip_space(s);
        char c = s->at < s->end ? *s->at : '\0';
        if (c == '{' || c == '[') {
            if (depth == DEIS_JSON_MAX_DEPTH) {
                return false;
            }
            open[depth++] = c == '{' ? '}' : ']';
            s->at++;
        } else if (c == '}' || c == ']') {
            if (depth == 0 || open[--depth] != c) {
                return false;
            }
            s->at++;
        } else if (depth > 0 && (c == ',' || c == ':')) {
            s->at++;
        } else if (c == '"') {
            s->at++;
            if (!skip_string(s)) {
                return false;
            }
        } else if (!skip_word(s)) {
            return false;
        }
    } while (depth > 0);
    return true;
}

static bool take_value(struct scan *s, struct deis_str *ret)
{
    skip_space(s);
    const char *from = s->at;
    if (!skip_value(s)) {
        return false;
    }
    *ret = deis_str_n(from, (size_t)(s->at - from));
    return true;
}

static bool take_name(struct scan *s, struct deis_str *ret)
{
    if (!take(s, '"')) {
        return false;
    }
    const char *from = s->at;
    if (!skip_string(s)) {
        return false;
    }
    *ret = deis_str_n(from, (size_t)(s->at - 1 - from));
    return take(s, ':');
}

/* Keep the value if its name is wanted. False: the second of its name. */
static bool keep(struct deis_str name, struct deis_str value, const char *const *names,
                 size_t count, struct deis_str *rets)
{
    for (size_t i = 0; i < count; i++) {
        if (deis_str_eq_cstr(name, names[i])) {
            bool first = rets[i].ptr == NULL;
            rets[i] = value;
            return first;
        }
    }
    return true;
}

static bool is_null(struct deis_str value)
{
    return deis_str_eq_cstr(value, "null");
}

bool deis_json_scan_object(struct deis_str text, const char *const *names, size_t count,
                           struct deis_str *rets)
{
    text = text.ptr ? text : DEIS_STR("");
    struct scan s = { text.ptr, text.ptr + text.len };
    struct deis_str name, value;

    for (size_t i = 0; i < count; i++) {
        rets[i] = DEIS_STR_NONE;
    }
    if (!take(&s, '{')) {
        return false;
    }
    skip_space(&s);
    const char *first = s.at;
    for (bool closed = take(&s, '}'); !closed; closed = take(&s, '}')) {
        bool fits = (s.at == first || take(&s, ',')) && take_name(&s, &name) &&
                    take_value(&s, &value) && keep(name, value, names, count, rets);
        if (!fits) {
            return false;
        }
    }
    skip_space(&s);
    for (size_t i = 0; i < count; i++) {
        if (is_null(rets[i])) {
            rets[i] = DEIS_STR_NONE;
        }
    }
    return s.at == s.end;
}

bool deis_json_scan_array(struct deis_str *at, struct deis_str *ret_item, bool *ret_bad)
{
    struct scan s = { at->ptr, at->ptr + at->len };
    bool first = take(&s, '[');

    /* Between two items *at begins with the comma or the closing bracket. */
    *ret_bad = false;
    if (take(&s, ']')) {
        skip_space(&s);
        *ret_bad = s.at != s.end;
        return false;
    }
    *ret_bad = (!first && !take(&s, ',')) || !take_value(&s, ret_item);
    *at = deis_str_n(s.at, (size_t)(s.end - s.at));
    return !*ret_bad;
}

bool deis_json_scan_text(struct deis_str value, struct deis_str *ret)
{
    struct scan s = { value.ptr, value.ptr + value.len };

    if (!take(&s, '"')) {
        return false;
    }
    const char *from = s.at;
    if (!skip_string(&s) || s.at != s.end) {
        return false;
    }
    *ret = deis_str_n(from, (size_t)(s.at - 1 - from));
    return true;
}
