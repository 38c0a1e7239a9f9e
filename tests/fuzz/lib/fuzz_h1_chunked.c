/* SPDX-License-Identifier: MIT */
/* The first byte is the size of the steps in which the rest arrives. */
#include "lib/base/buf.h"
#include "lib/wire/h1.h"

static void check(bool fact)
{
    if (!fact) {
        abort();
    }
}

static enum deis_h1_result feed(struct deis_str input, size_t step, struct deis_buf *out,
                                size_t *ret_used)
{
    struct deis_h1_chunked c = { 0 };
    struct deis_err err = DEIS_ERR_INIT;
    enum deis_h1_result result = DEIS_H1_MORE;
    size_t at = 0;

    while (at < input.len && result == DEIS_H1_MORE) {
        struct deis_str piece = deis_str_first(deis_str_skip(input, at), step);
        while (piece.len > 0 && result == DEIS_H1_MORE) {
            struct deis_str data;
            size_t before = piece.len;
            result = deis_h1_chunked_feed(&c, &piece, &data, &err);
            check(piece.len <= before && data.len <= before - piece.len);
            at += before - piece.len;
            deis_buf_add_str(out, data);
        }
    }
    *ret_used = at;
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct deis_str input = deis_str_n((const char *)data + 1, size - 1);
    deis_autobuf struct deis_buf whole = DEIS_BUF_INIT(size);
    deis_autobuf struct deis_buf parts = DEIS_BUF_INIT(size);
    size_t whole_used;
    size_t parts_used;
    enum deis_h1_result result = feed(input, size, &whole, &whole_used);
    check(result == feed(input, (size_t)data[0] + 1, &parts, &parts_used));
    check(whole_used == parts_used);
    check(!deis_buf_failed(&whole) && deis_str_eq(deis_buf_str(&whole), deis_buf_str(&parts)));
    return 0;
}
