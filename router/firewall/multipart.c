/* SPDX-License-Identifier: MIT */
#include "router/firewall/multipart.h"

static struct deis_str skip(struct deis_str s, size_t n)
{
    return n < s.len ? deis_str_n(s.ptr + n, s.len - n) : deis_str_n(s.ptr + s.len, 0);
}

static bool starts(struct deis_str s, const char *prefix)
{
    size_t len = strlen(prefix);

    return s.len >= len && strncasecmp(s.ptr, prefix, len) == 0;
}

struct deis_str multipart_boundary(struct deis_str content_type)
{
    static const char name[] = "boundary=";

    if (!starts(content_type, "multipart/form-data")) {
        return DEIS_STR_NONE;
    }
    for (struct deis_str s = content_type; s.len > 0; s = skip(s, 1)) {
        if (!starts(s, name) || !strchr("; \t", s.ptr[-1])) {
            continue;
        }
        s = skip(s, sizeof(name) - 1);
        bool quoted = s.len > 0 && s.ptr[0] == '"';
        s = skip(s, quoted);
        size_t len = 0;
        while (len < s.len && !strchr(quoted ? "\"" : "; \t,\"", s.ptr[len])) {
            len++;
        }
        return len > 0 && len <= MULTIPART_BOUNDARY_MAX ? deis_str_n(s.ptr, len) : DEIS_STR_NONE;
    }
    return DEIS_STR_NONE;
}

/* Does a delimiter stand at the start of s (RFC 2046 section 5.1.1)? */
static bool is_delimiter(struct deis_str s, struct deis_str boundary)
{
    struct deis_str behind = skip(s, boundary.len + 2);

    return s.len >= boundary.len + 2 && memcmp(s.ptr, "--", 2) == 0 &&
           memcmp(s.ptr + 2, boundary.ptr, boundary.len) == 0 &&
           (behind.len == 0 || memchr("\r\n \t", behind.ptr[0], 4) || starts(behind, "--"));
}

/* The empty line behind a part's fields, however its ends of lines are written. */
static bool has_empty_line(struct deis_str part)
{
    return memmem(part.ptr, part.len, "\n\r\n", 3) || memmem(part.ptr, part.len, "\n\n", 2);
}

/* May s be the beginning of one? */
static bool may_be_delimiter(struct deis_str s, struct deis_str boundary)
{
    size_t dashes = s.len < 2 ? s.len : 2;
    size_t name = s.len - dashes < boundary.len ? s.len - dashes : boundary.len;
    struct deis_str behind = skip(s, dashes + name);

    return memcmp(s.ptr, "--", dashes) == 0 && memcmp(s.ptr + dashes, boundary.ptr, name) == 0 &&
           (behind.len == 0 || (behind.len == 1 && behind.ptr[0] == '-'));
}

size_t multipart_end(struct deis_str body, struct deis_str boundary, bool *ret_delimiter)
{
    bool any = false;
    size_t last = 0; /* delimiter */
    size_t end = body.len;

    *ret_delimiter = false;
    for (struct deis_str line = body; line.len > 0;) {
        size_t at = (size_t)(line.ptr - body.ptr);
        const char *feed = memchr(line.ptr, '\n', line.len);
        if (is_delimiter(line, boundary)) {
            struct deis_str behind = skip(line, boundary.len + 2);
            bool final = behind.len >= 2 && memcmp(behind.ptr, "--", 2) == 0;
            if (final && feed) {
                return body.len;
            }
            if (final) {
                end = at >= 2 ? at - 2 : 0; /* what reads it wants the line's end */
                break;
            }
            any = true;
            last = at;
        } else if (!feed && at >= 2 && may_be_delimiter(line, boundary)) {
            end = at - 2;
        }
        line = feed ? skip(line, (size_t)(feed - line.ptr) + 1) : DEIS_STR_NONE;
    }
    if (!any) {
        return body.len;
    }
    if (end < last || !has_empty_line(deis_str_n(body.ptr + last, end - last))) {
        end = last >= 2 ? last - 2 : 0;
    }
    *ret_delimiter = end > 0;
    return end;
}
