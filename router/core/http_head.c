/* SPDX-License-Identifier: MIT */
#include "router/core/http_head.h"

#include <assert.h>

struct out {
    char *p;
    char *end;
};

static void put(struct out *o, const char *data, size_t len)
{
    assert(len <= (size_t)(o->end - o->p));
    memcpy(o->p, data, len);
    o->p += len;
}

static void put_str(struct out *o, struct deis_str s)
{
    put(o, s.ptr, s.len);
}

#define PUT(o, literal) put((o), "" literal, sizeof(literal) - 1)

static void put_field(struct out *o, const struct deis_h1_header *h)
{
    put_str(o, h->name);
    PUT(o, ": ");
    put_str(o, h->value);
    PUT(o, "\r\n");
}

/* Does name equal lower (in lower case), '_' being '-'? */
static bool is_name(struct deis_str name, const char *lower, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        int c = (unsigned char)name.ptr[i];
        c = c >= 'A' && c <= 'Z' ? c | 0x20 : c;
        if ((c == '_' ? '-' : c) != lower[i]) {
            return false;
        }
    }
    return true;
}

#define IS(name, literal)                                                                          \
    ((name).len == sizeof(literal) - 1 && is_name((name), (literal), sizeof(literal) - 1))
#define STARTS(name, literal)                                                                      \
    ((name).len >= sizeof(literal) - 1 && is_name((name), (literal), sizeof(literal) - 1))

struct deis_str http_clock_text(struct http_clock *c, uint64_t ms)
{
    enum { SECONDS = 10, DIGITS = 13 };

    unsigned rest = (unsigned)(ms % 1000);

    if (c->second != ms / 1000) {
        uint64_t n = ms / 1000;
        c->second = n;
        for (int i = SECONDS - 1; i >= 0; i--) {
            c->text[i] = (char)('0' + n % 10);
            n /= 10;
        }
    }
    c->text[10] = (char)('0' + rest / 100);
    c->text[11] = (char)('0' + rest / 10 % 10);
    c->text[12] = (char)('0' + rest % 10);
    return deis_str_n(c->text, DIGITS);
}

/* Hop-by-hop, whatever Connection says. */
static bool is_hop_field(struct deis_str name)
{
    switch (name.ptr[0] | 0x20) {
    case 'c': return IS(name, "connection");
    case 'k': return IS(name, "keep-alive");
    case 'p': return IS(name, "proxy-connection");
    case 't': return IS(name, "te") || IS(name, "trailer") || IS(name, "transfer-encoding");
    case 'u': return IS(name, "upgrade");
    default: return false;
    }
}

/* Fields that only the router may set, or that no app should see. */
static bool is_own_field(struct deis_str name)
{
    switch (name.ptr[0] | 0x20) {
    case 'e': return IS(name, "expect");
    case 'f': return IS(name, "forwarded");
    case 'p': return IS(name, "proxy");
    case 'x':
        return STARTS(name, "x-forwarded-") || IS(name, "x-request-id") ||
               IS(name, "x-request-start") || IS(name, "x-real-ip");
    default: return false;
    }
}

static bool all_of(struct deis_str s, size_t at, size_t len, bool *ret_zero)
{
    *ret_zero = true;
    for (size_t i = at; i < at + len; i++) {
        char c = s.ptr[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
            return false;
        }
        *ret_zero = *ret_zero && c == '0';
    }
    return true;
}

bool http_is_traceparent(struct deis_str v)
{
    enum { VERSION, TRACE = 3, PARENT = 36, FLAGS = 53, LENGTH = 55 };

    bool zero_version, zero_trace, zero_parent, zero_flags;

    if (v.len < LENGTH || v.ptr[TRACE - 1] != '-' || v.ptr[PARENT - 1] != '-' ||
        v.ptr[FLAGS - 1] != '-' || !all_of(v, VERSION, 2, &zero_version) ||
        !all_of(v, TRACE, 32, &zero_trace) || !all_of(v, PARENT, 16, &zero_parent) ||
        !all_of(v, FLAGS, 2, &zero_flags) || zero_trace || zero_parent) {
        return false;
    }
    if (v.ptr[0] == 'f' && v.ptr[1] == 'f') {
        return false;
    }
    /* Later versions may add to it, version 00 may not. */
    return v.len == LENGTH || (!zero_version && v.ptr[LENGTH] == '-');
}

