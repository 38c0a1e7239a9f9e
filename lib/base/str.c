/* SPDX-License-Identifier: MIT */
#include "lib/base/str.h"

static unsigned char lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

bool deis_str_ieq(struct deis_str a, struct deis_str b)
{
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        if (lower(a.ptr[i]) != lower(b.ptr[i])) {
            return false;
        }
    }
    return true;
}

bool deis_str_ieq_cstr(struct deis_str a, const char *b)
{
    return deis_str_ieq(a, deis_str(b));
}

bool deis_str_starts(struct deis_str s, const char *prefix)
{
    size_t n = strlen(prefix);
    return s.len >= n && (n == 0 || memcmp(s.ptr, prefix, n) == 0);
}

bool deis_str_ends(struct deis_str s, const char *suffix)
{
    size_t n = strlen(suffix);
    return s.len >= n && (n == 0 || memcmp(s.ptr + s.len - n, suffix, n) == 0);
}

int deis_str_cmp(struct deis_str a, struct deis_str b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int order = n ? memcmp(a.ptr, b.ptr, n) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

struct deis_str deis_str_skip(struct deis_str s, size_t n)
{
    if (n >= s.len) {
        n = s.len;
    }
    return (struct deis_str){ s.ptr ? s.ptr + n : NULL, s.len - n };
}

struct deis_str deis_str_first(struct deis_str s, size_t n)
{
    return (struct deis_str){ s.ptr, n < s.len ? n : s.len };
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct deis_str deis_str_trim(struct deis_str s)
{
    while (s.len > 0 && is_space(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len > 0 && is_space(s.ptr[s.len - 1])) {
        s.len--;
    }
    return s;
}

ptrdiff_t deis_str_find(struct deis_str s, char c)
{
    const char *p = s.len ? memchr(s.ptr, c, s.len) : NULL;
    return p ? p - s.ptr : -1;
}

ptrdiff_t deis_str_rfind(struct deis_str s, char c)
{
    const char *p = s.len ? memrchr(s.ptr, c, s.len) : NULL;
    return p ? p - s.ptr : -1;
}

bool deis_str_split(struct deis_str *rest, char sep, struct deis_str *ret_part)
{
    if (!rest->ptr) {
        return false;
    }
    ptrdiff_t at = deis_str_find(*rest, sep);
    if (at < 0) {
        *ret_part = *rest;
        *rest = DEIS_STR_NONE;
    } else {
        *ret_part = deis_str_first(*rest, (size_t)at);
        *rest = deis_str_skip(*rest, (size_t)at + 1);
    }
    return true;
}

char *deis_str_dup(struct deis_str s)
{
    char *copy = deis_alloc(s.len + 1);
    if (s.len) {
        memcpy(copy, s.ptr, s.len);
    }
    return copy;
}

size_t deis_utf8_step(struct deis_str s)
{
    if (s.len == 0) {
        return 0;
    }
    const unsigned char *p = (const unsigned char *)s.ptr;
    /* Only the second byte has a narrower range: no overlong forms, surrogates, or past U+10FFFF.
     */
    unsigned char low = 0x80;
    unsigned char high = 0xbf;
    size_t n;
    if (p[0] < 0x80) {
        return 1;
    }
    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        n = 2;
    } else if (p[0] >= 0xe0 && p[0] <= 0xef) {
        n = 3;
        low = p[0] == 0xe0 ? 0xa0 : low;
        high = p[0] == 0xed ? 0x9f : high;
    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        n = 4;
        low = p[0] == 0xf0 ? 0x90 : low;
        high = p[0] == 0xf4 ? 0x8f : high;
    } else {
        return 0;
    }
    if (s.len < n || p[1] < low || p[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return n;
}

bool deis_str_is_utf8(struct deis_str s)
{
    while (s.len > 0) {
        size_t n = deis_utf8_step(s);
        if (n == 0 || s.ptr[0] == '\0') {
            return false;
        }
        s.ptr += n;
        s.len -= n;
    }
    return true;
}

/* What a person typed, short enough for a message. */
#define SHOWN(s) (int)((s).len < 40 ? (s).len : 40), (s).ptr ? (s).ptr : ""

/* The digits that s starts with; false when there are none or they pass 64 bits. */
static bool take_digits(struct deis_str *s, uint64_t *ret)
{
    uint64_t value = 0;
    size_t i = 0;

    for (; i < s->len && s->ptr[i] >= '0' && s->ptr[i] <= '9'; i++) {
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(s->ptr[i] - '0'), &value)) {
            return false;
        }
    }
    *s = deis_str_skip(*s, i);
    *ret = value;
    return i > 0;
}

int deis_str_to_u64(struct deis_str s, uint64_t min, uint64_t max, uint64_t *ret,
                    struct deis_err *err)
{
    struct deis_str rest = s;
    uint64_t value;

    if (!take_digits(&rest, &value) || rest.len > 0 || value < min || value > max) {
        return deis_err_set(err, DEIS_INVALID, "'%.*s' is not a whole number from %llu to %llu",
                            SHOWN(s), (unsigned long long)min, (unsigned long long)max);
    }
    *ret = value;
    return DEIS_OK;
}

int deis_str_to_ms(struct deis_str s, uint64_t max_ms, uint64_t *ret_ms, struct deis_err *err)
{
    static const struct {
        const char *unit;
        uint64_t ms;
    } units[] = { { "", 1000 }, { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 } };
    struct deis_str rest = s;
    uint64_t value;

    if (take_digits(&rest, &value)) {
        for (size_t i = 0; i < DEIS_COUNT(units); i++) {
            if (!deis_str_eq_cstr(rest, units[i].unit)) {
                continue;
            }
            if (__builtin_mul_overflow(value, units[i].ms, &value) || value > max_ms) {
                return deis_err_set(err, DEIS_INVALID, "'%.*s' is longer than %llums", SHOWN(s),
                                    (unsigned long long)max_ms);
            }
            *ret_ms = value;
            return DEIS_OK;
        }
    }
    return deis_err_set(err, DEIS_INVALID, "'%.*s' is not a time such as 500ms, 30s, 5m or 2h",
                        SHOWN(s));
}

int deis_str_to_bytes(struct deis_str s, uint64_t max, uint64_t *ret, struct deis_err *err)
{
    static const struct {
        const char *unit;
        unsigned shift;
    } units[] = { { "", 0 },    { "b", 0 },  { "k", 10 },  { "kb", 10 }, { "m", 20 },
                  { "mb", 20 }, { "g", 30 }, { "gb", 30 }, { "t", 40 },  { "tb", 40 } };
    struct deis_str rest = s;
    uint64_t value;

    if (take_digits(&rest, &value)) {
        for (size_t i = 0; i < DEIS_COUNT(units); i++) {
            if (!deis_str_ieq_cstr(rest, units[i].unit)) {
                continue;
            }
            if (__builtin_mul_overflow(value, UINT64_C(1) << units[i].shift, &value) ||
                value > max) {
                return deis_err_set(err, DEIS_INVALID, "'%.*s' is more than %llu bytes", SHOWN(s),
                                    (unsigned long long)max);
            }
            *ret = value;
            return DEIS_OK;
        }
    }
    return deis_err_set(err, DEIS_INVALID, "'%.*s' is not a size such as 512, 64k, 10MB or 2G",
                        SHOWN(s));
}

static bool is_lower_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool deis_str_is_label(struct deis_str s)
{
    if (s.len == 0 || s.len > 63 || s.ptr[0] == '-' || s.ptr[s.len - 1] == '-') {
        return false;
    }
    for (size_t i = 0; i < s.len; i++) {
        if (!is_lower_or_digit(s.ptr[i]) && s.ptr[i] != '-') {
            return false;
        }
    }
    return true;
}

bool deis_str_is_process_type(struct deis_str s)
{
    if (s.len == 0 || s.len > 63 || s.ptr[0] < 'a' || s.ptr[0] > 'z') {
        return false;
    }
    for (size_t i = 1; i < s.len; i++) {
        if (!is_lower_or_digit(s.ptr[i]) && s.ptr[i] != '-' && s.ptr[i] != '_') {
            return false;
        }
    }
    return true;
}
