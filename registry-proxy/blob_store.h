/* SPDX-License-Identifier: MIT */
/*
 * Content-addressed files. Layout below the root:
 *
 *   blobs/<first two digits>/<hex>        blobs and manifests alike: bytes whose SHA-256 is the
 * name repos/<name>/_manifests/<hex>         a manifest of the repository; the file holds its media
 * type repos/<name>/_tags/<tag>              the file holds the hex digest uploads/<id> bytes under
 * way; emptied at start .lock                                 held by the process that has the
 * store open
 *
 * A file appears under its final name only when it is complete and on disk (temporary name, fsync,
 * rename). thread: any; two writers of one name leave one of the two
 */
#ifndef REGISTRY_BLOB_STORE_H
#define REGISTRY_BLOB_STORE_H

#include "lib/base/buf.h"

struct blob_store;

/* DEIS_CONFLICT: another process (or store) has the folder open. */
struct blob_store *blob_store_open(const char *root, struct deis_err *err) deis_must_check;
void blob_store_free(struct blob_store *s);

/* --- blobs by hex digest --- */
/* Size of a stored blob, marking it as used now (a sweep spares it for a while); DEIS_NOT_FOUND. */
int blob_stat(struct blob_store *s, struct deis_str hex, uint64_t *ret_size,
              struct deis_err *err) deis_must_check;
int blob_open(struct blob_store *s, struct deis_str hex, int *ret_fd, uint64_t *ret_size,
              struct deis_err *err) deis_must_check;
/* Whole contents, max_bytes at most. */
int blob_read(struct blob_store *s, struct deis_str hex, size_t max_bytes, struct deis_buf *out,
              struct deis_err *err) deis_must_check;
/* Store bytes; hex (64 digits, NUL) is their digest. */
int blob_write(struct blob_store *s, struct deis_str data, const char *hex,
               struct deis_err *err) deis_must_check;

/* --- uploads --- */
int upload_create(struct blob_store *s, const char *id, int *ret_fd,
                  struct deis_err *err) deis_must_check;
/* fsync and move to its place as a blob; the file is gone in any case. */
int upload_commit(struct blob_store *s, const char *id, int fd, const char *hex,
                  struct deis_err *err) deis_must_check;
void upload_remove(struct blob_store *s, const char *id);

/* --- repositories: name is a valid repository name --- */
int repo_put_manifest(struct blob_store *s, struct deis_str name, const char *hex,
                      const char *media_type, struct deis_err *err) deis_must_check;
/* Media type of a manifest of the repository; DEIS_NOT_FOUND. type: of 128 bytes */
int repo_get_manifest(struct blob_store *s, struct deis_str name, struct deis_str hex, char *type,
                      struct deis_err *err) deis_must_check;
/* The manifest and the tags that name it; DEIS_NOT_FOUND. */
int repo_delete_manifest(struct blob_store *s, struct deis_str name, struct deis_str hex,
                         struct deis_err *err) deis_must_check;
int repo_put_tag(struct blob_store *s, struct deis_str name, struct deis_str tag, const char *hex,
                 struct deis_err *err) deis_must_check;
/* hex: of 65 bytes; DEIS_NOT_FOUND */
int repo_get_tag(struct blob_store *s, struct deis_str name, struct deis_str tag, char *hex,
                 struct deis_err *err) deis_must_check;
int repo_delete_tag(struct blob_store *s, struct deis_str name, struct deis_str tag,
                    struct deis_err *err) deis_must_check;
/* Everything of one repository. */
int repo_delete(struct blob_store *s, struct deis_str name, struct deis_err *err) deis_must_check;

/* Sorted names, NULL-terminated, free with deis_strv_free(). DEIS_NOT_FOUND: no such repository. */
int repo_list_tags(struct blob_store *s, struct deis_str name, char ***ret,
                   struct deis_err *err) deis_must_check;
int store_list_repos(struct blob_store *s, char ***ret, struct deis_err *err) deis_must_check;

/* --- for the sweep --- */
/* Call fn for each manifest of each repository until it fails. An entry that can't be read is a
 * failure: what it refers to is not known. */
typedef int (*store_manifest_fn)(const char *repo, const char *hex, const char *media_type,
                                 void *arg, struct deis_err *err);
int store_walk_manifests(struct blob_store *s, store_manifest_fn fn, void *arg,
                         struct deis_err *err) deis_must_check;
/* A manifest is wanted at this moment; DEIS_NOT_FOUND. */
int repo_mark_manifest(struct blob_store *s, struct deis_str name, struct deis_str hex,
                       struct deis_err *err) deis_must_check;
/* Remove it, with its tags, if it was stored or marked last before wall time `before_s`. */
int repo_retire_manifest(struct blob_store *s, struct deis_str name, struct deis_str hex,
                         int64_t before_s, bool *ret_removed, struct deis_err *err) deis_must_check;
/* When this was asked for the first time: wall time, in seconds. */
int store_marking_since(struct blob_store *s, int64_t *ret_s, struct deis_err *err) deis_must_check;
/* Remove the blobs that are not kept and were last used before wall time `before_s`. */
int store_sweep(struct blob_store *s, bool (*keep)(const char *hex, void *arg), void *arg,
                int64_t before_s, uint64_t *ret_bytes, struct deis_err *err) deis_must_check;

#endif
