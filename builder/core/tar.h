/* SPDX-License-Identifier: MIT */
/* Writes tar headers: ustar, with a pax header before an entry whose names or size do not fit.
 * Pure. */
#ifndef DEIS_BUILDER_TAR_H
#define DEIS_BUILDER_TAR_H

#include "lib/base/buf.h"

#define TAR_BLOCK    512
#define TAR_PATH_MAX 4096 /* bytes of a path and of a link target */

enum tar_kind { TAR_FILE, TAR_EXECUTABLE, TAR_SYMLINK, TAR_DIRECTORY };

struct tar_entry {
    enum tar_kind kind;
    struct deis_str path; /* relative, without a slash at the end */
    struct deis_str link; /* target of a symlink */
    uint64_t size;        /* of a file, else 0 */
};

/* Append the header blocks of e: owner 0, a constant time, so that the same tree gives the same
 * bytes. DEIS_LIMIT: a name over TAR_PATH_MAX. */
int tar_add_header(const struct tar_entry *e, struct deis_buf *out,
                   struct deis_err *err) deis_must_check;
/* Zero bytes that follow size bytes of contents: 0 ... 511. */
size_t tar_padding(uint64_t size);
/* The two empty blocks that end an archive. */
void tar_add_end(struct deis_buf *out);

#endif
