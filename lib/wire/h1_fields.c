/* SPDX-License-Identifier: MIT */
/* Field lines: syntax, the fields that rule framing and persistence, and look-ups. */
#include "lib/wire/h1_internal.h"

#include <stdarg.h>

#define LENGTH_MAX (UINT64_C(1) << 60)

#define ALNUM (H1_TOKEN | H1_TARGET | H1_HOST)
#define MARK  (H1_TOKEN | H1_TARGET)

const uint8_t h1_class[256] = {
    ['0' ... '9'] = ALNUM, ['A' ... 'Z'] = ALNUM, ['a' ... 'z'] = ALNUM, ['-'] = ALNUM,
    ['.'] = ALNUM,         ['_'] = ALNUM,         ['!'] = MARK,          ['$'] = MARK,
    ['%'] = MARK,          ['&'] = MARK,          ['\''] = MARK,         ['*'] = MARK,
    ['+'] = MARK,          ['^'] = MARK,          ['`'] = MARK,          ['|'] = MARK,
    ['~'] = MARK,          ['#'] = H1_TOKEN,      ['"'] = H1_TARGET,     ['('] = H1_TARGET,
    [')'] = H1_TARGET,     [','] = H1_TARGET,     ['/'] = H1_TARGET,     [':'] = H1_TARGET,
    [';'] = H1_TARGET,     ['<'] = H1_TARGET,     ['='] = H1_TARGET,     ['>'] = H1_TARGET,
    ['?'] = H1_TARGET,     ['@'] = H1_TARGET,     ['['] = H1_TARGET,     ['\\'] = H1_TARGET,
    [']'] = H1_TARGET,     ['{'] = H1_TARGET,     ['}'] = H1_TARGET,
};

enum deis_h1_result h1_bad(struct h1_parse *parse, int status, const char *format, ...)
{
    char why[160];
    va_list args;

    va_start(args, format);
    vsnprintf(why, sizeof(why), format, args);
    va_end(args);
    deis_err_set(parse->err, status == 414 || status == 431 ? DEIS_LIMIT : DEIS_PROTOCOL, "%s",
                 why);
    parse->status = status;
    return DEIS_H1_BAD;
}

static bool is_text_byte(unsigned char c)
{
    return (c >= 0x20 && c != 0x7f) || c == '\t';
}

bool h1_is_text(const char *p, size_t len)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);

    while (len >= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        /* The high bit of a byte is set where it is below 0x20, or 0x7f; tabs are sorted out one by
         * one. */
        uint64_t del = word ^ (ones * 0x7f);
        uint64_t low = (word - ones * 0x20) & ~word;
        if (((low | ((del - ones) & ~del)) & (ones * 0x80)) != 0) {
            for (size_t i = 0; i < 8; i++) {
                if (!is_text_byte((unsigned char)p[i])) {
                    return false;
                }
            }
        }
        p += 8;
        len -= 8;
    }
    for (size_t i = 0; i < len; i++) {
        if (!is_text_byte((unsigned char)p[i])) {
            return false;
        }
    }
    return true;
}

static bool is_bracketed_ipv6(struct deis_str s)
{
    if (s.len < 4 || s.ptr[s.len - 1] != ']') {
        return false;
    }
    for (size_t i = 1; i < s.len - 1; i++) {
        char c = s.ptr[i];
        bool is_hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        if (!is_hex && c != ':' && c != '.') {
            return false;
        }
    }
    return true;
}

bool h1_is_host(struct deis_str s)
{
    ptrdiff_t colon = deis_str_rfind(s, ':');
    ptrdiff_t bracket = deis_str_rfind(s, ']');

    if (colon > bracket) {
        uint64_t port;
        struct deis_str digits = deis_str_skip(s, (size_t)colon + 1);
        if (digits.len > 5 || deis_str_to_u64(digits, 1, UINT16_MAX, &port, NULL) < 0) {
            return false;
        }
        s = deis_str_first(s, (size_t)colon);
    }
    if (s.len == 0 || s.len > 253) {
        return false;
    }
    if (s.ptr[0] == '[') {
        return is_bracketed_ipv6(s);
    }
    for (size_t i = 0; i < s.len; i++) {
        if (!h1_is(s.ptr[i], H1_HOST)) {
            return false;
        }
    }
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct deis_str trim_blanks(struct deis_str s)
{
    while (s.len > 0 && is_blank(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len > 0 && is_blank(s.ptr[s.len - 1])) {
        s.len--;
    }
    return s;
}

/* The next element of a comma-separated list, without blanks; false at the end. */
static bool next_element(struct deis_str *rest, struct deis_str *ret)
{
    if (!deis_str_split(rest, ',', ret)) {
        return false;
    }
    *ret = trim_blanks(*ret);
    return true;
}

/* `name` must be in lower case. */
static bool is_name(struct deis_str s, const char *name)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if ((c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c) != name[i]) {
            return false;
        }
    }
    return true;
}

