/* SPDX-License-Identifier: MIT */
/*
 * An app's config: an object with the four maps "values", "memory", "tags" (texts) and "cpu"
 * (integers). A change is the same with null for "remove". Pure. thread: any
 */
#ifndef CONTROLLER_CORE_APPCONFIG_H
#define CONTROLLER_CORE_APPCONFIG_H

#include "controller/core/fields.h"

#define APPCONFIG_KEYS_MAX  1000
#define APPCONFIG_BYTES_MAX 131072 /* of all names and values of one map together */
#define APPCONFIG_TEXT_MAX  300000 /* of a map as JSON, where control characters take six bytes */

json_t *appconfig_empty(void);
/* The change that a request asks for, its texts normalised. Faults go to f; the result is then
 * NULL. */
json_t *appconfig_parse_change(struct fields *f);
/* old with change applied; yours. Faults of the whole (too many or too large) go to f, then NULL.
 */
json_t *appconfig_merge(const json_t *old, const json_t *change, struct fields *f);
/* "mira added A, changed B and changed limits for memory": what differs. Yours. */
char *appconfig_summary(const char *user, const json_t *old, const json_t *now);
/* A config value, or fallback. Borrowed. */
const char *appconfig_value(const json_t *config, const char *name, const char *fallback);
/* A config value as a count, or fallback when it is none. */
uint64_t appconfig_number(const json_t *config, const char *name, uint64_t max, uint64_t fallback);

#endif
