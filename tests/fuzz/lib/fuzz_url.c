/* SPDX-License-Identifier: MIT */
#include "lib/wire/url.h"

static void check(bool fact)
{
    if (!fact) {
        abort();
    }
}

/* What was encoded decodes to itself. */
static void check_round_trip(struct deis_str input)
{
    deis_autobuf struct deis_buf encoded = DEIS_BUF_INIT(3 * input.len);
    deis_autobuf struct deis_buf decoded = DEIS_BUF_INIT(input.len);

    deis_buf_add_urlencoded(&encoded, input, false);
    int rc = deis_url_decode(deis_buf_str(&encoded), true, &decoded, NULL);
    if (deis_str_find(input, '\0') >= 0) {
        check(rc == DEIS_INVALID);
    } else {
        check(rc == DEIS_OK && deis_str_eq(deis_buf_str(&decoded), input));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct deis_str input = deis_str_n((const char *)data, size);
    deis_autobuf struct deis_buf out = DEIS_BUF_INIT(size);
    struct deis_err err = DEIS_ERR_INIT;
    struct deis_url url;
    struct deis_str path;
    struct deis_str query;
    uint16_t port;

    if (deis_url_parse(input, &url, &err) == DEIS_OK) {
        check(url.host.len > 0 && deis_str_find(url.host, '@') < 0);
        check(url.path.len == 0 || url.path.ptr[0] == '/');
    }
    if (deis_addr_split(input, &path, &port, &err) == DEIS_OK) {
        check(path.len > 0);
    }
    deis_url_split(input, &path, &query);
    check(path.len + query.len + (query.ptr ? 1 : 0) == size);
    if (deis_url_query_get(query, "a", &out, &err) == DEIS_OK) {
        check(deis_str_find(deis_buf_str(&out), '\0') < 0);
    }
    deis_buf_reset(&out);
    if (deis_url_decode(input, false, &out, &err) == DEIS_OK) {
        check(deis_str_find(deis_buf_str(&out), '\0') < 0);
    }
    check_round_trip(input);
    return 0;
}
