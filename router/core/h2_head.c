/* SPDX-License-Identifier: MIT */
#include "router/core/h2_head.h"

#include <stdio.h>

static void put(struct h2_head *h, char *text, struct deis_str s)
{
    if (s.len > 0) {
        memcpy(text + h->len, s.ptr, s.len);
        h->len += s.len;
    }
}

#define PUT(h, text, literal) put((h), (text), DEIS_STR(literal))

static void refuse(struct h2_head *h, int status)
{
    if (h->status == 0) {
        h->status = status;
    }
}

/* What the parser reads later can't reach beyond its line; the rest it judges itself. */
static bool is_one_line(struct deis_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '\r' || s.ptr[i] == '\n' || s.ptr[i] == '\0') {
            return false;
        }
    }
    return true;
}

static bool is_name(struct deis_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((s.ptr[i] >= 'A' && s.ptr[i] <= 'Z') || s.ptr[i] == ':') {
            return false;
        }
    }
    return s.len > 0 && is_one_line(s);
}

static bool has_blank(struct deis_str s)
{
    return deis_str_find(s, ' ') >= 0 || deis_str_find(s, '\t') >= 0;
}

bool h2_head_is_pseudo(struct deis_str name)
{
    return name.len > 0 && name.ptr[0] == ':';
}

static void add_pseudo(struct h2_head *h, struct deis_str name, struct deis_str value)
{
    struct deis_str *slot = NULL;

    if (deis_str_eq_cstr(name, ":method")) {
        slot = &h->method;
    } else if (deis_str_eq_cstr(name, ":path")) {
        slot = &h->path;
    } else if (deis_str_eq_cstr(name, ":authority")) {
        slot = &h->authority;
    } else if (deis_str_eq_cstr(name, ":scheme")) {
        slot = &h->scheme;
    } else if (deis_str_eq_cstr(name, ":protocol")) {
        slot = &h->protocol;
    }
    if (!slot || slot->ptr || h->line_written || value.len == 0 || !is_one_line(value) ||
        has_blank(value)) {
        refuse(h, 400);
    } else {
        *slot = value;
        h->head_only = h->head_only || (slot == &h->method && deis_str_eq_cstr(value, "HEAD"));
    }
}

static bool is_scheme(struct deis_str s)
{
    return deis_str_ieq_cstr(s, "https") || deis_str_ieq_cstr(s, "http");
}

/* What is asked for by CONNECT, plain (section 8.5) or extended (RFC 8441 section 4). False: it is
 * refused. */
static bool take_connect(struct h2_head *h)
{
    if (!deis_str_eq_cstr(h->method, "CONNECT")) {
        if (h->protocol.ptr) {
            refuse(h, 400);
        }
        return !h->protocol.ptr;
    }
    if (!h->protocol.ptr || !deis_str_ieq_cstr(h->protocol, "websocket")) {
        refuse(h, 501);
        return false;
    }
    h->websocket = true;
    h->method = DEIS_STR("GET");
    return true;
}

/* Section 8.3.1. */
void h2_head_write_line(struct h2_head *h, char *text)
{
    h->line_written = true;
    if (!take_connect(h)) {
        return;
    }
    if (!h->method.ptr || !is_scheme(h->scheme) || !h->path.ptr ||
        (h->path.ptr[0] != '/' && !deis_str_eq_cstr(h->path, "*"))) {
        refuse(h, 400);
        return;
    }
    put(h, text, h->method);
    PUT(h, text, " ");
    put(h, text, h->path);
    PUT(h, text, " HTTP/1.1\r\n");
    if (h->authority.ptr) {
        PUT(h, text, "host: ");
        h->host_at = h->len;
        h->host_len = h->authority.len;
        put(h, text, h->authority);
        PUT(h, text, "\r\n");
    }
}

/* Section 8.2.2. */
static bool is_connection_field(struct deis_str name, struct deis_str value)
{
    switch (name.ptr[0]) {
    case 'c': return deis_str_eq_cstr(name, "connection");
    case 'k': return deis_str_eq_cstr(name, "keep-alive");
    case 'p': return deis_str_eq_cstr(name, "proxy-connection");
    case 't':
        return deis_str_eq_cstr(name, "transfer-encoding") ||
               (deis_str_eq_cstr(name, "te") && !deis_str_ieq_cstr(value, "trailers"));
    case 'u': return deis_str_eq_cstr(name, "upgrade");
    default: return false;
    }
}

/* True: it says what :authority says already. */
static bool is_known_host(struct h2_head *h, const char *text, struct deis_str value)
{
    if (h->host_at == 0) {
        return false;
    }
    if (!deis_str_ieq(deis_str_n(text + h->host_at, h->host_len), value)) {
        refuse(h, 400);
    }
    return true;
}

/* Another crumb behind those that are there. */
static void add_crumb(struct h2_head *h, char *text, struct deis_str value)
{
    char *at = text + h->cookie_end;
    size_t grow = value.len + 2;

    memmove(at + grow, at, h->len - h->cookie_end);
    memcpy(at, "; ", 2);
    if (value.len > 0) {
        memcpy(at + 2, value.ptr, value.len);
    }
    h->cookie_end += grow;
    h->len += grow;
}

void h2_head_add(struct h2_head *h, char *text, struct deis_str name, struct deis_str value)
{
    if (h->status != 0) {
        return;
    }
    if (h2_head_room(h, name, value) > H2_HEAD_MAX) {
        refuse(h, deis_str_eq_cstr(name, ":path") ? 414 : 431);
        return;
    }
    if (h2_head_is_pseudo(name)) {
        add_pseudo(h, name, value);
        return;
    }
    if (!h->line_written) {
        h2_head_write_line(h, text);
    }
    if (!is_name(name) || !is_one_line(value) || is_connection_field(name, value)) {
        refuse(h, 400);
    }
    if (h->status != 0 || (deis_str_eq_cstr(name, "host") && is_known_host(h, text, value))) {
        return;
    }
    if (h->websocket && deis_str_eq_cstr(name, "sec-websocket-key")) {
        return;
    }
    bool is_cookie = deis_str_eq_cstr(name, "cookie");
    if (is_cookie && h->cookie_end > 0) {
        add_crumb(h, text, value);
        return;
    }
    if (++h->fields > DEIS_H1_MAX_HEADERS) {
        refuse(h, 431);
        return;
    }
    h->has_length = h->has_length || deis_str_eq_cstr(name, "content-length");
    if (h->websocket && h->has_length) {
        refuse(h, 400);
        return;
    }
    put(h, text, name);
    PUT(h, text, ": ");
    put(h, text, value);
    h->cookie_end = is_cookie ? h->len : h->cookie_end;
    PUT(h, text, "\r\n");
}

bool h2_head_finish(struct h2_head *h, char *text, int64_t body, struct deis_str key)
{
    if (!h->line_written && h->status == 0) {
        h2_head_write_line(h, text);
    }
    if (h->status != 0) {
        return false;
    }
    if (h->websocket) {
        PUT(h, text, "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: ");
        put(h, text, key);
        PUT(h, text, "\r\n");
    } else if (!h->has_length && body > 0) {
        /* A known length spares the app a chunked body. */
        char digits[24];
        int n = snprintf(digits, sizeof(digits), "%lld", (long long)body);
        PUT(h, text, "content-length: ");
        put(h, text, deis_str_n(digits, (size_t)n));
        PUT(h, text, "\r\n");
    }
    PUT(h, text, "\r\n");
    return true;
}
