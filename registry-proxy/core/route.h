/* SPDX-License-Identifier: MIT */
/*
 * Request paths of the OCI distribution API (distribution-spec 1.0) into what they address. Pure.
 * Names, tags and digests are checked here, so that what passes is safe as a file name.
 */
#ifndef REGISTRY_CORE_ROUTE_H
#define REGISTRY_CORE_ROUTE_H

#include "lib/base/str.h"

enum registry_route {
    REGISTRY_NONE,     /* no such path */
    REGISTRY_BAD_NAME, /* a path of the API with an invalid name, tag, digest or upload id */
    REGISTRY_HEALTH,
    REGISTRY_BASE, /* /v2/ */
    REGISTRY_CATALOG,
    REGISTRY_TAGS,     /* /v2/<name>/tags/list */
    REGISTRY_MANIFEST, /* /v2/<name>/manifests/<tag or digest> */
    REGISTRY_BLOB,     /* /v2/<name>/blobs/<digest> */
    REGISTRY_UPLOADS,  /* /v2/<name>/blobs/uploads/ */
    REGISTRY_UPLOAD,   /* /v2/<name>/blobs/uploads/<id> */
};

struct registry_target {
    enum registry_route route;
    struct deis_str name;   /* repository, "blog" or "base/node" */
    struct deis_str tag;    /* of a manifest by tag */
    struct deis_str digest; /* "sha256:<64 hex>" of a manifest by digest, or of a blob */
    struct deis_str upload; /* id: 32 hex digits */
};

/* path: without query, not decoded (nothing of ours needs escapes). Views into path. */
struct registry_target registry_route_parse(struct deis_str path);

/* May a request name this host (with its port)? An address or "localhost", in any spelling of its
 * own; names are not served: whoever makes one lead here would reach images of others through it.
 */
bool registry_host_fits(struct deis_str host);

/* [a-z0-9]+ runs joined by '.', '_', '__' or dashes, parts joined by '/', 255 bytes at most. */
bool registry_is_name(struct deis_str s);
bool registry_is_tag(struct deis_str s);                     /* [A-Za-z0-9_][A-Za-z0-9._-]{0,127} */
bool registry_is_digest(struct deis_str s);                  /* sha256 only */
struct deis_str registry_digest_hex(struct deis_str digest); /* the 64 digits of a valid digest */

#endif