/* One traceparent, and a valid one: else neither it nor tracestate means anything to an app. */
static bool trace_is_good(const struct deis_h1_head *head)
{
    bool good = false;
    unsigned count = 0;

    for (size_t i = 0; i < head->header_count; i++) {
        if (deis_str_ieq_cstr(head->headers[i].name, "traceparent")) {
            good = ++count == 1 && http_is_traceparent(head->headers[i].value);
        }
    }
    return good;
}

static bool is_trace_field(struct deis_str name)
{
    return (name.ptr[0] | 0x20) == 't' && (IS(name, "traceparent") || IS(name, "tracestate"));
}

static void put_upgrade(struct out *o, const struct deis_h1_head *head)
{
    if (deis_h1_find(head, "upgrade")) {
        PUT(o, "Connection: upgrade\r\n");
    }
    for (size_t i = 0; i < head->header_count; i++) {
        if (deis_str_ieq_cstr(head->headers[i].name, "upgrade")) {
            put_field(o, &head->headers[i]);
        }
    }
}

size_t http_head_write_request(char *out, size_t cap, const struct deis_h1_head *head,
                               const struct http_forward *forward)
{
    struct out o = { out, out + cap };

    put_str(&o, head->method);
    PUT(&o, " ");
    put_str(&o, head->target);
    PUT(&o, " HTTP/1.1\r\n");
    for (size_t i = 0; i < head->header_count; i++) {
        const struct deis_h1_header *h = &head->headers[i];
        if (is_hop_field(h->name) || is_own_field(h->name) ||
            (is_trace_field(h->name) && !trace_is_good(head)) ||
            (head->connection_names_fields && deis_h1_is_hop_by_hop(head, h->name))) {
            continue;
        }
        put_field(&o, h);
    }
    if (head->framing == DEIS_H1_CHUNKED || head->framing == DEIS_H1_UNTIL_CLOSE) {
        PUT(&o, "Transfer-Encoding: chunked\r\n");
    }
    if (head->expect_continue) {
        PUT(&o, "Expect: 100-continue\r\n");
    }
    if (forward->upgrade) {
        put_upgrade(&o, head);
    }
    PUT(&o, "X-Forwarded-For: ");
    put_str(&o, forward->client);
    PUT(&o, "\r\nX-Forwarded-Proto: ");
    put_str(&o, forward->proto);
    PUT(&o, "\r\nX-Forwarded-Port: ");
    put_str(&o, forward->port);
    PUT(&o, "\r\nX-Request-Id: ");
    put_str(&o, forward->request_id);
    PUT(&o, "\r\nX-Request-Start: ");
    put_str(&o, forward->start);
    PUT(&o, "\r\n\r\n");
    return (size_t)(o.p - out);
}

bool http_answer_field_passes(const struct deis_h1_head *head, const struct deis_h1_header *h,
                              bool no_length)
{
    return !is_hop_field(h->name) && !(no_length && IS(h->name, "content-length")) &&
           !(head->connection_names_fields && deis_h1_is_hop_by_hop(head, h->name));
}

