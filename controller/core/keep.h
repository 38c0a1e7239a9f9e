/* SPDX-License-Identifier: MIT */
/* What of an app's past may be forgotten. Pure. thread: any */
#ifndef CONTROLLER_CORE_KEEP_H
#define CONTROLLER_CORE_KEEP_H

#include "lib/wire/json.h"

/* Below this many rollback has nothing to go back to. */
#define KEEP_RELEASES_MIN 2
/* So many more than wanted are there before a deploy tidies up: not each one has to. */
#define KEEP_RELEASES_SLACK 10

/* How many of `count` releases, from the oldest, go when `wanted` are to stay. */
size_t keep_surplus(size_t count, uint32_t wanted);
/* Those of names (uuids) that neither the app nor one of its kept releases means by `member`
 * ("config" or "build"): an array of texts, yours. */
json_t *keep_unused(const json_t *names, const json_t *app, const json_t *releases,
                    const char *member);

#endif
