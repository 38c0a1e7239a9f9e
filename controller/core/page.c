/* SPDX-License-Identifier: MIT */
#include "controller/core/page.h"

#include "lib/wire/url.h"

#define PAGE_DEFAULT 100
#define PAGE_MAX     1000000000

static uint64_t query_number(struct deis_str query, const char *key, uint64_t fallback)
{
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(64);
    uint64_t n = 0;

    if (deis_url_query_get(query, key, &text, NULL) < 0 || deis_buf_failed(&text) ||
        deis_str_to_u64(deis_buf_str(&text), 1, PAGE_MAX, &n, NULL) < 0) {
        return fallback;
    }
    return n;
}

int page_parse(struct deis_str query, struct page *ret, struct deis_err *err)
{
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(64);

    *ret = (struct page){ .number = 1,
                          .size = (size_t)query_number(query, "page_size", PAGE_DEFAULT) };
    int r = deis_url_query_get(query, "page", &text, NULL);
    if (r == DEIS_NOT_FOUND) {
        return DEIS_OK;
    }
    ret->last = r == DEIS_OK && strcmp(text.data, "last") == 0;
    ret->number = (size_t)query_number(query, "page", 0);
    if (ret->number == 0 && !ret->last) {
        return deis_err_set(err, DEIS_NOT_FOUND, "Not found");
    }
    return DEIS_OK;
}

int page_window(struct page *p, size_t count, size_t *ret_first, size_t *ret_count,
                struct deis_err *err)
{
    size_t pages = count == 0 ? 1 : (count - 1) / p->size + 1;

    if (p->last) {
        p->number = pages;
        p->last = false;
    }
    if (p->number > pages) {
        return deis_err_set(err, DEIS_NOT_FOUND, "Not found");
    }
    *ret_first = (p->number - 1) * p->size;
    *ret_count = count - *ret_first < p->size ? count - *ret_first : p->size;
    return DEIS_OK;
}

/* url, the page, then the rest of the query without its own page parameter. */
static json_t *link_to(size_t number, const char *url, struct deis_str query)
{
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(16384);
    struct deis_str pair;

    deis_buf_addf(&out, "%s?page=%zu", url, number);
    while (deis_str_split(&query, '&', &pair)) {
        if (pair.len > 0 && !deis_str_starts(pair, "page=") && deis_str_is_utf8(pair)) {
            deis_buf_add_char(&out, '&');
            deis_buf_add_str(&out, pair);
        }
    }
    return deis_buf_failed(&out) ? json_null() : json_stringn(out.data, out.len);
}

json_t *page_wrap(const struct page *p, size_t count, json_t *results, const char *url,
                  struct deis_str query)
{
    bool more = p->number * p->size < count;

    return json_pack("{s:I, s:o, s:o, s:o}", "count", (json_int_t)count, "next",
                     more ? link_to(p->number + 1, url, query) : json_null(), "previous",
                     p->number > 1 ? link_to(p->number - 1, url, query) : json_null(), "results",
                     results);
}