static enum deis_h1_result take_host(struct h1_parse *parse, struct deis_str value)
{
    if (!parse->head->is_request) {
        return DEIS_H1_DONE;
    }
    if (parse->has_host) {
        return h1_bad(parse, 400, "more than one Host field");
    }
    if (!h1_is_host(value)) {
        return h1_bad(parse, 400, "invalid Host field");
    }
    parse->has_host = true;
    parse->head->host = value;
    return DEIS_H1_DONE;
}

static enum deis_h1_result take_length(struct h1_parse *parse, struct deis_str value)
{
    if (parse->has_length) {
        return h1_bad(parse, 400, "more than one Content-Length field");
    }
    /* A leading zero is octal to some. */
    bool is_odd = value.len > 1 && value.ptr[0] == '0';
    if (is_odd || deis_str_to_u64(value, 0, LENGTH_MAX, &parse->head->content_length, NULL) < 0) {
        return h1_bad(parse, 400, "invalid Content-Length field");
    }
    parse->has_length = true;
    return DEIS_H1_DONE;
}

static enum deis_h1_result take_coding(struct h1_parse *parse, struct deis_str value)
{
    if (parse->has_coding) {
        return h1_bad(parse, 400, "more than one Transfer-Encoding field");
    }
    parse->has_coding = true;
    if (deis_str_ieq_cstr(value, "chunked")) {
        return DEIS_H1_DONE;
    }
    size_t chunked_count = 0;
    struct deis_str coding = DEIS_STR_NONE;
    while (next_element(&value, &coding)) {
        chunked_count += deis_str_ieq_cstr(coding, "chunked");
    }
    /* Without a final chunked nobody can tell where the body ends. */
    if (chunked_count == 1 && deis_str_ieq_cstr(coding, "chunked")) {
        return h1_bad(parse, 501, "transfer coding other than chunked");
    }
    return h1_bad(parse, 400, "invalid Transfer-Encoding field");
}

static enum deis_h1_result take_connection(struct h1_parse *parse, struct deis_str value)
{
    enum { OPTIONS_MAX = 64 }; /* each field's name is compared with each */

    struct deis_str option;
    while (next_element(&value, &option)) {
        if (++parse->options > OPTIONS_MAX) {
            return h1_bad(parse, 431, "more than %d connection options", OPTIONS_MAX);
        }
        if (deis_str_ieq_cstr(option, "close")) {
            parse->connection_close = true;
        } else if (deis_str_ieq_cstr(option, "keep-alive")) {
            parse->connection_keep = true;
        } else if (deis_str_ieq_cstr(option, "upgrade")) {
            parse->connection_upgrade = true;
        } else if (option.len > 0) {
            parse->head->connection_names_fields = true;
        }
    }
    return DEIS_H1_DONE;
}

static enum deis_h1_result take_known(struct h1_parse *parse, const struct deis_h1_header *h)
{
    switch (h->name.len) {
    case 4: return is_name(h->name, "host") ? take_host(parse, h->value) : DEIS_H1_DONE;
    case 6:
        if (is_name(h->name, "expect")) {
            parse->head->expect_continue = deis_str_ieq_cstr(h->value, "100-continue");
        }
        return DEIS_H1_DONE;
    case 7:
        if (is_name(h->name, "upgrade")) {
            parse->has_upgrade = parse->has_upgrade || h->value.len > 0;
        }
        return DEIS_H1_DONE;
    case 10:
        return is_name(h->name, "connection") ? take_connection(parse, h->value) : DEIS_H1_DONE;
    case 14:
        return is_name(h->name, "content-length") ? take_length(parse, h->value) : DEIS_H1_DONE;
    case 17:
        return is_name(h->name, "transfer-encoding") ? take_coding(parse, h->value) : DEIS_H1_DONE;
    default: return DEIS_H1_DONE;
    }
}

