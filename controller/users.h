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
int users_check_password(struct ctl *ctl, const char *password, const json_t *doc, bool *ret,
                         struct deis_err *err) deis_must_check;

#endif
