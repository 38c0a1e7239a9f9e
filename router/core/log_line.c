/* SPDX-License-Identifier: MIT */
#include "router/core/log_line.h"

enum {
    TARGET_MAX = 512, /* bytes of a target that are shown; twice that with escapes */
    METHOD_MAX = 32,
    RULES_MAX = 256,
};

static char *put(char *p, const char *s, size_t len)
{
    memcpy(p, s, len);
    return p + len;
}

#define PUT(p, literal) put((p), "" literal, sizeof(literal) - 1)

static char *put_cstr(char *p, const char *s)
{
    return put(p, s, strlen(s));
}

static char *put_number(char *p, uint64_t n)
{
    char digits[20];
    size_t i = sizeof(digits);

    do {
        digits[--i] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    return put(p, digits + i, sizeof(digits) - i);
}

/* Text between quotes; the parser let visible ASCII through only. */
static char *put_quoted(char *p, struct deis_str s, size_t max)
{
    size_t len = s.len < max ? s.len : max;

    *p++ = '"';
    for (size_t i = 0; i < len; i++) {
        if (s.ptr[i] == '"' || s.ptr[i] == '\\') {
            *p++ = '\\';
        }
        *p++ = s.ptr[i];
    }
    if (s.len > max) {
        p = PUT(p, "...");
    }
    *p++ = '"';
    return p;
}

static char *put_word(char *p, struct deis_str s, size_t max)
{
    return s.len > 0 ? put(p, s.ptr, s.len < max ? s.len : max) : PUT(p, "-");
}

size_t log_line_format(char *out, const struct log_line *l)
{
    char *p = out;

    if (l->desc) {
        p = PUT(p, "at=error ");
        if (l->code) {
            p = PUT(p, "code=");
            p = put_cstr(p, l->code);
            *p++ = ' ';
        }
        p = PUT(p, "desc=\"");
        p = put_cstr(p, l->desc);
        p = PUT(p, "\" ");
    } else {
        p = PUT(p, "at=info ");
    }
    p = PUT(p, "method=");
    p = put_word(p, l->method, METHOD_MAX);
    p = PUT(p, " path=");
    p = put_quoted(p, l->target, TARGET_MAX);
    p = PUT(p, " host=");
    p = put_word(p, l->host, 260);
    p = PUT(p, " request_id=");
    p = put_word(p, l->request_id, 128);
    p = PUT(p, " fwd=\"");
    p = put_word(p, l->client, 46);
    p = PUT(p, "\"");
    if (l->app) {
        p = PUT(p, " app=");
        p = put_word(p, deis_str(l->app), 255);
    }
    if (l->unit) {
        p = PUT(p, " unit=");
        p = put_word(p, deis_str(l->unit), 160);
    }
    p = PUT(p, " connect=");
    p = put_number(p, l->connect_us / 1000);
    p = PUT(p, "ms service=");
    p = put_number(p, l->service_us / 1000);
    p = PUT(p, "ms status=");
    p = put_number(p, (uint64_t)l->status);
    p = PUT(p, " bytes=");
    p = put_number(p, l->bytes);
    p = PUT(p, " protocol=");
    p = put_cstr(p, l->protocol);
    if (l->rules) {
        p = PUT(p, " rules=");
        p = put_word(p, deis_str(l->rules), RULES_MAX);
    }
    return (size_t)(p - out);
}
