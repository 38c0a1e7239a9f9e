/* SPDX-License-Identifier: MIT */
/*
 * Ends a push in git's place: git was killed after its hook had the release made, so the branch
 * still names the old commit and the pushed objects lie in quarantine.
 */
#ifndef DEIS_BUILDER_COMPLETE_H
#define DEIS_BUILDER_COMPLETE_H

#include "builder/record.h"

/* With the app's lock held: take the quarantined objects over and move the branch, unless it has
 * moved since. DEIS_NOT_FOUND when the commit is lost. thread: any */
int complete_push(const struct settings *s, const struct record *r,
                  struct deis_err *err) deis_must_check;

#endif
