/* SPDX-License-Identifier: MIT */
/* Request lines of the API: method, blank, path with query. */
#include "controller/core/page.h"
#include "controller/core/route.h"

#include "lib/wire/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct deis_str rest = deis_str_n((const char *)data, size);
    struct deis_str method, path, query;
    struct route_match m;
    struct page p;
    size_t first, count;

    if (!deis_str_split(&rest, ' ', &method)) {
        return 0;
    }
    deis_url_split(rest, &path, &query);
    route_find(method, path, &m);
    route_match_clear(&m);
    if (page_parse(query, &p, NULL) == DEIS_OK &&
        page_window(&p, 250, &first, &count, NULL) == DEIS_OK) {
        json_decref(page_wrap(&p, 250, json_array(), "http://x", query));
        if (first + count > 250) {
            abort();
        }
    }
    return 0;
}
