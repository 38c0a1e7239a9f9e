/* SPDX-License-Identifier: MIT */
#include "registry-proxy/core/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct deis_err err = DEIS_ERR_INIT;
    struct manifest_refs refs;

    if (manifest_parse(deis_str_n((const char *)data, size), DEIS_STR_NONE, &refs, &err) == 0) {
        for (size_t i = 0; i < refs.blob_count; i++) {
            if (strlen(refs.blobs[i]) != 64) {
                abort();
            }
        }
        manifest_refs_clear(&refs);
    }
    return 0;
}
