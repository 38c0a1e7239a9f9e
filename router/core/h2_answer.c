/* SPDX-License-Identifier: MIT */
#include "router/core/h2_answer.h"

static bool is_one_line(struct deis_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '\r' || s.ptr[i] == '\n' || s.ptr[i] == '\0') {
            return false;
        }
    }
    return true;
}

static bool is_line(struct deis_str name, struct deis_str value)
{
    return name.len > 0 && deis_str_find(name, ':') < 0 && is_one_line(name) && is_one_line(value);
}

static bool is_any_of(struct deis_str name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (deis_str_ieq_cstr(name, names[i])) {
            return true;
        }
    }
    return false;
}

static bool is_connection_field(struct deis_str name)
{
    static const char *const names[] = { "connection", "keep-alive", "proxy-connection",
                                         "transfer-encoding", "upgrade" };

    return is_any_of(name, names, DEIS_COUNT(names));
}

static size_t put_line(char *text, size_t len, struct deis_str name, struct deis_str value)
{
    memcpy(text + len, name.ptr, name.len);
    len += name.len;
    memcpy(text + len, ": ", 2);
    len += 2;
    if (value.len > 0) {
        memcpy(text + len, value.ptr, value.len);
        len += value.len;
    }
    memcpy(text + len, "\r\n", 2);
    return len + 2;
}

static size_t put_grant(char *text, const char *accept)
{
    return (size_t)snprintf(text, H2_ANSWER_EXTRA,
                            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n"
                            "connection: upgrade\r\nsec-websocket-accept: %s\r\n",
                            accept);
}

/* What only a 101 of HTTP/1.1 says, and what it never does. */
static bool is_replaced(struct deis_str name)
{
    return deis_str_ieq_cstr(name, "sec-websocket-accept") ||
           deis_str_ieq_cstr(name, "content-length");
}

static void put_status(struct h2_answer *h, char *text, struct deis_str value)
{
    uint64_t status;

    if (h->len > 0 || value.len != 3 || deis_str_to_u64(value, 100, 599, &status, NULL) < 0 ||
        status == 101) {
        h->bad = true;
        return;
    }
    h->status = (int)status;
    h->granted = h->accept && status / 100 == 2;
    h->len = h->granted ? put_grant(text, h->accept)
                        : (size_t)snprintf(text, H2_ANSWER_EXTRA, "HTTP/1.1 %d %s\r\n", h->status,
                                           deis_h1_reason(h->status));
}

void h2_answer_add(struct h2_answer *h, char *text, struct deis_str name, struct deis_str value)
{
    if (h->bad) {
        return;
    }
    if (deis_str_eq_cstr(name, ":status")) {
        put_status(h, text, value);
        return;
    }
    if (h->status == 0 || !is_line(name, value) || is_connection_field(name) ||
        h->len + name.len + value.len + H2_ANSWER_EXTRA > H2_ANSWER_MAX) {
        h->bad = true;
        return;
    }
    if (h->granted && is_replaced(name)) {
        return;
    }
    h->has_length = h->has_length || deis_str_ieq_cstr(name, "content-length");
    h->len = put_line(text, h->len, name, value);
}

bool h2_answer_finish(struct h2_answer *h, char *text, bool no_body)
{
    bool may_have = h->status >= 200 && h->status != 204 && h->status != 304 && !h->granted;

    if (h->bad || h->status == 0) {
        return false;
    }
    if (no_body && may_have && !h->has_length) {
        h->len = put_line(text, h->len, DEIS_STR("content-length"), DEIS_STR("0"));
    }
    memcpy(text + h->len, "\r\n", 2);
    h->len += 2;
    return true;
}

size_t h2_trailer_add(char *text, size_t len, struct deis_str name, struct deis_str value)
{
    static const char *const early[] = {
        "content-length",   "host",          "trailer",       "te",
        "cookie",           "set-cookie",    "authorization", "content-type",
        "content-encoding", "content-range", "location",      "age",
        "cache-control",    "expires",       "date",          "vary"
    };

    if (!is_line(name, value) || is_connection_field(name) ||
        is_any_of(name, early, DEIS_COUNT(early))) {
        return len;
    }
    return put_line(text, len, name, value);
}

bool h2_trailer_next(struct deis_str *lines, struct deis_str *ret_name, struct deis_str *ret_value)
{
    const char *end = lines->len > 0 ? memmem(lines->ptr, lines->len, "\r\n", 2) : NULL;
    const char *colon = end ? memchr(lines->ptr, ':', (size_t)(end - lines->ptr)) : NULL;

    if (!colon) {
        return false;
    }
    *ret_name = deis_str_n(lines->ptr, (size_t)(colon - lines->ptr));
    *ret_value = deis_str_trim(deis_str_n(colon + 1, (size_t)(end - colon - 1)));
    *lines = deis_str_skip(*lines, (size_t)(end - lines->ptr) + 2);
    return true;
}
