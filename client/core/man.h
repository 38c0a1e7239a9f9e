/* SPDX-License-Identifier: MIT */
/* The manual page deis(1) as roff, made from the table of commands. thread: any */
#ifndef CLIENT_CORE_MAN_H
#define CLIENT_CORE_MAN_H

#include "lib/base/buf.h"

void man_page(const char *version, struct deis_buf *out);

#endif
