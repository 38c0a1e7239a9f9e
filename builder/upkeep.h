/* SPDX-License-Identifier: MIT */
/* Repacking of repositories: git never does it during a push, where a person would wait for it. */
#ifndef DEIS_BUILDER_UPKEEP_H
#define DEIS_BUILDER_UPKEEP_H

#include "builder/settings.h"

/*
 * If the repository of app has many loose objects or packs start "git gc" for it. lock is the
 * app's, held; git inherits it, so that no push comes in between, and the caller may close it.
 * Nobody waits for git: the process's own reaper of children takes its exit status. thread: any
 */
void upkeep_start(const struct settings *s, const char *app, int lock);

#endif
