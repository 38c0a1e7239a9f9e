/* SPDX-License-Identifier: MIT */
/* A file that is read as a kept document is what would be written for its key and value. */
#include "router/core/kept_doc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct deis_str text = deis_str_n((const char *)data, size);
    struct deis_buf again = DEIS_BUF_INIT(2 * KEPT_DOC_MAX);
    struct deis_str key, value;
    struct deis_err err;

    if (kept_doc_read(text, &key, &value, &err) == 0) {
        kept_doc_write(key, value, &again);
        if (!deis_str_eq(deis_buf_str(&again), text)) {
            abort();
        }
        deis_buf_clear(&again);
    }
    return 0;
}
