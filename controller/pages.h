/* SPDX-License-Identifier: MIT */
/*
 * Answers that say all about an app's releases, by the app's revision: every change of its releases
 * writes the app in the same transaction, so an answer holds as long as the revision, which is read
 * in each request, is the same. Bounded. thread: any
 */
#ifndef CONTROLLER_PAGES_H
#define CONTROLLER_PAGES_H

#include "lib/base/map.h"

struct pages;

struct pages *pages_new(void);
void pages_free(struct pages *p);
/* Is there an answer, of whatever revision? */
bool pages_has(struct pages *p, const char *app);
/* The text for this revision, yours, and how many rows it has; NULL: none. */
char *pages_get(struct pages *p, const char *app, int64_t revision, size_t *ret_rows);
void pages_put(struct pages *p, const char *app, int64_t revision, size_t rows, const char *text);

#endif
