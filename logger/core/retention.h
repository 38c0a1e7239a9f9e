/* SPDX-License-Identifier: MIT */
/* Which segments go when logs take too much room. Pure. */
#ifndef LOGGER_CORE_RETENTION_H
#define LOGGER_CORE_RETENTION_H

#include "lib/base/attr.h"

struct retention_app {
    uint64_t bytes;        /* of all its segments */
    uint64_t oldest_bytes; /* of its oldest segment */
    size_t segments;
};

struct retention_limits {
    uint64_t app_bytes;
    uint64_t total_bytes;
};

/* Index of the app whose oldest segment has to go next, or -1. An app over its own quota comes
 * first; while all together are over the total it is the app that takes most. The newest segment of
 * an app always stays. */
ptrdiff_t retention_next(const struct retention_app *apps, size_t count,
                         const struct retention_limits *limits);

#endif
