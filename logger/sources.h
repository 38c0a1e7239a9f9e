/* SPDX-License-Identifier: MIT */
/*
 * How far each source is stored: the highest position, so that a repeat is recognised. In memory,
 * with a copy on disk that is written before an older segment can no longer tell it. thread: loop
 */
#ifndef LOGGER_SOURCES_H
#define LOGGER_SOURCES_H

#include "lib/base/buf.h"

struct sources;

/* path: of the copy on disk; a missing or damaged one counts as empty (the segments are scanned
 * then). */
struct sources *sources_open(const char *path, struct deis_err *err) deis_must_check;
void sources_free(struct sources *s);
uint64_t sources_position(const struct sources *s, struct deis_str source); /* 0 = never seen */
/* Raise the position; now_ms (wall clock) is remembered. */
void sources_store(struct sources *s, struct deis_str source, uint64_t position, uint64_t now_ms);
/* Write the copy, leaving out sources that were silent for a day; of more than 16 MB of them those
 * that were silent for less. DEIS_LIMIT: there are too many of the last minute. */
int sources_save(struct sources *s, uint64_t now_ms, struct deis_err *err) deis_must_check;

#endif
