/* SPDX-License-Identifier: MIT */
#include "registry-proxy/core/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What passes is used in file names: it must never climb. */
static void must_be_safe(struct deis_str s)
{
    struct deis_str part;

    while (deis_str_split(&s, '/', &part)) {
        if (part.len == 0 || part.ptr[0] == '.' || memchr(part.ptr, '\0', part.len)) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct registry_target t = registry_route_parse(deis_str_n((const char *)data, size));

    switch (t.route) {
    case REGISTRY_TAGS:
    case REGISTRY_MANIFEST:
    case REGISTRY_BLOB:
    case REGISTRY_UPLOADS:
    case REGISTRY_UPLOAD:
        must_be_safe(t.name);
        if (t.tag.len > 0) {
            must_be_safe(t.tag);
        }
        if (t.upload.len > 0) {
            must_be_safe(t.upload);
        }
        break;
    case REGISTRY_NONE:
    case REGISTRY_BAD_NAME:
    case REGISTRY_HEALTH:
    case REGISTRY_BASE:
    case REGISTRY_CATALOG: break;
    }
    return 0;
}
