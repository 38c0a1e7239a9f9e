/* SPDX-License-Identifier: MIT */
/* Shared by store.c and store_read.c only. */
#ifndef LOGGER_STORE_PRIV_H
#define LOGGER_STORE_PRIV_H

#include "logger/store.h"

#include "lib/base/map.h"

#define LOG_PATH_BYTES 1024

struct segment {
    uint64_t first_seq;
    uint64_t bytes;
    bool unreadable; /* was found so, and that was told; it keeps its place and its turn to go */
};

/* Where a record begins in the newest segment. */
struct log_mark {
    uint64_t seq;
    uint64_t offset;
};

#define LOG_MARKS 16

struct app_log {
    char *name;
    struct segment *segments; /* oldest first */
    size_t count;
    uint64_t next_seq;
    int fd; /* of the newest segment, or -1 */
    bool dirty;
    bool torn; /* half a record could not be cut off, or it can't be read: nothing more goes into
                * the newest segment */
    uint64_t used_ms;
    struct log_mark marks[LOG_MARKS]; /* of lines that were appended since it was begun or opened */
    size_t mark_count;
};

struct log_store {
    struct log_store_opts opts;
    char *root;
    struct sources *sources;
    struct deis_map *apps;
    size_t open_fds;
    int lock_fd;
    bool broken;
    uint64_t unreadable; /* segments, so far */
    struct deis_buf scratch;
};

/* Fills and returns out. */
char *log_segment_path(const struct log_store *s, const struct app_log *a, uint64_t first_seq,
                       char out[LOG_PATH_BYTES]);

/* --- store_read.c --- */

#define LOG_SEGMENT_ROOM (2 * LOG_SEGMENT_MAX_BYTES) /* of s->scratch */

/* A segment's bytes, from the offset on, in s->scratch; of an unreadable one, nothing. */
int log_segment_load(struct log_store *s, const struct app_log *a, struct segment *seg,
                     uint64_t offset, struct deis_err *err) deis_must_check;

#endif
