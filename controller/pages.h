/* SPDX-License-Identifier: MIT */
/*
 * Texts that answers are made of, each with the stamp of what it was written from: it holds as long
 * as the stamp, which is read in each request, is the same. Bounded. thread: any
 */
#ifndef CONTROLLER_PAGES_H
#define CONTROLLER_PAGES_H

#include "lib/base/str.h"

struct pages;

/* Texts, names and stamps of `bytes` altogether; beyond it all are forgotten. One of them may have
 * an eighth of it. */
struct pages *pages_new(size_t bytes);
void pages_free(struct pages *p);
/* Is there a text, of whatever stamp? */
bool pages_has(struct pages *p, const char *name);
/* The text of this stamp, yours, and how many rows it has (may be NULL); NULL: none. */
char *pages_get(struct pages *p, const char *name, struct deis_str stamp, size_t *ret_rows);
/* An empty stamp says nothing: the text is not kept. */
void pages_put(struct pages *p, const char *name, struct deis_str stamp, size_t rows,
               const char *text);

#endif
