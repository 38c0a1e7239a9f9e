/* SPDX-License-Identifier: MIT */
/*
 * Domains within wildcards. "*.example.com" leads to its app whatever has no name of its own, so
 * that a stranger's www.example.com would take requests away from it, and the wildcard would stand
 * around the stranger's name. Therefore a wildcard and the names within it belong to apps of one
 * owner. Blocking. thread: workers
 */
#ifndef CONTROLLER_WILDCARDS_H
#define CONTROLLER_WILDCARDS_H

#include "controller/store.h"

/* May an app of this owner have a name that `wildcard` covers? *ret_revision: of the wildcard, 0
 * when there is none, to guard the change with. DEIS_DENIED: it belongs to another owner. */
int wildcards_above(struct ctl *ctl, const char *owner, const char *wildcard, int64_t *ret_revision,
                    struct deis_err *err) deis_must_check;
/* May an app of this owner have `wildcard`, as far as the names within it go? With a user (else
 * NULL): names of apps that he may use are as good. DEIS_DENIED names one of another owner. */
int wildcards_below(struct ctl *ctl, const char *owner, const char *user, const char *wildcard,
                    struct deis_err *err) deis_must_check;

#endif
