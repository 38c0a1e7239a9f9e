/* SPDX-License-Identifier: MIT */
/*
 * Which answers are compressed, and what that does to their heads (RFC 9110 sections 8.4, 8.8.3,
 * 12.5.5). Pure. thread: any
 */
#ifndef DEIS_ROUTER_GZIP_HEAD_H
#define DEIS_ROUTER_GZIP_HEAD_H

#include "lib/model/gzip.h"
#include "lib/wire/h1.h"

enum gzip_verdict {
    GZIP_PASS,     /* as it is */
    GZIP_VARY,     /* as it is, but others may get it compressed: caches are told */
    GZIP_COMPRESS, /* head_only: its head as if it were */
};

enum { GZIP_TEXT_MAX = 1280 };

/* May the answer to this request be compressed? */
bool gzip_is_taken(const struct deis_gzip *rules, const struct deis_h1_head *request);
/* Does the client rather have gzip than the plain form (RFC 9110 section 12.5.3)? What can't be
 * read is taken as a no. */
bool gzip_is_accepted(const struct deis_h1_head *request);
/* taken: of gzip_is_taken() for the request. head_only: it was HEAD. */
enum gzip_verdict gzip_judge(const struct deis_gzip *rules, const struct deis_h1_head *answer,
                             bool taken, bool head_only);
/* Change the head as the verdict says; vary: caches are to be told. text must live as long as the
 * views of answer. A body of known length becomes one that goes on to the end. */
void gzip_edit(struct deis_h1_head *answer, enum gzip_verdict verdict, bool vary,
               char text[GZIP_TEXT_MAX]);
/* A 304 for what the client has in compressed form gets the validator of that (RFC 9110 section
 * 15.4.5). */
void gzip_edit_not_modified(struct deis_h1_head *answer, const struct deis_h1_head *request,
                            bool vary, char text[GZIP_TEXT_MAX]);

#endif
