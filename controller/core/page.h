/* SPDX-License-Identifier: MIT */
/* Pagination of lists. Pure. thread: any */
#ifndef CONTROLLER_CORE_PAGE_H
#define CONTROLLER_CORE_PAGE_H

#include "lib/wire/json.h"

struct page {
    size_t number; /* from 1 */
    size_t size;
    bool last; /* "page=last" */
};

/* Odd values become the defaults (page 1, 100 a page); a page number that is none: DEIS_NOT_FOUND.
 */
int page_parse(struct deis_str query, struct page *ret, struct deis_err *err) deis_must_check;
/* Which of count rows are on it: from *ret_first, *ret_count many. DEIS_NOT_FOUND when out of
 * range. */
int page_window(struct page *p, size_t count, size_t *ret_first, size_t *ret_count,
                struct deis_err *err) deis_must_check;
/* The answer. results is taken. url: the absolute URL without its query. */
json_t *page_wrap(const struct page *p, size_t count, json_t *results, const char *url,
                  struct deis_str query);

#endif
