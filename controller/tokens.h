/* SPDX-License-Identifier: MIT */
/* Tokens: shown once, kept as a hash, at most TOKENS_MAX a user. thread: workers */
#ifndef CONTROLLER_TOKENS_H
#define CONTROLLER_TOKENS_H

#include "controller/store.h"

#define TOKENS_MAX 50
#define TOKEN_LEN  40

/* Add a new token of `user` to the change; out gets its text. With `all` every earlier one is
 * revoked, else the oldest ones beyond the bound. */
int tokens_issue(struct ctl *ctl, struct change *c, const char *user, bool all,
                 char out[TOKEN_LEN + 1], struct deis_err *err) deis_must_check;
/* Add to the change: the user has no token any more. */
int tokens_revoke(struct ctl *ctl, struct change *c, const char *user,
                  struct deis_err *err) deis_must_check;

#endif