size_t http_head_write_answer(char *out, size_t cap, const struct deis_h1_head *head,
                              const struct http_answer *answer)
{
    struct out o = { out, out + cap };
    char digits[3] = { (char)('0' + head->status / 100), (char)('0' + head->status / 10 % 10),
                       (char)('0' + head->status % 10) };
    bool no_length = head->status < 200 || head->status == 204 || answer->chunked;
    bool hsts = answer->hsts.len > 0;

    PUT(&o, "HTTP/1.1 ");
    put(&o, digits, sizeof(digits));
    PUT(&o, " ");
    put_str(&o, head->reason);
    PUT(&o, "\r\n");
    for (size_t i = 0; i < head->header_count; i++) {
        const struct deis_h1_header *h = &head->headers[i];
        if (!http_answer_field_passes(head, h, no_length)) {
            continue;
        }
        hsts = hsts && !IS(h->name, "strict-transport-security");
        put_field(&o, h);
    }
    if (hsts) {
        put_str(&o, answer->hsts);
    }
    if (answer->extra.len > 0) {
        put_str(&o, answer->extra);
    }
    if (answer->chunked) {
        PUT(&o, "Transfer-Encoding: chunked\r\n");
    }
    if (answer->upgrade) {
        put_upgrade(&o, head);
    } else if (head->status >= 200 && !answer->keep_alive) {
        PUT(&o, "Connection: close\r\n");
    } else if (head->status >= 200 && answer->client_minor == 0) {
        PUT(&o, "Connection: keep-alive\r\n");
    }
    PUT(&o, "\r\n");
    return (size_t)(o.p - out);
}

bool http_method_is_idempotent(struct deis_str method)
{
    static const char *const names[] = { "GET", "HEAD", "PUT", "DELETE", "OPTIONS" };

    for (size_t i = 0; i < DEIS_COUNT(names); i++) {
        if (deis_str_eq_cstr(method, names[i])) {
            return true;
        }
    }
    return false;
}

bool http_upgrade_is_passed(const struct deis_h1_head *head)
{
    return head->upgrade && head->framing == DEIS_H1_NO_BODY &&
           !deis_h1_has_token(head, "upgrade", "h2c") && !deis_h1_has_token(head, "upgrade", "h2");
}

struct deis_str http_request_id(const struct deis_h1_head *head)
{
    const struct deis_h1_header *h = NULL;

    for (size_t i = 0; i < head->header_count; i++) {
        if (deis_str_ieq(head->headers[i].name, DEIS_STR("x-request-id"))) {
            h = &head->headers[i];
            break;
        }
    }
    if (!h || h->value.len == 0 || h->value.len > HTTP_REQUEST_ID_MAX) {
        return DEIS_STR_NONE;
    }
    for (size_t i = 0; i < h->value.len; i++) {
        char c = h->value.ptr[i];
        bool ok = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  c == '-' || c == '_' || c == '.' || c == '+' || c == '/' || c == '=';
        if (!ok) {
            return DEIS_STR_NONE;
        }
    }
    return h->value;
}

unsigned http_keep_alive_timeout(const struct deis_h1_head *head, unsigned def)
{
    const struct deis_h1_header *h = deis_h1_find(head, "keep-alive");
    struct deis_str rest = h ? h->value : DEIS_STR_NONE;
    struct deis_str part;

    while (deis_str_split(&rest, ',', &part)) {
        uint64_t seconds;
        part = deis_str_trim(part);
        if (deis_str_ieq(deis_str_first(part, 8), DEIS_STR("timeout=")) &&
            deis_str_to_u64(deis_str_skip(part, 8), 0, 3600, &seconds, NULL) == 0) {
            return seconds < def ? (unsigned)seconds : def;
        }
    }
    return def;
}

bool http_wants_json(const struct deis_h1_head *head)
{
    const struct deis_h1_header *h = deis_h1_find(head, "accept");
    static const char json[] = "application/json";
    static const char html[] = "text/html";

    if (!h) {
        return false;
    }
    const char *j = memmem(h->value.ptr, h->value.len, json, sizeof(json) - 1);
    const char *t = memmem(h->value.ptr, h->value.len, html, sizeof(html) - 1);
    return j && (!t || j < t);
}
