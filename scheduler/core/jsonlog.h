/* SPDX-License-Identifier: MIT */
/*
 * Lines of the Engine's json-file logs, and the lines of the app that they are pieces of. Pure.
 * Untrusted: what a container prints ends up here; what is no valid entry is skipped and counted as
 * lost. thread: one owner
 */
#ifndef SCHEDULER_CORE_JSONLOG_H
#define SCHEDULER_CORE_JSONLOG_H

#include "lib/base/buf.h"

#define JSONLOG_ENTRY_MAX                                                                          \
    (256 * 1024) /* bytes of one entry in the file; the Engine's own limit is lower */
#define JSONLOG_LINE_MAX (64 * 1024) /* bytes of one joined line; longer ones are split there */

/* One entry: {"log":"text\n","stream":"stdout","time":"2026-03-05T17:14:27.123456789Z"}. */
struct jsonlog_entry {
    bool err;         /* stderr */
    bool partial;     /* the text did not end in a newline: more of this line follows */
    uint64_t time_ms; /* Unix time */
};

/* Parse one entry without its newline; its text, without newline, is appended to text.
 * DEIS_INVALID. */
int jsonlog_parse(struct deis_str entry, struct jsonlog_entry *ret, struct deis_buf *text,
                  struct deis_err *err) deis_must_check;
/* "2026-03-05T17:14:27.123456789Z" (or with "+01:00") to Unix ms. */
int jsonlog_time(struct deis_str text, uint64_t *ret_ms, struct deis_err *err) deis_must_check;

/* Joins the entries of one container to lines. Positions are bytes of its log since it was created.
 */
struct jsonlog_pending {
    struct deis_buf text;
    bool open;
    uint64_t start; /* position of its first entry */
    uint64_t end;
    uint64_t time_ms;
};

struct jsonlog {
    struct jsonlog_pending pending[2]; /* stdout, stderr */
    uint64_t last;                     /* highest position given out */
    uint64_t lost;                     /* to be told with the next line */
    struct deis_buf text;
};

struct jsonlog_line {
    uint64_t position; /* grows strictly */
    uint64_t time_ms;
    struct deis_str text;
    uint64_t lost; /* bytes of the log before this line that are gone */
};

/* May return false: no more lines for now (the one given counts as taken). */
typedef bool jsonlog_emit_fn(const struct jsonlog_line *line, void *arg);

void jsonlog_init(struct jsonlog *j);
void jsonlog_clear(struct jsonlog *j);
/* Take whole entries off the start of chunk, which lies at `position`; returns the bytes taken. An
 * incomplete entry at the end is left unless the chunk is JSONLOG_ENTRY_MAX long without a newline.
 */
size_t jsonlog_feed(struct jsonlog *j, struct deis_str chunk, uint64_t position,
                    jsonlog_emit_fn *emit, void *arg);
/* The process ended or was silent for long: give out what is pending. */
void jsonlog_flush(struct jsonlog *j, jsonlog_emit_fn *emit, void *arg);
/* Bytes of the log are gone. */
void jsonlog_skip(struct jsonlog *j, uint64_t bytes);
/* From where to read again after a restart, when all lines given out are safe and everything up to
 * `read` was fed. */
uint64_t jsonlog_resume(const struct jsonlog *j, uint64_t read);

#endif
