/* SPDX-License-Identifier: MIT */
/*
 * Which of the Engine's rotated log files to read: <id>-json.log is the newest, .1 the one before,
 * and so on. A file is known by its inode and by a hash of its first bytes, because inodes are used
 * again. Positions are bytes of the container's log since it was created. thread: one owner
 */
#ifndef SCHEDULER_CORE_LOGFILES_H
#define SCHEDULER_CORE_LOGFILES_H

#include "lib/wire/json.h"

#define LOGFILES_KEPT     5   /* that the Engine keeps of a container of ours, older ones go */
#define LOGFILES_MAX      16  /* looked at: others may have other settings */
#define LOGFILES_HEAD_MAX 256 /* bytes that identify a file */

struct logfile {
    uint64_t inode;
    uint64_t size;
};

/* Where a reader stands. */
struct logplace {
    uint64_t inode;  /* 0 = nothing was read yet */
    uint64_t base;   /* position of the file's first byte */
    uint64_t offset; /* in the file */
    uint32_t head_len;
    uint64_t head_hash; /* of its first head_len bytes */
};

enum logfiles_step {
    LOGFILES_STAY, /* the file read is the newest: more may come */
    LOGFILES_NEXT, /* go on at the start of files[*ret] */
    LOGFILES_GAP,  /* what followed is gone: go on at the start of files[*ret] */
    LOGFILES_NONE, /* there is no file yet */
};

/*
 * files[0] is the newest, as listed now (inode 0 = not there at the moment). inode is the file that
 * was read to its end; successor is the file that was seen to follow it, 0 = none was seen yet.
 */
enum logfiles_step logfiles_next(const struct logfile *files, size_t count, uint64_t inode,
                                 uint64_t successor, size_t *ret);

/* FNV-1a */
uint64_t logfiles_hash(struct deis_str head);

/* For the file of positions; DEIS_INVALID names the member. */
json_t *logplace_format(const struct logplace *p);
int logplace_parse(const json_t *obj, struct logplace *ret, struct deis_err *err) deis_must_check;

#endif
