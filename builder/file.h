/* SPDX-License-Identifier: MIT */
/* Small files (lib/net/file.h) and folders of the builder. thread: any */
#ifndef DEIS_BUILDER_FILE_H
#define DEIS_BUILDER_FILE_H

#include "lib/net/file.h"

/* Make a folder, mode 0700, if it is not there. */
int folder_make(const char *path, struct deis_err *err) deis_must_check;
/* Remove a file or a whole folder; links are not followed, what is gone already is fine. */
int folder_remove(const char *path, struct deis_err *err) deis_must_check;
/* Call fn for each name in a folder but those that begin with a dot; a missing folder is empty. fn
 * may remove the entry. */
void folder_each(const char *path, void (*fn)(const char *name, void *arg), void *arg);

#endif
