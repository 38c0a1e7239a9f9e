/* SPDX-License-Identifier: MIT */
/*
 * Growable text or bytes under a limit. data is never NULL and always NUL-terminated. The first
 * append that would pass max_bytes marks the buffer failed and later appends do nothing: check once
 * at the end with deis_buf_failed(). thread: one owner
 */
#ifndef DEIS_BASE_BUF_H
#define DEIS_BASE_BUF_H

#include "lib/base/str.h"

#include <stdarg.h>

struct deis_buf {
    char *data;
    size_t len;
    size_t cap;
    size_t max_bytes;
    bool failed;
};

extern char deis_buf_empty[1];

#define DEIS_BUF_INIT(max)                                                                         \
    {                                                                                              \
        deis_buf_empty, 0, 0, (max), false                                                         \
    }
/* `deis_autobuf struct deis_buf b = DEIS_BUF_INIT(4096);` */
#define deis_autobuf __attribute__((cleanup(deis_buf_clear)))

void deis_buf_init(struct deis_buf *b, size_t max_bytes);
void deis_buf_clear(struct deis_buf *b); /* frees; ready for use again */
void deis_buf_reset(struct deis_buf *b); /* empties, keeps the memory, forgets a failure */
bool deis_buf_failed(const struct deis_buf *b);
struct deis_str deis_buf_str(const struct deis_buf *b);
char *deis_buf_take(struct deis_buf *b,
                    size_t *ret_len); /* yours (malloc), b is empty; ret_len may be NULL */

void deis_buf_add(struct deis_buf *b, const void *data, size_t len);
void deis_buf_add_str(struct deis_buf *b, struct deis_str s);
void deis_buf_add_cstr(struct deis_buf *b, const char *s);
void deis_buf_add_char(struct deis_buf *b, char c);
void deis_buf_addf(struct deis_buf *b, const char *format, ...) deis_printf(2, 3);
void deis_buf_vaddf(struct deis_buf *b, const char *format, va_list args) deis_printf(2, 0);
/* Percent-encode all but unreserved characters; keep_slash leaves '/' as it is. */
void deis_buf_add_urlencoded(struct deis_buf *b, struct deis_str s, bool keep_slash);
/* The inside of a JSON string: quotes, backslash, control bytes escaped; invalid UTF-8 as U+FFFD.
 */
void deis_buf_add_json_escaped(struct deis_buf *b, struct deis_str s);
/* Room for at least n more bytes at data + len, or NULL (failed). Set len yourself afterwards with
 * deis_buf_added(). */
char *deis_buf_reserve(struct deis_buf *b, size_t n);
void deis_buf_added(struct deis_buf *b, size_t n);
/* Remove the first n bytes (moves the rest). */
void deis_buf_drain(struct deis_buf *b, size_t n);

#endif
