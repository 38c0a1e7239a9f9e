/* SPDX-License-Identifier: MIT */
#include "lib/wire/url.h"

void deis_url_split(struct deis_str target, struct deis_str *ret_path, struct deis_str *ret_query)
{
    ptrdiff_t at = deis_str_find(target, '?');

    if (at < 0) {
        *ret_path = target;
        *ret_query = DEIS_STR_NONE;
    } else {
        *ret_path = deis_str_first(target, (size_t)at);
        *ret_query = deis_str_skip(target, (size_t)at + 1);
    }
}

static int hex_value_of(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int deis_url_decode(struct deis_str s, bool form, struct deis_buf *out, struct deis_err *err)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '%') {
            int high = i + 2 < s.len ? hex_value_of(s.ptr[i + 1]) : -1;
            int low = high >= 0 ? hex_value_of(s.ptr[i + 2]) : -1;
            if (low < 0) {
                return deis_err_set(err, DEIS_INVALID, "'%%' must be followed by two hex digits");
            }
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+' && form) {
            c = ' ';
        }
        if (c == '\0') {
            return deis_err_set(err, DEIS_INVALID, "NUL is not allowed");
        }
        deis_buf_add_char(out, c);
    }
    if (deis_buf_failed(out)) {
        return deis_err_set(err, DEIS_LIMIT, "too long");
    }
    return DEIS_OK;
}

int deis_url_query_get(struct deis_str query, const char *key, struct deis_buf *out,
                       struct deis_err *err)
{
    struct deis_str pair;

    while (deis_str_split(&query, '&', &pair)) {
        ptrdiff_t at = deis_str_find(pair, '=');
        struct deis_str name = at < 0 ? pair : deis_str_first(pair, (size_t)at);
        deis_autobuf struct deis_buf decoded = DEIS_BUF_INIT(name.len);

        int rc = deis_url_decode(name, true, &decoded, err);
        if (rc < 0) {
            return rc;
        }
        if (!deis_str_eq_cstr(deis_buf_str(&decoded), key)) {
            continue;
        }
        if (at < 0) {
            return DEIS_OK;
        }
        return deis_url_decode(deis_str_skip(pair, (size_t)at + 1), true, out, err);
    }
    return deis_err_set(err, DEIS_NOT_FOUND, "no query parameter '%s'", key);
}

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_scheme(struct deis_str s)
{
    if (s.len == 0 || !is_alpha(s.ptr[0])) {
        return false;
    }
    for (size_t i = 1; i < s.len; i++) {
        char c = s.ptr[i];
        if (!is_alpha(c) && !is_digit(c) && c != '+' && c != '-' && c != '.') {
            return false;
        }
    }
    return true;
}

static bool is_host_name(struct deis_str s)
{
    if (s.len == 0 || s.len > 253) {
        return false;
    }
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (!is_alpha(c) && !is_digit(c) && c != '-' && c != '.' && c != '_') {
            return false;
        }
    }
    return true;
}

/* Form only; whether it is an address is found out by whoever uses it. */
static bool is_ipv6(struct deis_str s)
{
    if (s.len < 2 || s.len > 45 || deis_str_find(s, ':') < 0) {
        return false;
    }
    for (size_t i = 0; i < s.len; i++) {
        if (hex_value_of(s.ptr[i]) < 0 && s.ptr[i] != ':' && s.ptr[i] != '.') {
            return false;
        }
    }
    return true;
}

/* host[:port]; *ret_port_text is NONE when there is no colon. */
static int split_authority(struct deis_str text, struct deis_str *ret_host,
                           struct deis_str *ret_port_text, struct deis_err *err)
{
    struct deis_str rest;

    if (deis_str_starts(text, "[")) {
        ptrdiff_t end = deis_str_find(text, ']');
        if (end < 0) {
            return deis_err_set(err, DEIS_INVALID, "']' is missing");
        }
        *ret_host = deis_str_n(text.ptr + 1, (size_t)end - 1);
        rest = deis_str_skip(text, (size_t)end + 1);
        if (!is_ipv6(*ret_host) || (rest.len > 0 && rest.ptr[0] != ':')) {
            return deis_err_set(err, DEIS_INVALID, "invalid IPv6 address");
        }
    } else {
        ptrdiff_t colon = deis_str_find(text, ':');
        *ret_host = colon < 0 ? text : deis_str_first(text, (size_t)colon);
        rest = deis_str_skip(text, ret_host->len);
        if (!is_host_name(*ret_host)) {
            return deis_err_set(err, DEIS_INVALID, "invalid host name");
        }
    }
    *ret_port_text = rest.len > 0 ? deis_str_skip(rest, 1) : DEIS_STR_NONE;
    return DEIS_OK;
}

static int parse_port(struct deis_str text, uint64_t min, uint16_t *ret, struct deis_err *err)
{
    uint64_t port;

    if (text.len > 5 || deis_str_to_u64(text, min, UINT16_MAX, &port, NULL) < 0) {
        return deis_err_set(err, DEIS_INVALID, "port must be a number from %d to 65535", (int)min);
    }
    *ret = (uint16_t)port;
    return DEIS_OK;
}

int deis_url_parse(struct deis_str text, struct deis_url *ret, struct deis_err *err)
{
    struct deis_url url = { 0 };
    struct deis_str rest = text;
    ptrdiff_t colon = deis_str_find(text, ':');

    if (colon >= 0 && deis_str_starts(deis_str_skip(text, (size_t)colon), "://") &&
        is_scheme(deis_str_first(text, (size_t)colon))) {
        url.scheme = deis_str_first(text, (size_t)colon);
        rest = deis_str_skip(text, (size_t)colon + 3);
    }
    ptrdiff_t slash = deis_str_find(rest, '/');
    struct deis_str authority = slash < 0 ? rest : deis_str_first(rest, (size_t)slash);
    url.path = deis_str_skip(rest, authority.len);
    for (size_t i = 0; i < url.path.len; i++) {
        if ((unsigned char)url.path.ptr[i] <= ' ' || url.path.ptr[i] == 0x7f) {
            return deis_err_set(err, DEIS_INVALID, "blanks and control bytes are not allowed");
        }
    }
    if (deis_str_find(authority, '@') >= 0) {
        return deis_err_set(err, DEIS_INVALID, "user and password are not allowed");
    }
    struct deis_str port;
    int rc = split_authority(authority, &url.host, &port, err);
    if (rc < 0) {
        return rc;
    }
    if (port.ptr) {
        rc = parse_port(port, 1, &url.port, err);
        if (rc < 0) {
            return rc;
        }
    }
    *ret = url;
    return DEIS_OK;
}

int deis_addr_split(struct deis_str text, struct deis_str *ret_host, uint16_t *ret_port,
                    struct deis_err *err)
{
    struct deis_str host;
    struct deis_str port;

    int rc = split_authority(text, &host, &port, err);
    if (rc < 0) {
        return rc;
    }
    if (!port.ptr) {
        return deis_err_set(err, DEIS_INVALID, "port is missing");
    }
    rc = parse_port(port, 0, ret_port, err);
    if (rc < 0) {
        return rc;
    }
    *ret_host = host;
    return DEIS_OK;
}
