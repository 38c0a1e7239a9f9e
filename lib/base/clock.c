/* SPDX-License-Identifier: MIT */
#include "lib/base/clock.h"

#include <time.h>

static uint64_t now_ns(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

uint64_t deis_now_ms(void)
{
    return now_ns(CLOCK_MONOTONIC) / 1000000;
}

uint64_t deis_now_us(void)
{
    return now_ns(CLOCK_MONOTONIC) / 1000;
}

uint64_t deis_wall_ms(void)
{
    return now_ns(CLOCK_REALTIME) / 1000000;
}

uint64_t deis_wall_us(void)
{
    return now_ns(CLOCK_REALTIME) / 1000;
}

static void add_seconds(uint64_t wall_s, struct deis_buf *out)
{
    time_t t = (time_t)wall_s;
    struct tm tm;
    char text[40];

    if (!gmtime_r(&t, &tm)) {
        memset(&tm, 0, sizeof(tm));
    }
    size_t n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
    deis_buf_add(out, text, n);
}

void deis_time_format_model(uint64_t wall_ms, struct deis_buf *out)
{
    add_seconds(wall_ms / 1000, out);
    deis_buf_add_cstr(out, "UTC");
}

void deis_time_format_iso(uint64_t wall_us, struct deis_buf *out)
{
    add_seconds(wall_us / 1000000, out);
    deis_buf_addf(out, ".%06uZ", (unsigned)(wall_us % 1000000));
}
