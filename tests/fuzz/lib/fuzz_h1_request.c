/* SPDX-License-Identifier: MIT */
/* The first byte is the size of the steps in which the rest arrives. */
#include "lib/wire/h1.h"

static const struct deis_h1_limits limits = { .head_max = 4096, .target_max = 1024 };

struct outcome {
    enum deis_h1_result result;
    int status;
    size_t used;
    struct deis_h1_head head;
};

static void check(bool fact)
{
    if (!fact) {
        abort();
    }
}

static void parse(struct deis_str input, size_t step, struct outcome *ret)
{
    struct deis_err err = DEIS_ERR_INIT;
    size_t scanned = 0;
    size_t have = 0;

    ret->used = 0;
    ret->status = 0;
    do {
        have = input.len - have > step ? have + step : input.len;
        ret->result = deis_h1_parse_request(deis_str_first(input, have), &limits, &scanned,
                                            &ret->head, &ret->used, &ret->status, &err);
    } while (ret->result == DEIS_H1_MORE && have < input.len);
}

static void check_head(const struct deis_h1_head *head, struct deis_str input, size_t used)
{
    size_t hosts = 0;
    size_t lengths = 0;
    size_t codings = 0;

    check(used <= input.len && head->header_count <= DEIS_H1_MAX_HEADERS);
    check(deis_str_ends(deis_str_first(input, used), "\r\n\r\n"));
    check(head->target.len > 0 && (head->target.ptr[0] == '/' || head->target.ptr[0] == '*'));
    for (size_t i = 0; i < head->header_count; i++) {
        const struct deis_h1_header *h = &head->headers[i];
        check(h->name.ptr >= input.ptr && h->name.len > 0);
        check(h->value.ptr > h->name.ptr && h->value.ptr + h->value.len <= input.ptr + used);
        check(deis_str_find(h->value, '\r') < 0 && deis_str_find(h->value, '\n') < 0);
        check(deis_str_find(h->value, '\0') < 0 && deis_str_find(h->name, ' ') < 0);
        hosts += deis_str_ieq_cstr(h->name, "Host");
        lengths += deis_str_ieq_cstr(h->name, "Content-Length");
        codings += deis_str_ieq_cstr(h->name, "Transfer-Encoding");
        (void)deis_h1_is_hop_by_hop(head, h->name);
    }
    check(hosts == 1 && lengths + codings <= 1);
    check((head->framing == DEIS_H1_CHUNKED) == (codings == 1));
    check(head->framing != DEIS_H1_LENGTH || (lengths == 1 && head->content_length > 0));
    check(head->framing != DEIS_H1_UNTIL_CLOSE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct outcome whole;
    static struct outcome parts;

    if (size == 0) {
        return 0;
    }
    struct deis_str input = deis_str_n((const char *)data + 1, size - 1);
    parse(input, input.len, &whole);
    parse(input, (size_t)data[0] + 1, &parts);
    check(whole.result == parts.result && whole.status == parts.status);
    check(whole.result != DEIS_H1_BAD || whole.status >= 400);
    if (whole.result == DEIS_H1_DONE) {
        check(whole.used == parts.used && whole.head.framing == parts.head.framing);
        check(whole.head.content_length == parts.head.content_length);
        check_head(&whole.head, input, whole.used);
    }
    return 0;
}
