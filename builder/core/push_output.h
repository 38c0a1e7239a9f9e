/* SPDX-License-Identifier: MIT */
/* The text that a pusher sees: phases, indented output of others made safe for a terminal. Pure. */
#ifndef DEIS_BUILDER_PUSH_OUTPUT_H
#define DEIS_BUILDER_PUSH_OUTPUT_H

#include "lib/base/buf.h"

#define PUSH_OUTPUT_LINE_MAX 2048

/* Zero it to start. */
struct push_output {
    char line[PUSH_OUTPUT_LINE_MAX];
    size_t len;
    int escape;    /* where in an ANSI sequence we are */
    bool carriage; /* a CR was seen: what comes next overwrites the line */
};

/*
 * Take text in any pieces, append to out the lines that are complete, each behind seven blanks.
 * Escape sequences and control bytes are dropped, a line that is overwritten (CR) appears in its
 * last form, a longer line than PUSH_OUTPUT_LINE_MAX is broken.
 */
void push_output_feed(struct push_output *o, struct deis_str text, struct deis_buf *out);
/* The last line, if it has no end. */
void push_output_flush(struct push_output *o, struct deis_buf *out);

/* In lines that push_output_feed() made of a docker build: the last image that a step came to ("
 * ---> " and 12 hexadecimal digits alone on a line). false: none in there. */
#define PUSH_OUTPUT_LAYER_LEN 12
bool push_output_layer(struct deis_str lines, char ret_id[PUSH_OUTPUT_LAYER_LEN + 1]);

void push_output_phase(struct deis_buf *out, const char *text); /* "-----> text" */
void push_output_note(struct deis_buf *out,
                      struct deis_str text); /* "       text", one line or more */
void push_output_error(struct deis_buf *out, const char *text); /* " !     text" */
/* The end of a push that deployed. */
void push_output_done(struct deis_buf *out, const char *app, uint32_t version, const char *url);

#endif
