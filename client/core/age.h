/* SPDX-License-Identifier: MIT */
/* Times of the API as people think of them. thread: any */
#ifndef CLIENT_CORE_AGE_H
#define CLIENT_CORE_AGE_H

#include "lib/base/buf.h"

/* Unix seconds of "2026-03-05T17:14:27UTC"; DEIS_INVALID when the text is none. */
int age_parse(struct deis_str text, uint64_t *ret, struct deis_err *err) deis_must_check;
/* "42s", "12m", "3h", "5d" from then to now (Unix seconds); nothing when `then` is no time. */
void age_format(const char *then, uint64_t now, struct deis_buf *out);

#endif
