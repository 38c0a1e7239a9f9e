/* SPDX-License-Identifier: MIT */
/* The first administrator's documents, as the controller keeps them. Pure. thread: any */
#ifndef DEISCTL_CORE_USER_H
#define DEISCTL_CORE_USER_H

#include "lib/wire/json.h"

/* DEIS_INVALID: err says which rule is broken. */
int user_check(const char *name, const char *email, struct deis_err *err) deis_must_check;
int user_check_password(const char *password, struct deis_err *err) deis_must_check;
/* hash: of the password; now: in the layout of the API. Yours. */
json_t *user_document(const char *name, const char *email, const char *hash, const char *now);
json_t *user_audit(const char *name, const char *now, const char *id);

#endif
