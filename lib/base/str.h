/* SPDX-License-Identifier: MIT */
/* A view of text: pointer and length, never freed, not NUL-terminated. thread: any */
#ifndef DEIS_BASE_STR_H
#define DEIS_BASE_STR_H

#include "lib/base/err.h"

struct deis_str {
    const char *ptr;
    size_t len;
};

#define DEIS_STR(literal) ((struct deis_str){ "" literal, sizeof(literal) - 1 })
#define DEIS_STR_NONE     ((struct deis_str){ NULL, 0 })
/* For printf: "%.*s" */
#define DEIS_STR_ARG(s) (int)(s).len, (s).ptr

/* These here, so that the length of a literal is known where it is used. */

static inline struct deis_str deis_str(const char *cstr) /* NULL gives the empty view */
{
    return (struct deis_str){ cstr, cstr ? strlen(cstr) : 0 };
}

static inline struct deis_str deis_str_n(const char *ptr, size_t len)
{
    return (struct deis_str){ ptr, len };
}

static inline bool deis_str_eq(struct deis_str a, struct deis_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool deis_str_eq_cstr(struct deis_str a, const char *b)
{
    return deis_str_eq(a, deis_str(b));
}

bool deis_str_ieq(struct deis_str a, struct deis_str b); /* ASCII case ignored */
bool deis_str_ieq_cstr(struct deis_str a, const char *b);
bool deis_str_starts(struct deis_str s, const char *prefix);
bool deis_str_ends(struct deis_str s, const char *suffix);
int deis_str_cmp(struct deis_str a, struct deis_str b);      /* bytewise, as memcmp */
struct deis_str deis_str_skip(struct deis_str s, size_t n);  /* without the first n bytes */
struct deis_str deis_str_first(struct deis_str s, size_t n); /* the first n bytes at most */
struct deis_str deis_str_trim(struct deis_str s); /* blanks, tabs, CR and LF at both ends */
/* Index of the first c, or -1. */
ptrdiff_t deis_str_find(struct deis_str s, char c);
ptrdiff_t deis_str_rfind(struct deis_str s, char c);
/* Take the part before the first sep off *rest (the whole of it when there is none, *rest becomes
 * NONE); false when *rest is NONE. "a,,b" gives "a", "", "b"; "" gives one empty part. */
bool deis_str_split(struct deis_str *rest, char sep, struct deis_str *ret_part);
char *deis_str_dup(struct deis_str s);    /* NUL-terminated, yours */
bool deis_str_is_utf8(struct deis_str s); /* valid UTF-8 and no NUL */
/* Bytes of the valid UTF-8 character that s starts with, 1..4; 0 when there is none. */
size_t deis_utf8_step(struct deis_str s);

/* Decimal digits only, no sign, no blanks. DEIS_INVALID when it is none or out of [min, max]. */
int deis_str_to_u64(struct deis_str s, uint64_t min, uint64_t max, uint64_t *ret,
                    struct deis_err *err) deis_must_check;
/* "500ms", "30s", "5m", "2h"; a bare number is seconds. In milliseconds. */
int deis_str_to_ms(struct deis_str s, uint64_t max_ms, uint64_t *ret_ms,
                   struct deis_err *err) deis_must_check;
/* "512", "64k", "10MB", "2G": bytes; units are powers of 1024, case ignored, B optional. */
int deis_str_to_bytes(struct deis_str s, uint64_t max, uint64_t *ret,
                      struct deis_err *err) deis_must_check;

/* The one rule for names that become host names, repositories and keys: a DNS label,
 * [a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?, matched to the very end. */
bool deis_str_is_label(struct deis_str s);
/* A process type: [a-z][a-z0-9_-]{0,62}. */
bool deis_str_is_process_type(struct deis_str s);

#endif
