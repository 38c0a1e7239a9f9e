/* SPDX-License-Identifier: MIT */
/* Image manifests and indexes: what they refer to. Pure. */
#ifndef REGISTRY_CORE_MANIFEST_H
#define REGISTRY_CORE_MANIFEST_H

#include "lib/wire/json.h"

#define MANIFEST_MAX_BYTES (4 * 1024 * 1024)
#define MANIFEST_REFS_MAX  1024

struct manifest_refs {
    char **blobs; /* hex digests: config and layers */
    size_t blob_count;
    char **manifests; /* hex digests: the entries of an index */
    size_t manifest_count;
    char media_type[128];
};

/* media_type: of the request, or empty to take the document's own "mediaType"; with both they must
 * be the same. DEIS_INVALID when it is no manifest that we take (Docker schema 2, OCI manifest,
 * manifest list, OCI index), when a digest is malformed or when it has too many entries. Layers
 * with "urls" of their own are not expected to be stored. */
int manifest_parse(struct deis_str text, struct deis_str media_type, struct manifest_refs *ret,
                   struct deis_err *err) deis_must_check;
void manifest_refs_clear(struct manifest_refs *r);

#endif
