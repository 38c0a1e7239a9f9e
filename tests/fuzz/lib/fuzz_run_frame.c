/* SPDX-License-Identifier: MIT */
/* First byte: bit 0 = from a client, the rest = how the input is cut. */
#include "lib/wire/run_frame.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct deis_run_reader r;
    enum deis_run_frame type;
    struct deis_str payload;
    struct deis_err err = DEIS_ERR_INIT;
    enum deis_run_read got = DEIS_RUN_MORE;

    if (size == 0) {
        return 0;
    }
    struct deis_str rest = deis_str_n((const char *)data + 1, size - 1);
    size_t cut = 1u + (data[0] >> 1);
    deis_run_reader_init(&r, data[0] & 1);
    assert(deis_run_whole_frames(rest, cut) <= cut);
    while (got != DEIS_RUN_BAD && rest.len > 0) {
        struct deis_str part = deis_str_first(rest, cut);
        rest = deis_str_skip(rest, part.len);
        while ((got = deis_run_reader_feed(&r, &part, &type, &payload, &err)) == DEIS_RUN_FRAME) {
            uint32_t rows, columns;
            assert(payload.len <= DEIS_RUN_OPEN_MAX);
            if (type == DEIS_RUN_SIZE && deis_run_size(payload, &rows, &columns, &err) == 0) {
                assert(rows > 0 && columns <= DEIS_RUN_CELLS_MAX);
            }
        }
        assert(got == DEIS_RUN_BAD || part.len == 0);
        assert(r.payload.len <= size);
    }
    deis_run_reader_clear(&r);
    return 0;
}
