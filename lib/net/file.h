/* SPDX-License-Identifier: MIT */
/* Small files, read as a whole and replaced as a whole. Blocking. thread: any */
#ifndef DEIS_NET_FILE_H
#define DEIS_NET_FILE_H

#include "lib/base/buf.h"

/* Append a file's contents to out, whose limit holds: DEIS_LIMIT when they do not fit.
 * DEIS_NOT_FOUND: there is no such file. */
int deis_file_read(const char *path, struct deis_buf *out, struct deis_err *err) deis_must_check;
/* The same of what is open already, up to its end. name: what it is called in messages. */
int deis_fd_read(int fd, const char *name, struct deis_buf *out,
                 struct deis_err *err) deis_must_check;
/* Put text in the place of the file: at any instant, a power cut included, there is the old
 * contents or the new. The new file has exactly this mode. */
int deis_file_replace(const char *path, struct deis_str text, unsigned mode,
                      struct deis_err *err) deis_must_check;
/* The first half of it, for many files of a folder: until the second, a power cut may bring the old
 * contents back. */
int deis_file_put(const char *path, struct deis_str text, unsigned mode,
                  struct deis_err *err) deis_must_check;
int deis_folder_sync(const char *folder, struct deis_err *err) deis_must_check;
/* A data folder is one process': hold it by its file .lock, until *ret_fd (yours) is closed.
 * DEIS_CONFLICT: another one has it. */
int deis_folder_lock(const char *folder, int *ret_fd, struct deis_err *err) deis_must_check;
/* -1 with errno: not all of it was written. */
int deis_write_all(int fd, struct deis_str text) deis_must_check;

#endif
