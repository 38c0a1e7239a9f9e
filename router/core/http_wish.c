/* SPDX-License-Identifier: MIT */
#include "router/core/http_wish.h"

enum { TAG_DIGITS = 16 };

static bool hex_to_u64(struct deis_str s, uint64_t *ret)
{
    *ret = 0;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        unsigned digit;
        if (c >= '0' && c <= '9') {
            digit = (unsigned)(c - '0');
        } else if (c >= 'a' && c <= 'f') {
            digit = (unsigned)(c - 'a') + 10;
        } else {
            return false;
        }
        *ret = *ret << 4 | digit;
    }
    return s.len == TAG_DIGITS;
}

/* RFC 6265 section 4.2.1: pairs with "; " between them. */
static uint64_t tag_in(struct deis_str cookies)
{
    static const char name[] = HTTP_COOKIE_NAME "=";
    struct deis_str pair;
    uint64_t tag;

    while (deis_str_split(&cookies, ';', &pair)) {
        pair = deis_str_trim(pair);
        if (deis_str_starts(pair, name) &&
            hex_to_u64(deis_str_skip(pair, sizeof(name) - 1), &tag)) {
            return tag;
        }
    }
    return 0;
}

uint64_t http_cookie_tag(const struct deis_h1_head *head)
{
    uint64_t tag = 0;

    for (size_t i = 0; i < head->header_count && tag == 0; i++) {
        if (deis_str_ieq(head->headers[i].name, DEIS_STR("cookie"))) {
            tag = tag_in(head->headers[i].value);
        }
    }
    return tag;
}

struct deis_str http_query_value(struct deis_str target, const char *name)
{
    ptrdiff_t mark = deis_str_find(target, '?');
    struct deis_str rest = mark < 0 ? DEIS_STR_NONE : deis_str_skip(target, (size_t)mark + 1);
    struct deis_str pair;

    while (deis_str_split(&rest, '&', &pair)) {
        ptrdiff_t equals = deis_str_find(pair, '=');
        if (equals > 0 && deis_str_eq_cstr(deis_str_first(pair, (size_t)equals), name)) {
            struct deis_str value = deis_str_skip(pair, (size_t)equals + 1);
            return value.len > 0 ? value : DEIS_STR_NONE;
        }
    }
    return DEIS_STR_NONE;
}
