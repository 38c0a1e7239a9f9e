/* SPDX-License-Identifier: MIT */
/*
 * Whatever fields a client of HTTP/2 sends: either they are refused, or the text made of them is
 * one head to the strict parser, with no field that was not sent. Input: lines "name<TAB>value",
 * ended by LF; CR and NUL may stand anywhere. The first byte says how long the body is.
 */
#include "router/core/h2_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define KEY "dGhlIHNhbXBsZSBub25jZQ=="

enum { FIELDS_MAX = 200 };

static const struct deis_h1_limits limits = DEIS_H1_LIMITS_DEFAULT;
static struct deis_h1_head parsed;
static char text[H2_HEAD_MAX];

static struct {
    struct deis_str name;
    struct deis_str value;
} fields[FIELDS_MAX];

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

/* As it stands in a field list: LF is written as 0x01 in the input. */
static void unescape(char *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        p[i] = p[i] == 0x01 ? '\n' : p[i];
    }
}

static size_t read_fields(char *p, size_t len)
{
    struct deis_str rest = deis_str_n(p, len);
    struct deis_str line;
    size_t count = 0;

    while (count < FIELDS_MAX && deis_str_split(&rest, '\n', &line)) {
        struct deis_str name;
        if (line.len > 0 && deis_str_split(&line, '\t', &name)) {
            fields[count].name = name;
            fields[count].value = line;
            count++;
        }
    }
    unescape(p, len);
    return count;
}

static bool was_sent(size_t count, const struct deis_h1_header *h)
{
    if (deis_str_eq_cstr(h->name, "host") || deis_str_eq_cstr(h->name, "cookie") ||
        deis_str_eq_cstr(h->name, "content-length")) {
        return true;
    }
    if (parsed.upgrade &&
        (deis_str_eq_cstr(h->name, "connection") ||
         (deis_str_eq_cstr(h->name, "upgrade") && deis_str_eq_cstr(h->value, "websocket")) ||
         (deis_str_eq_cstr(h->name, "sec-websocket-key") && deis_str_eq_cstr(h->value, KEY)))) {
        return true;
    }
    for (size_t i = 0; i < count; i++) {
        if (deis_str_eq(fields[i].name, h->name) &&
            deis_str_eq(deis_str_trim(fields[i].value), deis_str_trim(h->value))) {
            return true;
        }
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct h2_head head = { 0 };
    size_t scanned = 0;
    size_t used;
    int status = 0;

    if (size == 0) {
        return 0;
    }
    deis_autofree char *copy = deis_realloc_array(NULL, size, 1);
    memcpy(copy, data + 1, size - 1);
    size_t count = read_fields(copy, size - 1);
    for (size_t i = 0; i < count; i++) {
        check(head.status != 0 || head.len <= H2_HEAD_MAX);
        h2_head_add(&head, text, fields[i].name, fields[i].value);
    }
    if (!h2_head_finish(&head, text, (int)data[0] - 1, DEIS_STR(KEY))) {
        check(head.status >= 400 && head.status < 600);
        return 0;
    }
    check(head.len <= sizeof(text));
    if (deis_h1_parse_request(deis_str_n(text, head.len), &limits, &scanned, &parsed, &used,
                              &status, NULL) != DEIS_H1_DONE) {
        check(status >= 400);
        return 0;
    }
    check(used == head.len);
    check(parsed.framing != DEIS_H1_CHUNKED && parsed.minor == 1);
    check(parsed.upgrade == head.websocket);
    check(!head.websocket || parsed.framing == DEIS_H1_NO_BODY);
    check(!parsed.connection_names_fields);
    for (size_t i = 0; i < parsed.header_count; i++) {
        check(was_sent(count, &parsed.headers[i]));
    }
    return 0;
}
