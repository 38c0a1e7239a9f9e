/* SPDX-License-Identifier: MIT */
#include "router/core/body_kind.h"

static bool iends(struct deis_str s, const char *suffix)
{
    size_t len = strlen(suffix);

    return s.len >= len && deis_str_ieq_cstr(deis_str_skip(s, s.len - len), suffix);
}

/* RFC 6839: a suffix names the syntax below. */
static bool is_text(struct deis_str type)
{
    return deis_str_ieq_cstr(type, "application/x-www-form-urlencoded") || iends(type, "/json") ||
           iends(type, "+json") || iends(type, "/xml") || iends(type, "+xml");
}

/* Up to what ends it for one parser or another. */
static struct deis_str media_type(struct deis_str value)
{
    size_t len = 0;

    value = deis_str_trim(value);
    while (len < value.len && !strchr("; \t\"", value.ptr[len])) {
        len++;
    }
    return deis_str_first(value, len);
}

static enum body_kind kind_of(struct deis_str list)
{
    struct deis_str part;

    while (deis_str_split(&list, ',', &part)) {
        struct deis_str type = media_type(part);
        if (deis_str_ieq_cstr(type, "multipart/form-data")) {
            return BODY_PARTS;
        }
        if (is_text(type)) {
            return BODY_TEXT;
        }
    }
    return BODY_OPAQUE;
}

enum body_kind body_kind(const struct deis_h1_head *head)
{
    enum body_kind kind = BODY_OPAQUE;
    bool typed = false;

    for (size_t i = 0; i < head->header_count && kind != BODY_TEXT; i++) {
        if (deis_str_ieq_cstr(head->headers[i].name, "content-type")) {
            enum body_kind one = kind_of(head->headers[i].value);
            typed = typed || deis_str_trim(head->headers[i].value).len > 0;
            kind = one == BODY_OPAQUE ? kind : one;
        }
    }
    return !typed && deis_str_eq_cstr(head->method, "POST") ? BODY_TEXT : kind;
}
