/* SPDX-License-Identifier: MIT */
/* Files and folders such that they survive a power cut. thread: any */
#ifndef REGISTRY_DISK_H
#define REGISTRY_DISK_H

#include "lib/base/str.h"

#include <dirent.h>

#define DISK_PATH_BYTES 1024

/* The folders that path lies in (up to its last '/'), each on disk before the next is made. path is
 * changed and restored meanwhile. */
int disk_make_folders(char *path, struct deis_err *err) deis_must_check;
/* The folder that holds path: what was made, moved or removed in it is on disk then. path: less
 * than DISK_PATH_BYTES */
int disk_sync_parent(const char *path, struct deis_err *err) deis_must_check;
int disk_write_all(int fd, struct deis_str data, struct deis_err *err) deis_must_check;
/* A short text file; out is NUL-terminated. */
int disk_read_small(const char *path, char *out, size_t size, struct deis_err *err) deis_must_check;
int disk_remove_tree(const char *path, struct deis_err *err) deis_must_check; /* none: fine */
/* *ret is NULL when there is no such folder: it is as good as empty. Any other failure is one, as
 * an incomplete list would make the sweep remove what is in use. */
int disk_open_folder(const char *path, DIR **ret, struct deis_err *err) deis_must_check;
void disk_close_folder(DIR *dir); /* NULL is fine */

#endif
