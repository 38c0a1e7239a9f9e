/* SPDX-License-Identifier: MIT */
#include "router/core/tls_names.h"

#include <arpa/inet.h>

enum { SNI_HOST_NAME = 0 };

struct tls_names {
    char *domain;
    bool has_default;
    struct route_hosts *own;
    struct route_hosts *platform;
};

struct tls_names *tls_names_new(const char *domain, size_t expected)
{
    struct tls_names *n = deis_alloc(sizeof(*n));
    char name[ROUTE_HOST_MAX + 1];

    n->domain = route_host_normalise(deis_str(domain), name) > 0 ? deis_strdup(name) : NULL;
    n->own = route_hosts_new(expected);
    n->platform = route_hosts_new(4);
    return n;
}

struct tls_names *tls_names_copy(const struct tls_names *n)
{
    struct tls_names *copy = deis_alloc(sizeof(*copy));

    copy->domain = n->domain ? deis_strdup(n->domain) : NULL;
    copy->has_default = n->has_default;
    copy->own = route_hosts_copy(n->own);
    copy->platform = route_hosts_copy(n->platform);
    return copy;
}

void tls_names_free(struct tls_names *n)
{
    if (n) {
        route_hosts_unref(n->own);
        route_hosts_unref(n->platform);
        free(n->domain);
        free(n);
    }
}

/* Labels of letters, digits, '-' and '_' with single dots between them; the first may be "*". */
static bool is_name(struct deis_str s)
{
    char last = '.';

    if (deis_str_starts(s, "*.")) {
        s = deis_str_skip(s, 2);
    }
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool in_label = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-' || c == '_';
        if (!in_label && (c != '.' || last == '.')) {
            return false;
        }
        last = c;
    }
    return last != '.';
}

/* In lower case, without a final dot; no port is allowed here. False: no name of a host. */
static bool normalise(struct deis_str name, char out[ROUTE_HOST_MAX + 1], struct deis_str *ret)
{
    ret->ptr = out;
    ret->len = deis_str_find(name, ':') < 0 ? route_host_normalise(name, out) : 0;
    return ret->len > 0 && is_name(*ret);
}

static bool add(struct route_hosts *h, struct deis_str name, uint32_t certificate)
{
    char text[ROUTE_HOST_MAX + 1];
    struct deis_str key;

    return normalise(name, text, &key) && route_hosts_add(h, key, certificate);
}

bool tls_names_add(struct tls_names *n, struct deis_str name, uint32_t certificate)
{
    /* With a final dot it would be a second name for the same host. */
    return !deis_str_ends(name, ".") && add(n->own, name, certificate);
}

void tls_names_remove(struct tls_names *n, struct deis_str name)
{
    char text[ROUTE_HOST_MAX + 1];
    struct deis_str key;

    if (normalise(name, text, &key)) {
        route_hosts_remove(n->own, key);
    }
}

bool tls_names_is_plain(struct deis_str name)
{
    char text[ROUTE_HOST_MAX + 1];
    struct deis_str key;

    return !normalise(name, text, &key) || deis_str_eq(name, key);
}

bool tls_names_add_platform(struct tls_names *n, struct deis_str name)
{
    return add(n->platform, name, 0);
}

void tls_names_set_default(struct tls_names *n)
{
    n->has_default = true;
}

/* The very name, or the wildcard one label above it. */
static bool find(const struct route_hosts *h, struct deis_str host, uint32_t *ret)
{
    char wild[ROUTE_HOST_MAX + 1];
    ptrdiff_t dot = deis_str_find(host, '.');

    if (route_hosts_find(h, host, ret)) {
        return true;
    }
    if (dot <= 0) {
        return false;
    }
    struct deis_str rest = deis_str_skip(host, (size_t)dot);
    wild[0] = '*';
    memcpy(wild + 1, rest.ptr, rest.len);
    return route_hosts_find(h, deis_str_n(wild, rest.len + 1), ret);
}

static bool is_below_domain(const struct tls_names *n, struct deis_str host)
{
    size_t len = n->domain ? strlen(n->domain) : 0;

    return len > 0 && deis_str_ends(host, n->domain) &&
           (host.len == len || host.ptr[host.len - len - 1] == '.');
}

static bool is_ip(const char *host)
{
    uint8_t ip[16];

    return inet_pton(AF_INET, host, ip) == 1 || inet_pton(AF_INET6, host, ip) == 1;
}

int64_t tls_names_pick(const struct tls_names *n, struct deis_str host)
{
    int64_t fallback = n->has_default ? TLS_NAMES_PLATFORM : TLS_NAMES_NONE;
    char text[ROUTE_HOST_MAX + 1];
    struct deis_str name;
    uint32_t certificate;

    if (host.len == 0) {
        return fallback;
    }
    if (host.len <= ROUTE_HOST_MAX) {
        memcpy(text, host.ptr, host.len);
        text[host.len] = '\0';
        if (is_ip(text)) {
            return fallback;
        }
    }
    if (!normalise(host, text, &name) || text[0] == '*') {
        return TLS_NAMES_NONE;
    }
    bool covered = find(n->platform, name, &certificate);
    if (covered && is_below_domain(n, name)) {
        return TLS_NAMES_PLATFORM;
    }
    if (find(n->own, name, &certificate)) {
        return certificate;
    }
    return covered ? TLS_NAMES_PLATFORM : TLS_NAMES_NONE;
}

static bool take_u16(const uint8_t **p, size_t *left, size_t *ret)
{
    if (*left < 2) {
        return false;
    }
    *ret = (size_t)(*p)[0] << 8 | (*p)[1];
    *p += 2;
    *left -= 2;
    return *ret <= *left;
}

bool tls_names_parse_sni(const uint8_t *data, size_t len, struct deis_str *ret_host)
{
    size_t list;

    *ret_host = DEIS_STR_NONE;
    if (!take_u16(&data, &len, &list) || list != len) {
        return false;
    }
    while (len > 0) {
        uint8_t type = *data++;
        size_t name;
        len--;
        if (!take_u16(&data, &len, &name)) {
            return false;
        }
        if (type == SNI_HOST_NAME) {
            if (ret_host->ptr || name == 0 || memchr(data, '\0', name)) {
                return false;
            }
            *ret_host = deis_str_n((const char *)data, name);
        }
        data += name;
        len -= name;
    }
    return true;
}
