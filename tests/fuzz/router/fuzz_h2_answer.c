/* SPDX-License-Identifier: MIT */
/*
 * Whatever head and trailers a unit that speaks HTTP/2 sends: either they are refused, or the text
 * made of them is one head to the strict parser, and trailers come out as they went in. Input:
 * lines "name<TAB>value", ended by LF; what follows an empty line are trailers. 0x01 stands for LF.
 * One of a length that 3 divides answers a WebSocket.
 */
#include "router/core/h2_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct deis_h1_limits limits = { H2_ANSWER_MAX, 8192 };
static struct deis_h1_head parsed;
static char text[H2_ANSWER_MAX + H2_ANSWER_EXTRA];
static char trailers[H2_TRAILERS_MAX + H2_ANSWER_EXTRA];

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

static bool next_field(struct deis_str *rest, struct deis_str *name, struct deis_str *value)
{
    return deis_str_split(rest, '\n', value) && value->len > 0 && deis_str_split(value, '\t', name);
}

/* 0x01 is a line end that the fields hold. */
static struct deis_str unescaped(struct deis_str s)
{
    char *p = (char *)(uintptr_t)s.ptr;

    for (size_t i = 0; i < s.len; i++) {
        p[i] = p[i] == 0x01 ? '\n' : p[i];
    }
    return s;
}

static void check_head(const struct h2_answer *h)
{
    size_t scanned = 0;
    size_t used;

    check(h->len <= sizeof(text));
    if (deis_h1_parse_response(deis_str_n(text, h->len), DEIS_STR("GET"), &limits, &scanned,
                               &parsed, &used, NULL) == DEIS_H1_DONE) {
        check(used == h->len && parsed.status == (h->granted ? 101 : h->status));
        check(parsed.framing != DEIS_H1_CHUNKED && !parsed.connection_names_fields);
        check(!h->granted || parsed.framing == DEIS_H1_NO_BODY);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct h2_answer head = { .accept = size % 3 == 0 ? "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" : NULL };
    size_t len = 0;
    size_t count = 0;
    struct deis_str name;
    struct deis_str value;
    deis_autofree char *copy = deis_realloc_array(NULL, size + 1, 1);

    memcpy(copy, data, size);
    struct deis_str rest = deis_str_n(copy, size);
    while (next_field(&rest, &name, &value)) {
        h2_answer_add(&head, text, unescaped(name), unescaped(value));
    }
    if (h2_answer_finish(&head, text, size % 2 == 0)) {
        check_head(&head);
    }
    while (next_field(&rest, &name, &value) &&
           len + name.len + value.len + H2_ANSWER_EXTRA <= H2_TRAILERS_MAX) {
        size_t before = len;
        len = h2_trailer_add(trailers, len, unescaped(name), unescaped(value));
        count += len > before;
    }
    struct deis_str lines = deis_str_n(trailers, len);
    while (h2_trailer_next(&lines, &name, &value)) {
        check(count-- > 0);
    }
    check(count == 0 && lines.len == 0);
    return 0;
}
