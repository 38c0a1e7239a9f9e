/* SPDX-License-Identifier: MIT */
/*
 * One stored log line. Pure. Layout, little-endian:
 *
 *   size(4)      of all that follows the checksum
 *   checksum(4)  CRC-32 of that
 *   seq(8) time_ms(8) position(8) lost(8) source length(1) process length(1) source process text
 *
 * A torn or damaged record is recognised by its size and checksum: a segment is valid up to there.
 */
#ifndef LOGGER_CORE_RECORD_H
#define LOGGER_CORE_RECORD_H

#include "lib/base/buf.h"

#define RECORD_TEXT_MAX    (64 * 1024)
#define RECORD_NAME_MAX    128 /* source and process */
#define RECORD_HEADER_SIZE 8

struct record {
    uint64_t seq; /* grows by one within an app */
    uint64_t time_ms;
    uint64_t position; /* within the source */
    uint64_t lost;     /* bytes of the source that are missing before this line */
    struct deis_str source;
    struct deis_str process;
    struct deis_str text;
};

/* Append the record's bytes. source and process at most RECORD_NAME_MAX, text RECORD_TEXT_MAX
 * bytes. */
void record_encode(const struct record *r, struct deis_buf *out);

enum record_result {
    RECORD_OK,   /* *ret is filled with views into input; *input is past it */
    RECORD_END,  /* input is empty */
    RECORD_TORN, /* what follows is no whole, valid record */
};

enum record_result record_decode(struct deis_str *input, struct record *ret);

/* Does a filter ("", "web" or "web.1") let this process through? */
bool record_matches(const struct record *r, struct deis_str filter);

#endif