enum deis_h1_result h1_parse_fields(struct h1_parse *parse, const char *p, const char *end)
{
    struct deis_h1_head *head = parse->head;

    while (p < end) {
        const char *lf = memchr(p, '\n', (size_t)(end - p));
        const char *name = p;
        if (is_blank(*p)) {
            return h1_bad(parse, 400, "folded field line");
        }
        while (h1_is(*p, H1_TOKEN)) {
            p++;
        }
        if (p == name || *p != ':') {
            return h1_bad(parse, 400, "invalid field name");
        }
        if (head->header_count == DEIS_H1_MAX_HEADERS) {
            return h1_bad(parse, 431, "more than %d fields", DEIS_H1_MAX_HEADERS);
        }
        struct deis_h1_header *h = &head->headers[head->header_count++];
        h->name = deis_str_n(name, (size_t)(p - name));
        h->value = trim_blanks(deis_str_n(p + 1, (size_t)(lf - 1 - (p + 1))));
        if (!h1_is_text(h->value.ptr, h->value.len)) {
            return h1_bad(parse, 400, "control byte in field '%.*s'",
                          (int)(h->name.len < 64 ? h->name.len : 64), h->name.ptr);
        }
        if (take_known(parse, h) == DEIS_H1_BAD) {
            return DEIS_H1_BAD;
        }
        p = lf + 1;
    }
    if (parse->has_coding && parse->has_length) {
        return h1_bad(parse, 400, "Content-Length and Transfer-Encoding exclude each other");
    }
    if (parse->has_coding && head->minor == 0) {
        return h1_bad(parse, 400, "Transfer-Encoding in HTTP/1.0");
    }
    head->keep_alive = !parse->connection_close && (head->minor == 1 || parse->connection_keep);
    head->upgrade = head->minor == 1 && parse->connection_upgrade && parse->has_upgrade;
    return DEIS_H1_DONE;
}

const struct deis_h1_header *deis_h1_find(const struct deis_h1_head *head, const char *name)
{
    struct deis_str wanted = deis_str(name);

    for (size_t i = 0; i < head->header_count; i++) {
        if (deis_str_ieq(head->headers[i].name, wanted)) {
            return &head->headers[i];
        }
    }
    return NULL;
}

static bool lists_token(const struct deis_h1_head *head, const char *name, struct deis_str token)
{
    struct deis_str wanted = deis_str(name);

    for (size_t i = 0; i < head->header_count; i++) {
        if (!deis_str_ieq(head->headers[i].name, wanted)) {
            continue;
        }
        struct deis_str rest = head->headers[i].value;
        struct deis_str element;
        while (next_element(&rest, &element)) {
            if (deis_str_ieq(element, token)) {
                return true;
            }
        }
    }
    return false;
}

bool deis_h1_has_token(const struct deis_h1_head *head, const char *name, const char *token)
{
    return lists_token(head, name, deis_str(token));
}

bool deis_h1_is_hop_by_hop(const struct deis_h1_head *head, struct deis_str name)
{
    switch (name.len) {
    case 2:
        if (is_name(name, "te")) {
            return true;
        }
        break;
    case 4:
        if (is_name(name, "host")) {
            return false;
        }
        break;
    case 7:
        if (is_name(name, "trailer") || is_name(name, "upgrade")) {
            return true;
        }
        break;
    case 10:
        if (is_name(name, "connection") || is_name(name, "keep-alive")) {
            return true;
        }
        break;
    case 14:
        if (is_name(name, "content-length")) {
            return false;
        }
        break;
    case 16:
        if (is_name(name, "proxy-connection")) {
            return true;
        }
        break;
    case 17:
        if (is_name(name, "transfer-encoding")) {
            return true;
        }
        break;
    default: break;
    }
    return head->connection_names_fields && lists_token(head, "connection", name);
}
