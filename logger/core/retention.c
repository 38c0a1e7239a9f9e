/* SPDX-License-Identifier: MIT */
#include "logger/core/retention.h"

ptrdiff_t retention_next(const struct retention_app *apps, size_t count,
                         const struct retention_limits *limits)
{
    ptrdiff_t greediest = -1;
    uint64_t total = 0;

    for (size_t i = 0; i < count; i++) {
        total += apps[i].bytes;
        if (apps[i].segments < 2) {
            continue;
        }
        if (apps[i].bytes > limits->app_bytes) {
            return (ptrdiff_t)i;
        }
        if (greediest < 0 || apps[i].bytes > apps[greediest].bytes) {
            greediest = (ptrdiff_t)i;
        }
    }
    return total > limits->total_bytes ? greediest : -1;
}
