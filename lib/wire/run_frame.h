/* SPDX-License-Identifier: MIT */
/*
 * The frames of an attached one-off command, over a connection that was upgraded to "deis-run"
 * (docs/API.md). type(1) length(4, big-endian) payload. The client sends no more stdin than it has
 * credit for, so that what stands behind it in the connection is never held up. Pure. thread: one
 * owner
 */
#ifndef DEIS_WIRE_RUN_FRAME_H
#define DEIS_WIRE_RUN_FRAME_H

#include "lib/base/buf.h"

#define DEIS_RUN_PROTOCOL    "deis-run"
#define DEIS_RUN_HEAD        5u
#define DEIS_RUN_DATA_MAX    65536u  /* bytes of a frame */
#define DEIS_RUN_OPEN_MAX    524288u /* of the first one, which has the command as JSON */
#define DEIS_RUN_COMMAND_MAX 65536u  /* bytes of a command */
#define DEIS_RUN_TERM_MAX    64u
#define DEIS_RUN_CELLS_MAX   10000u /* rows or columns of a terminal */
#define DEIS_RUN_PING_MS     20000u /* each side says something so often */
#define DEIS_RUN_SILENCE_MS  60000u /* a peer that is silent for so long is gone */

enum deis_run_frame {
    DEIS_RUN_OPEN = 'o',    /* client: {"command","tty","rows","columns","term"} */
    DEIS_RUN_INPUT = 'i',   /* client: bytes for stdin */
    DEIS_RUN_EOF = 'e',     /* client: no more of them */
    DEIS_RUN_SIZE = 's',    /* client: rows(2) columns(2) of the terminal */
    DEIS_RUN_SIGNAL = 'k',  /* client: "INT" and so on, for the process */
    DEIS_RUN_PING = 'p',    /* both: nothing */
    DEIS_RUN_STARTED = 'r', /* server: name of the process, "run.3" */
    DEIS_RUN_CREDIT = 'c',  /* server: 4 bytes, how much more stdin it takes */
    DEIS_RUN_OUTPUT = 'd',  /* server: bytes from stdout, or from the terminal */
    DEIS_RUN_ERROR = 'D',   /* server: bytes from stderr */
    DEIS_RUN_EXIT = 'x',    /* server, last: 4 bytes, exit status */
    DEIS_RUN_FAILED = 'f',  /* server, last: text for people */
};

void deis_run_frame_add(struct deis_buf *out, enum deis_run_frame type, struct deis_str payload);
void deis_run_frame_add_u32(struct deis_buf *out, enum deis_run_frame type, uint32_t value);
/* rows and columns are cut to DEIS_RUN_CELLS_MAX. */
void deis_run_frame_add_size(struct deis_buf *out, uint32_t rows, uint32_t columns);

enum deis_run_read {
    DEIS_RUN_MORE,  /* the input is used up */
    DEIS_RUN_FRAME, /* here is one; call again */
    DEIS_RUN_BAD,   /* err (DEIS_PROTOCOL) says why */
};

/* Zero it to start, then set from_client. */
struct deis_run_reader {
    bool from_client; /* whose frames are expected */
    unsigned char head[DEIS_RUN_HEAD];
    size_t have; /* of head */
    struct deis_buf payload;
};

void deis_run_reader_init(struct deis_run_reader *r, bool from_client);
void deis_run_reader_clear(struct deis_run_reader *r);
/* Take bytes off *input until a frame is complete. Its payload is valid until the next call; the
 * length of one with a fixed length is right. Memory grows with what has come, not with what was
 * announced. */
enum deis_run_read deis_run_reader_feed(struct deis_run_reader *r, struct deis_str *input,
                                        enum deis_run_frame *ret_type, struct deis_str *ret_payload,
                                        struct deis_err *err);
uint32_t deis_run_u32(struct deis_str payload);
/* DEIS_PROTOCOL: not within 1 to DEIS_RUN_CELLS_MAX. */
int deis_run_size(struct deis_str payload, uint32_t *ret_rows, uint32_t *ret_columns,
                  struct deis_err *err) deis_must_check;
/* Bytes of the whole frames that data starts with, max at most. */
size_t deis_run_whole_frames(struct deis_str data, size_t max);

#endif
