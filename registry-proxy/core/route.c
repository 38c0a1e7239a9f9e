/* SPDX-License-Identifier: MIT */
#include "registry-proxy/core/route.h"

#include "lib/wire/ip.h"

#define NAME_MAX_BYTES 255
#define TAG_MAX_BYTES  128
#define UPLOAD_ID_LEN  32

static bool is_lower_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_hex(struct deis_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!((s.ptr[i] >= '0' && s.ptr[i] <= '9') || (s.ptr[i] >= 'a' && s.ptr[i] <= 'f'))) {
            return false;
        }
    }
    return true;
}

/* Between two runs of letters and digits: one '.', one or two '_', or any number of '-'. */
static bool is_separator(struct deis_str s)
{
    if (deis_str_eq_cstr(s, ".") || deis_str_eq_cstr(s, "_") || deis_str_eq_cstr(s, "__")) {
        return true;
    }
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] != '-') {
            return false;
        }
    }
    return s.len > 0;
}

static bool is_name_part(struct deis_str s)
{
    size_t i = 0;

    if (s.len == 0 || !is_lower_alnum(s.ptr[0]) || !is_lower_alnum(s.ptr[s.len - 1])) {
        return false;
    }
    while (i < s.len) {
        size_t start = i;
        while (i < s.len && is_lower_alnum(s.ptr[i])) {
            i++;
        }
        start = i;
        while (i < s.len && !is_lower_alnum(s.ptr[i])) {
            i++;
        }
        if (i > start && !is_separator(deis_str_n(s.ptr + start, i - start))) {
            return false;
        }
    }
    return true;
}

bool registry_is_name(struct deis_str s)
{
    struct deis_str part;

    if (s.len == 0 || s.len > NAME_MAX_BYTES) {
        return false;
    }
    while (deis_str_split(&s, '/', &part)) {
        if (!is_name_part(part)) {
            return false;
        }
    }
    return true;
}

bool registry_is_tag(struct deis_str s)
{
    if (s.len == 0 || s.len > TAG_MAX_BYTES || s.ptr[0] == '.' || s.ptr[0] == '-') {
        return false;
    }
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (!is_lower_alnum(c) && !(c >= 'A' && c <= 'Z') && c != '_' && c != '.' && c != '-') {
            return false;
        }
    }
    return true;
}

bool registry_is_digest(struct deis_str s)
{
    return deis_str_starts(s, "sha256:") && s.len == 7 + 64 && is_hex(deis_str_skip(s, 7));
}

struct deis_str registry_digest_hex(struct deis_str digest)
{
    return deis_str_skip(digest, 7);
}

/* Cut "<name><middle><last>" at the last occurrence of middle. */
static bool cut(struct deis_str s, const char *middle, struct deis_str *name, struct deis_str *last)
{
    size_t n = strlen(middle);

    for (size_t i = s.len; i-- > 1;) {
        if (s.len - i >= n && memcmp(s.ptr + i, middle, n) == 0) {
            *name = deis_str_first(s, i);
            *last = deis_str_skip(s, i + n);
            return true;
        }
    }
    return false;
}

static enum registry_route classify(struct deis_str rest, struct registry_target *t)
{
    struct deis_str last;

    if (deis_str_eq_cstr(rest, "_catalog")) {
        return REGISTRY_CATALOG;
    }
    if (cut(rest, "/blobs/uploads/", &t->name, &last)) {
        t->upload = last;
        if (last.len == 0) {
            return REGISTRY_UPLOADS;
        }
        return last.len == UPLOAD_ID_LEN && is_hex(last) ? REGISTRY_UPLOAD : REGISTRY_BAD_NAME;
    }
    if (cut(rest, "/blobs/uploads", &t->name, &last) && last.len == 0) {
        return REGISTRY_UPLOADS;
    }
    if (cut(rest, "/tags/list", &t->name, &last) && last.len == 0) {
        return REGISTRY_TAGS;
    }
    if (cut(rest, "/manifests/", &t->name, &last)) {
        if (registry_is_digest(last)) {
            t->digest = last;
            return REGISTRY_MANIFEST;
        }
        t->tag = last;
        return registry_is_tag(last) ? REGISTRY_MANIFEST : REGISTRY_BAD_NAME;
    }
    if (cut(rest, "/blobs/", &t->name, &last)) {
        t->digest = last;
        return registry_is_digest(last) ? REGISTRY_BLOB : REGISTRY_BAD_NAME;
    }
    return REGISTRY_NONE;
}

struct registry_target registry_route_parse(struct deis_str path)
{
    struct registry_target t = { 0 };

    if (deis_str_eq_cstr(path, "/healthz")) {
        t.route = REGISTRY_HEALTH;
        return t;
    }
    if (deis_str_eq_cstr(path, "/v2") || deis_str_eq_cstr(path, "/v2/")) {
        t.route = REGISTRY_BASE;
        return t;
    }
    if (!deis_str_starts(path, "/v2/")) {
        return t;
    }
    t.route = classify(deis_str_skip(path, 4), &t);
    if (t.route != REGISTRY_NONE && t.route != REGISTRY_CATALOG && !registry_is_name(t.name)) {
        t.route = REGISTRY_BAD_NAME;
    }
    return t;
}

bool registry_host_fits(struct deis_str host)
{
    struct deis_ip ip;
    ptrdiff_t colon = deis_str_rfind(host, ':');
    ptrdiff_t bracket = deis_str_rfind(host, ']');

    if (colon > bracket) {
        host = deis_str_first(host, (size_t)colon);
    }
    if (bracket > 0 && host.ptr[0] == '[') {
        host = deis_str_first(deis_str_skip(host, 1), (size_t)bracket - 1);
    }
    return deis_str_ieq_cstr(host, "localhost") || deis_ip_parse(host, &ip);
}
