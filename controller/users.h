/* SPDX-License-Identifier: MIT */
/* What the handlers about users share. thread: workers */
#ifndef CONTROLLER_USERS_H
#define CONTROLLER_USERS_H

#include "controller/api.h"

/* A user's document; DEIS_NOT_FOUND also for names that no user can have. */
int users_get(struct ctl *ctl, const char *name, json_t **ret, int64_t *ret_revision,
              struct deis_err *err) deis_must_check;
/* As the API shows it, without the password; a new reference. */
json_t *users_show(json_t *doc);
bool users_is_true(const json_t *doc, const char *name);
/* scrypt, two at a time. DEIS_UNAVAILABLE: too many wait. */
int users_hash_password(struct ctl *ctl, const char *password, struct deis_buf *out,
                        struct deis_err *err) deis_must_check;

/* What somebody says is the password of a user. */
struct claim {
    const char *name;
    const char *password;
    const char *source; /* the address that it comes from */
};

enum claim_verdict {
    CLAIM_RIGHT,
    CLAIM_WRONG,   /* counted */
    CLAIM_TOO_MANY /* wrong ones before: this one was not looked at */
};

/* doc: the user's, NULL when there is none. *ret_wait_s is set with CLAIM_TOO_MANY. Never more than
 * two are looked at before the count knows of them, however many come at once. DEIS_UNAVAILABLE:
 * too many wait. */
int users_check_password(struct ctl *ctl, const struct claim *claim, const json_t *doc,
                         enum claim_verdict *ret, uint64_t *ret_wait_s,
                         struct deis_err *err) deis_must_check;

#endif
