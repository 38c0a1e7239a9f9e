/* SPDX-License-Identifier: MIT */
#include "client/core/age.h"

#define LAYOUT   "0000-00-00T00:00:00UTC"
#define MINUTE_S 60ULL
#define HOUR_S   3600ULL
#define DAY_S    86400ULL

/* Days from 1970-01-01 to that day of the Gregorian calendar, year >= 1970: whole years, counted
 * from March so that a leap day ends one. */
static uint64_t days_to(uint64_t year, uint64_t month, uint64_t day)
{
    uint64_t y = month > 2 ? year : year - 1;
    uint64_t m = month > 2 ? month - 3 : month + 9;
    const uint64_t days_before_1970_03_01 = 719468;

    return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 -
           days_before_1970_03_01;
}

/* The number at a place of the layout, within bounds. */
static bool number(struct deis_str text, size_t at, size_t len, uint64_t min, uint64_t max,
                   uint64_t *ret)
{
    return deis_str_to_u64(deis_str_first(deis_str_skip(text, at), len), min, max, ret, NULL) == 0;
}

int age_parse(struct deis_str text, uint64_t *ret, struct deis_err *err)
{
    static const char layout[] = LAYOUT;
    uint64_t year = 0;
    uint64_t month = 0;
    uint64_t day = 0;
    uint64_t hour = 0;
    uint64_t minute = 0;
    uint64_t second = 0;
    bool good = text.len == sizeof(layout) - 1;

    for (size_t i = 0; good && i < text.len; i++) {
        good = layout[i] == '0' || layout[i] == text.ptr[i];
    }
    if (!good || !number(text, 0, 4, 1970, 9999, &year) || !number(text, 5, 2, 1, 12, &month) ||
        !number(text, 8, 2, 1, 31, &day) || !number(text, 11, 2, 0, 23, &hour) ||
        !number(text, 14, 2, 0, 59, &minute) || !number(text, 17, 2, 0, 60, &second)) {
        return deis_err_set(err, DEIS_INVALID, "'%.*s' is no time", DEIS_STR_ARG(text));
    }
    *ret = days_to(year, month, day) * DAY_S + hour * HOUR_S + minute * MINUTE_S + second;
    return 0;
}

void age_format(const char *then, uint64_t now, struct deis_buf *out)
{
    struct deis_err err;
    uint64_t start = 0;

    if (age_parse(deis_str(then), &start, &err) < 0) {
        return;
    }
    /* A clock that is behind the platform's makes no negative age. */
    unsigned long long age = now > start ? now - start : 0;
    if (age < 2 * MINUTE_S) {
        deis_buf_addf(out, "%llus", age);
    } else if (age < 2 * HOUR_S) {
        deis_buf_addf(out, "%llum", age / MINUTE_S);
    } else if (age < 2 * DAY_S) {
        deis_buf_addf(out, "%lluh", age / HOUR_S);
    } else {
        deis_buf_addf(out, "%llud", age / DAY_S);
    }
}
