/* SPDX-License-Identifier: MIT */
/*
 * The tree of a pushed commit as a tar stream, straight from the object store: no checkout, no
 * filters, no attributes. All names, links and sizes are judged before the first byte goes out.
 * thread: one owner
 */
#ifndef DEIS_BUILDER_TREE_TAR_H
#define DEIS_BUILDER_TREE_TAR_H

#include "lib/base/buf.h"

#include <sys/types.h>

struct tree_tar;

struct tree_tar_limits {
    uint64_t total_bytes; /* of all files together */
    uint64_t file_bytes;  /* of one file: it is in memory while it is sent */
    size_t entries;
};

/*
 * Open the repository at path, with the objects of a quarantine folder (NULL = none) in sight, and
 * read the tree of a commit. DEIS_INVALID, DEIS_LIMIT with a text for the pusher: not a commit, a
 * submodule, a symlink that leaves the tree, a bad name, over a limit.
 */
int tree_tar_open(const char *path, const char *quarantine, const char *commit,
                  const struct tree_tar_limits *limits, struct tree_tar **ret,
                  struct deis_err *err) deis_must_check;
void tree_tar_free(struct tree_tar *t); /* NULL is fine */

/* Is there a file of this path? */
bool tree_tar_has(const struct tree_tar *t, const char *path);
/* Is there anything of this path? */
bool tree_tar_taken(const struct tree_tar *t, const char *path);
/* Append the contents of a file; DEIS_NOT_FOUND, DEIS_LIMIT when out is too small. */
int tree_tar_get(struct tree_tar *t, const char *path, struct deis_buf *out,
                 struct deis_err *err) deis_must_check;
/* Put other contents (copied) in the place of a file's, before the first byte is read. */
int tree_tar_replace(struct tree_tar *t, const char *path, struct deis_str contents,
                     struct deis_err *err) deis_must_check;
/* Add a file (contents are copied), before the first byte is read, where nothing is. */
void tree_tar_add(struct tree_tar *t, const char *path, struct deis_str contents);
size_t tree_tar_count(const struct tree_tar *t);

/* The next bytes of the archive: up to cap, 0 at the end, -1 when an object can't be read
 * (tree_tar_error() says which). */
ssize_t tree_tar_read(struct tree_tar *t, char *data, size_t cap);
const struct deis_err *tree_tar_error(const struct tree_tar *t);

#endif
