/* SPDX-License-Identifier: MIT */
#include "logger/core/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A segment of any bytes: what decodes must encode to the same bytes again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct deis_str rest = { (const char *)data, size };
    struct record r;

    for (;;) {
        const char *start = rest.ptr;
        if (record_decode(&rest, &r) != RECORD_OK) {
            return 0;
        }
        deis_autobuf struct deis_buf again = DEIS_BUF_INIT(1 << 20);
        record_encode(&r, &again);
        if (again.len != (size_t)(rest.ptr - start) || memcmp(again.data, start, again.len) != 0) {
            abort();
        }
    }
}
