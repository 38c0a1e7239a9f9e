/* SPDX-License-Identifier: MIT */
/*
 * Bare repositories, <data>/repos/<app>.git, and the lock of an app, <data>/locks/<app>. The lock
 * is an flock: it is held by all processes of a push and ends with the last of them, however they
 * end.
 */
#ifndef DEIS_BUILDER_REPO_H
#define DEIS_BUILDER_REPO_H

#include "builder/settings.h"

/* What git may take of memory: a pack of a kilobyte can make it ask for gigabytes. Files of
 * REPO_GIT_STREAMED and more are not held, nothing is that is over REPO_GIT_ALLOC (an object, or
 * what is known of all objects of a pack), and packing compares no more than REPO_GIT_WINDOW. */
#define REPO_GIT_STREAMED "core.bigFileThreshold=32m"
#define REPO_GIT_ALLOC    "GIT_ALLOC_LIMIT=192m"
#define REPO_GIT_WINDOW   "pack.windowMemory=64m"
#define REPO_GIT_THREADS  "pack.threads=1" /* each has a window */

/* "<data>/repos/<app>.git": yours. */
char *repo_path(const struct settings *s, const char *app);
bool repo_exists(const struct settings *s, const char *app);

/* DEIS_LIMIT: the disk is so full that no push is taken. */
int repo_has_room(const struct settings *s, struct deis_err *err) deis_must_check;

/* Take the lock of an app without waiting: DEIS_CONFLICT when somebody has it. *ret_fd is
 * close-on-exec; closing it in all processes that have it releases the lock. thread: any */
int repo_lock(const struct settings *s, const char *app, int *ret_fd,
              struct deis_err *err) deis_must_check;

/* With the lock held: make the repository if it is not there, and tidy it: remove quarantine
 * folders, temporary packs, locks of refs. */
int repo_prepare(const struct settings *s, const char *app, struct deis_err *err) deis_must_check;
/* With the lock held: remove what an interrupted push left. */
void repo_tidy(const struct settings *s, const char *app);
/* Let HEAD name the branch that is there, master or main, so that a clone checks it out. */
void repo_fix_head(const struct settings *s, const char *app);
/* With the lock held: remove the repository and the lock file. */
int repo_remove(const struct settings *s, const char *app, struct deis_err *err) deis_must_check;
/* Remove repositories whose removal was interrupted. */
void repo_sweep(const struct settings *s);
/* Call fn for each app that has a repository. */
void repo_each(const struct settings *s, void (*fn)(const char *app, void *arg), void *arg);

#endif
