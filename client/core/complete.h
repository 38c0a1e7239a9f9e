/* SPDX-License-Identifier: MIT */
/* Completion scripts of shells, made from the table of commands. thread: any */
#ifndef CLIENT_CORE_COMPLETE_H
#define CLIENT_CORE_COMPLETE_H

#include "lib/base/buf.h"

void complete_bash(struct deis_buf *out);
void complete_zsh(struct deis_buf *out);
void complete_fish(struct deis_buf *out);

#endif
