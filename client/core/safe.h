/* SPDX-License-Identifier: MIT */
/*
 * What others have written (names, values, summaries, log lines), shown on a terminal: nothing in
 * it may move the cursor, set the title or answer for the user. thread: any
 */
#ifndef CLIENT_CORE_SAFE_H
#define CLIENT_CORE_SAFE_H

#include "lib/base/buf.h"

/* Adds s. Control characters, the C1 ones in UTF-8 too, become \xNN for each byte; left as they
 * are: tabs and sequences that only set colours. */
void safe_add(struct deis_str s, struct deis_buf *out);
/* The same for a text of several lines. */
void safe_add_lines(struct deis_str s, struct deis_buf *out);

#endif
