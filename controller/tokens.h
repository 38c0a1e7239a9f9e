/* SPDX-License-Identifier: MIT */
/* Tokens: shown once, kept as a hash, at most TOKENS_MAX a user. thread: workers */
#ifndef CONTROLLER_TOKENS_H
#define CONTROLLER_TOKENS_H

#include "controller/store.h"

#define TOKENS_MAX 50
#define TOKEN_LEN  40

/* Add a new token of `user` to the change; out gets its text. With `all` every earlier one is
 * revoked, else the oldest ones beyond the bound. The change is then guarded: DEIS_CONFLICT when it
 * is committed may mean that another token of this user was issued meanwhile. */
int tokens_issue(struct ctl *ctl, struct change *c, const char *user, bool all,
                 char out[TOKEN_LEN + 1], struct deis_err *err) deis_must_check;
/* Has a token (its document) outlived the setting tokenLife? */
bool tokens_expired(struct ctl *ctl, const json_t *doc);
/* Note that it was used, unless that was noted within the last hour. Failures don't matter. */
void tokens_note_use(struct ctl *ctl, const char *hash, const json_t *doc, int64_t revision);

#endif
