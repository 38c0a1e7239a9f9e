/* SPDX-License-Identifier: MIT */
/* The first byte chooses the method of the request and the size of the steps. */
#include "lib/wire/h1.h"

static const struct deis_h1_limits limits = { .head_max = 4096, .target_max = 1024 };

static void check(bool fact)
{
    if (!fact) {
        abort();
    }
}

static enum deis_h1_result parse(struct deis_str input, struct deis_str method, size_t step,
                                 struct deis_h1_head *head, size_t *ret_used)
{
    struct deis_err err = DEIS_ERR_INIT;
    enum deis_h1_result result;
    size_t scanned = 0;
    size_t have = 0;

    do {
        have = input.len - have > step ? have + step : input.len;
        result = deis_h1_parse_response(deis_str_first(input, have), method, &limits, &scanned,
                                        head, ret_used, &err);
    } while (result == DEIS_H1_MORE && have < input.len);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct deis_h1_head whole;
    static struct deis_h1_head parts;
    size_t whole_used = 0;
    size_t parts_used = 0;

    if (size == 0) {
        return 0;
    }
    struct deis_str input = deis_str_n((const char *)data + 1, size - 1);
    struct deis_str method = data[0] & 1 ? DEIS_STR("HEAD") : DEIS_STR("GET");
    enum deis_h1_result result = parse(input, method, input.len, &whole, &whole_used);
    check(result == parse(input, method, (size_t)data[0] + 1, &parts, &parts_used));
    if (result != DEIS_H1_DONE) {
        return 0;
    }
    check(whole_used == parts_used && whole_used <= input.len);
    check(whole.framing == parts.framing && whole.content_length == parts.content_length);
    check(whole.status >= 100 && whole.status <= 599);
    bool has_no_body =
        (data[0] & 1) || whole.status < 200 || whole.status == 204 || whole.status == 304;
    check(!has_no_body || whole.framing == DEIS_H1_NO_BODY);
    check(whole.framing != DEIS_H1_UNTIL_CLOSE || !whole.keep_alive);
    return 0;
}
