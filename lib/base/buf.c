/* SPDX-License-Identifier: MIT */
#include "lib/base/buf.h"

#include <assert.h>
#include <stdio.h>

/* Stands for every buffer without memory. Threads share it: never written. */
char deis_buf_empty[1] = "";

void deis_buf_init(struct deis_buf *b, size_t max_bytes)
{
    *b = (struct deis_buf)DEIS_BUF_INIT(max_bytes);
}

void deis_buf_clear(struct deis_buf *b)
{
    if (b->cap > 0) {
        free(b->data);
    }
    deis_buf_init(b, b->max_bytes);
}

void deis_buf_reset(struct deis_buf *b)
{
    b->len = 0;
    b->failed = false;
    if (b->cap > 0) {
        b->data[0] = '\0';
    }
}

bool deis_buf_failed(const struct deis_buf *b)
{
    return b->failed;
}

struct deis_str deis_buf_str(const struct deis_buf *b)
{
    return (struct deis_str){ b->data, b->len };
}

char *deis_buf_take(struct deis_buf *b, size_t *ret_len)
{
    char *data = b->cap > 0 ? b->data : deis_alloc(1);

    if (ret_len) {
        *ret_len = b->len;
    }
    deis_buf_init(b, b->max_bytes);
    return data;
}

char *deis_buf_reserve(struct deis_buf *b, size_t n)
{
    if (b->failed || n > b->max_bytes || b->len > b->max_bytes - n) {
        b->failed = true;
        return NULL;
    }
    size_t need = b->len + n;
    if (need > b->cap) {
        size_t cap = b->cap > b->max_bytes / 2 ? b->max_bytes : b->cap * 2;
        if (cap < 63) {
            cap = 63;
        }
        if (cap < need) {
            cap = need;
        }
        /* cap leaves out the byte of the final NUL. */
        char *data = deis_realloc_array(b->cap > 0 ? b->data : NULL, cap + 1, 1);
        data[b->len] = '\0';
        b->data = data;
        b->cap = cap;
    }
    return b->data + b->len;
}

void deis_buf_added(struct deis_buf *b, size_t n)
{
    assert(n <= b->cap - b->len);
    if (n == 0) {
        return;
    }
    b->len += n;
    b->data[b->len] = '\0';
}

void deis_buf_add(struct deis_buf *b, const void *data, size_t len)
{
    if (len == 0) {
        return;
    }
    char *to = deis_buf_reserve(b, len);
    if (to) {
        memcpy(to, data, len);
        deis_buf_added(b, len);
    }
}

void deis_buf_add_str(struct deis_buf *b, struct deis_str s)
{
    deis_buf_add(b, s.ptr, s.len);
}

void deis_buf_add_cstr(struct deis_buf *b, const char *s)
{
    deis_buf_add(b, s, strlen(s));
}

void deis_buf_add_char(struct deis_buf *b, char c)
{
    deis_buf_add(b, &c, 1);
}

void deis_buf_vaddf(struct deis_buf *b, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (n <= 0) {
        b->failed = b->failed || n < 0;
        return;
    }
    char *to = deis_buf_reserve(b, (size_t)n);
    if (to) {
        vsnprintf(to, (size_t)n + 1, format, args);
        deis_buf_added(b, (size_t)n);
    }
}

void deis_buf_addf(struct deis_buf *b, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    deis_buf_vaddf(b, format, args);
    va_end(args);
}

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

void deis_buf_add_urlencoded(struct deis_buf *b, struct deis_str s, bool keep_slash)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < s.len && !b->failed; i++) {
        char c = s.ptr[i];
        if (is_unreserved(c) || (keep_slash && c == '/')) {
            deis_buf_add_char(b, c);
        } else {
            const char code[3] = { '%', digits[(unsigned char)c >> 4], digits[c & 15] };
            deis_buf_add(b, code, sizeof(code));
        }
    }
}

static bool is_json_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static void add_json_escape(struct deis_buf *b, char c)
{
    switch (c) {
    case '"': deis_buf_add(b, "\\\"", 2); break;
    case '\\': deis_buf_add(b, "\\\\", 2); break;
    case '\n': deis_buf_add(b, "\\n", 2); break;
    case '\r': deis_buf_add(b, "\\r", 2); break;
    case '\t': deis_buf_add(b, "\\t", 2); break;
    default: deis_buf_addf(b, "\\u%04x", (unsigned)(unsigned char)c); break;
    }
}

void deis_buf_add_json_escaped(struct deis_buf *b, struct deis_str s)
{
    while (s.len > 0 && !b->failed) {
        size_t n = 0;
        while (n < s.len && is_json_plain((unsigned char)s.ptr[n])) {
            n++;
        }
        deis_buf_add(b, s.ptr, n);
        s = deis_str_skip(s, n);
        if (s.len == 0) {
            break;
        }
        n = deis_utf8_step(s);
        if (n == 1) {
            add_json_escape(b, s.ptr[0]);
        } else if (n > 1) {
            deis_buf_add(b, s.ptr, n);
        } else {
            deis_buf_add(b, "\xef\xbf\xbd", 3);
            n = 1;
        }
        s = deis_str_skip(s, n);
    }
}

void deis_buf_drain(struct deis_buf *b, size_t n)
{
    if (n == 0) {
        return;
    }
    assert(n <= b->len);
    b->len -= n;
    memmove(b->data, b->data + n, b->len);
    b->data[b->len] = '\0';
}
