/* SPDX-License-Identifier: MIT */
/*
 * Short texts by name that save a read, never a check: what is taken from here is held against what
 * is read in the same request. Bounded. thread: any
 */
#ifndef CONTROLLER_MEMO_H
#define CONTROLLER_MEMO_H

#include "lib/base/map.h"

#define MEMO_TEXT_MAX 40 /* with its NUL; longer ones are not kept */

struct memo;

/* Beyond `entries` all are forgotten. */
struct memo *memo_new(size_t entries);
void memo_free(struct memo *m);
bool memo_get(struct memo *m, const char *name, char ret[MEMO_TEXT_MAX]);
void memo_put(struct memo *m, const char *name, const char *text);

#endif
