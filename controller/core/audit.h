/* SPDX-License-Identifier: MIT */
/* Entries of the audit. Pure. thread: any */
#ifndef CONTROLLER_CORE_AUDIT_H
#define CONTROLLER_CORE_AUDIT_H

#include "lib/wire/json.h"

/* Is the entry about a change by `user`, and of `app` or something of it? NULL = any. */
bool audit_matches(const json_t *entry, const char *user, const char *app);

#endif
