/* SPDX-License-Identifier: MIT */
/* Columns as wide as what stands in them. thread: one owner */
#ifndef CLIENT_CORE_COLUMNS_H
#define CLIENT_CORE_COLUMNS_H

#include "lib/base/buf.h"

#define COLUMNS_MAX 8

/* Start zeroed. */
struct columns {
    char **cells; /* row by row */
    size_t cell_count;
    size_t width; /* columns in a row */
};

/* Begin with the titles, `width` of them; COLUMNS_MAX at most. */
void columns_start(struct columns *c, const char *const *titles, size_t width);
/* The next cell; text is copied, an empty one shows as "-". */
void columns_add(struct columns *c, const char *text);
void columns_addf(struct columns *c, const char *format, ...) deis_printf(2, 3);
/* The rows so far; frees them. */
void columns_finish(struct columns *c, struct deis_buf *out);

#endif
