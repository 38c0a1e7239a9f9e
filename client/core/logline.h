/* SPDX-License-Identifier: MIT */
/* Lines of an app's log on a terminal. thread: any */
#ifndef CLIENT_CORE_LOGLINE_H
#define CLIENT_CORE_LOGLINE_H

#include "lib/base/buf.h"

/* 1 to 6 or 9: the colour of a line, the same for all lines of one process. */
int logline_colour(struct deis_str line);
/* The line in its colour, with a newline. safe: control bytes that could do more than colour are
 * shown as \xNN. */
void logline_add(struct deis_str line, bool safe, struct deis_buf *out);
/* All lines of a body. */
void logline_add_all(struct deis_str body, bool safe, struct deis_buf *out);

#endif
