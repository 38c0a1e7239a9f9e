/* SPDX-License-Identifier: MIT */
/* What a push has brought: objects in git's quarantine folder beside those of the repository.
 * Blocking. thread: any */
#ifndef DEIS_BUILDER_PUSHED_H
#define DEIS_BUILDER_PUSHED_H

#include "lib/base/str.h"

#include <git2.h>

/* Open the repository at path, with the objects of a quarantine folder (NULL = none) in sight.
 * What is returned is yours, also of a failure. */
int pushed_open(const char *path, const char *quarantine, git_repository **ret_repo,
                git_odb **ret_odb, struct deis_err *err) deis_must_check;
/* DEIS_INVALID, with a text for the pusher: what was pushed is not a commit, or one of those before
 * it is missing, down to those that the repository's branches have. git looks after the hook has
 * said yes, when the app is deployed already. */
int pushed_check_history(const char *path, const char *quarantine, const char *commit,
                         struct deis_err *err) deis_must_check;
int pushed_git_fail(struct deis_err *err, const char *what); /* what libgit2 said last */

#endif
