/* SPDX-License-Identifier: MIT */
/* Lines of an app's log on a terminal. thread: any */
#ifndef CLIENT_CORE_LOGLINE_H
#define CLIENT_CORE_LOGLINE_H

#include "lib/base/buf.h"

/* 1 to 6 or 9: the colour of a line, the same for all lines of one process. */
int logline_colour(struct deis_str line);

enum logline_form {
    LOGLINE_COLOURED, /* between the escape sequences of its colour: what the contract wants */
    LOGLINE_PLAIN,
    LOGLINE_JSON, /* {"time":…,"process":…,"text":…}, the first two null in a line without them */
};

/* The line with a newline. safe: control bytes that could do more than colour are shown as \xNN
 * (in JSON they are escaped anyway). */
void logline_add(struct deis_str line, enum logline_form form, bool safe, struct deis_buf *out);
/* All lines of a body. The coloured form has one more, empty, after a final newline. */
void logline_add_all(struct deis_str body, enum logline_form form, bool safe, struct deis_buf *out);

#endif
