/* SPDX-License-Identifier: MIT */
/* The first byte is the size of the steps in which the rest arrives: they change nothing, "more"
 * never swallows a byte behind the header, and what was read can be written and read again. */
#include "lib/wire/proxy_head.h"

static void check(bool fact)
{
    if (!fact) {
        abort();
    }
}

static void check_format(const struct deis_proxy_head *head)
{
    char line[DEIS_PROXY_V1_MAX + 1];
    struct deis_proxy_head again;
    size_t used;
    size_t len = deis_proxy_head_format(line, head);

    check(len <= DEIS_PROXY_V1_MAX);
    check(deis_proxy_head_parse(deis_str_n(line, len), &again, &used, NULL) == DEIS_PROXY_DONE);
    check(used == len && memcmp(head, &again, sizeof(again)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct deis_proxy_head whole;
    struct deis_proxy_head parts;
    enum deis_proxy_result r = DEIS_PROXY_MORE;
    size_t used;
    size_t parts_used = 0;
    size_t have = 0;

    if (size == 0) {
        return 0;
    }
    struct deis_str input = deis_str_n((const char *)data + 1, size - 1);
    enum deis_proxy_result result = deis_proxy_head_parse(input, &whole, &used, NULL);
    memset(&parts, 0, sizeof(parts));
    while (r == DEIS_PROXY_MORE && have < input.len) {
        size_t before = have;
        have = input.len - have > (size_t)data[0] + 1 ? have + (size_t)data[0] + 1 : input.len;
        r = deis_proxy_head_parse(deis_str_first(input, have), &parts, &parts_used, NULL);
        check(r != DEIS_PROXY_DONE || parts_used > before);
    }
    check(r == result && parts_used == used && memcmp(&whole, &parts, sizeof(whole)) == 0);
    if (result == DEIS_PROXY_DONE) {
        check(used <= input.len && used <= DEIS_PROXY_HEAD_MAX);
        check_format(&whole);
    }
    return 0;
}
