/* SPDX-License-Identifier: MIT */
/* The real deis-registry-proxy with a folder of its own, and HTTP requests to it. Failures end the
 * test. */
#ifndef REGISTRY_WORLD_H
#define REGISTRY_WORLD_H

#include "tests/support/etcd_server.h"
#include "tests/support/program.h"

#include "lib/crypto/registry_login.h"
#include "lib/net/httpc.h"

#define WORLD_IMAGE_TYPE "application/vnd.oci.image.manifest.v1+json"

struct world {
    struct program registry;
    struct test_etcd etcd;
    const char *etcd_url;
    char *folder;
    char *key_path;
    struct deis_keys *keys;
    uint16_t port;
    struct deis_httpc *http;
    struct deis_httpc_answer answer; /* of the last call */
};

/* etcd_url NULL: an etcd of the world's own; else it is taken as it is. */
struct world *world_new(const char *etcd_url);
int world_free(struct world *w); /* the wait status of the registry, stopped with SIGTERM */
/* Settings beyond the usual ones, NULL-terminated; may be NULL. Grace of unreferenced blobs is an
 * hour, garbage is collected every second. */
void world_start(struct world *w, const char *const *more);

/* Status of the answer. header: one more line, or NULL. */
int world_call(struct world *w, const char *method, const char *path, const char *header,
               const char *body);
/* The same with another field that tells who asks; login NULL: none. */
int world_call_as(struct world *w, const char *login, const char *method, const char *path,
                  const char *header, const char *body);
/* A header of the last answer, "" when it has none. Valid until the next call of this function. */
const char *world_header(struct world *w, const char *name);
/* Is this text in the last answer's body? */
bool world_says(const struct world *w, const char *text);

/* Open an upload; its path. Valid until the next call. */
const char *world_open_upload(struct world *w, const char *repo);
/* Upload a blob in one piece; its digest ("sha256:...") goes to digest. */
void world_put_blob(struct world *w, const char *repo, const char *text, char digest[72]);
/* Upload config and one layer with these texts and a manifest of the two. media_type: its member
 * "mediaType", or NULL for none. */
void world_put_image(struct world *w, const char *repo, const char *tag, const char *config,
                     const char *layer, const char *media_type, char digest[72]);
void world_digest(const char *text, char digest[72]);

/* Number of files below a folder of the registry's data. */
unsigned world_count_files(const struct world *w, const char *below);
bool world_has_blob(const struct world *w, const char *digest);
/* As if nobody had used the blob for so long. */
void world_age_blob(const struct world *w, const char *digest, unsigned seconds);
/* Ask ready(w, arg) again and again until it says true, 20 s at most. */
void world_until(struct world *w, bool (*ready)(struct world *w, const void *arg), const void *arg);

#endif
