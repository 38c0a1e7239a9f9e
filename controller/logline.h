/* SPDX-License-Identifier: MIT */
/* Log lines as the API gives them out. thread: any */
#ifndef CONTROLLER_LOGLINE_H
#define CONTROLLER_LOGLINE_H

#include "log.pb-c.h"

#include "lib/base/buf.h"

/* "2026-03-05T17:14:27UTC blog[web.1]: text\n" for each entry. */
void logline_add(struct deis_buf *out, const char *app, const Deis__LogLines *lines);
/* text as UTF-8: what is none becomes U+FFFD, NUL too. */
void logline_add_text(struct deis_buf *out, struct deis_str text);

#endif
