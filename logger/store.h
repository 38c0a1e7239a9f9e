/* SPDX-License-Identifier: MIT */
/*
 * Lines of each app on disk: <root>/apps/<app>/<first seq, 16 hex digits>.log, segments of records
 * (core/record.h). The newest segment is written, older ones only read and, when room is needed,
 * removed. thread: loop
 */
#ifndef LOGGER_STORE_H
#define LOGGER_STORE_H

#include "logger/core/record.h"
#include "logger/core/retention.h"
#include "logger/sources.h"

struct log_store;

#define LOG_SEGMENT_MAX_BYTES (32ull * 1024 * 1024)

struct log_store_opts {
    const char *root;
    uint64_t segment_bytes; /* at most LOG_SEGMENT_MAX_BYTES: a segment is read as a whole */
    struct retention_limits limits;
};

/* Opens what is there; a torn end of a newest segment is cut off. A segment that can't be read is
 * told, counted and passed over, now and later: all others are served. The positions found in the
 * newest segments are given to sources, whose copy on disk is renewed whenever a segment is
 * finished. DEIS_CONFLICT: another process has the folder open. */
struct log_store *log_store_open(const struct log_store_opts *opts, struct sources *sources,
                                 struct deis_err *err) deis_must_check;
void log_store_free(struct log_store *s);

/* Append a line (seq is set here). It is in the file when this returns, but not synced. On a full
 * disk old segments give way as at the quota; DEIS_LIMIT: none is left that may. */
int log_store_append(struct log_store *s, struct deis_str app, struct record *r,
                     struct deis_err *err) deis_must_check;
/* Descriptors of all segments written since the last call, duplicated: sync and close them, on any
 * thread. *ret is yours. */
size_t log_store_take_dirty(struct log_store *s, int **ret);
/* Sync all that was appended, here and now. */
int log_store_sync(struct log_store *s, struct deis_err *err) deis_must_check;
/* A sync has failed. Nobody can tell then which lines are on disk, and another try would not say it
 * either: only a restart reads what is there. */
bool log_store_is_broken(const struct log_store *s);

/* The last `lines` matching records of an app, oldest first, as many as fit in max_bytes; or all
 * from seq on. */
struct log_query {
    struct deis_str app;
    struct deis_str filter;
    uint64_t from_seq; /* 0: the last `lines` */
    size_t lines;
    size_t max_bytes;
};

/* A log may be long, and what is looked for rare: a search reads a segment in a call. It ends with
 * the lines that were there when it began. */
struct log_search {
    struct log_query q; /* the rest zeroed to start */
    uint64_t next;      /* the seq to continue with, once it is over; 1: no such app */
    bool more;          /* it was cut at max_bytes */
    uint64_t scanned;   /* bytes of segments, so far */

    /* store_read.c */
    bool begun;
    size_t missing;  /* of the last lines */
    uint64_t before; /* segments from this seq on were looked through for them */
    uint64_t from;
    uint64_t end;
    size_t bytes;
};

/* 1: call it again; 0: over. fn gets what was found; its record is valid during the call. */
int log_store_search(struct log_store *s, struct log_search *x,
                     void (*fn)(const struct record *r, void *arg), void *arg,
                     struct deis_err *err) deis_must_check;
/* The seq that the app's next line will have. */
uint64_t log_store_next_seq(const struct log_store *s, struct deis_str app);
/* What can't be removed stays the app's: another call tries it again. */
int log_store_delete(struct log_store *s, struct deis_str app,
                     struct deis_err *err) deis_must_check;

#endif
