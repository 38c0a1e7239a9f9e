/* SPDX-License-Identifier: MIT */
#include "lib/wire/b64.h"

static void check(bool fact)
{
    if (!fact) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct deis_str input = deis_str_n((const char *)data, size);
    deis_autobuf struct deis_buf plain = DEIS_BUF_INIT(2 * size + 4);
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(2 * size + 4);

    /* There is one spelling only: what decodes encodes to the same. */
    if (deis_b64_decode(input, &plain, NULL) == DEIS_OK) {
        deis_b64_encode(deis_buf_str(&plain), &text);
        check(deis_str_eq(deis_buf_str(&text), input));
    }
    deis_buf_reset(&plain);
    deis_buf_reset(&text);
    if (deis_hex_decode(input, &plain, NULL) == DEIS_OK) {
        deis_hex_encode(deis_buf_str(&plain), &text);
        check(deis_str_eq(deis_buf_str(&text), input));
    }
    deis_buf_reset(&plain);
    deis_buf_reset(&text);
    deis_b64_encode(input, &text);
    check(deis_b64_decode(deis_buf_str(&text), &plain, NULL) == DEIS_OK);
    check(deis_str_eq(deis_buf_str(&plain), input));
    return 0;
}
