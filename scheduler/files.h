/* SPDX-License-Identifier: MIT */
/* Small files that must survive a power cut. thread: any */
#ifndef SCHEDULER_FILES_H
#define SCHEDULER_FILES_H

#include "lib/base/buf.h"

/* Whole file onto out (whose limit holds). DEIS_NOT_FOUND when there is none. */
int files_read(const char *path, struct deis_buf *out, struct deis_err *err) deis_must_check;
/* Replace the file at once, or not at all: a new one is written, synced and renamed over it. */
int files_replace(const char *path, struct deis_str text, struct deis_err *err) deis_must_check;

#endif
