/* SPDX-License-Identifier: MIT */
/* Wherever a multipart body is cut: what is to be read of it lies in it, and with the delimiter
 * that is to follow it is one that is complete. The first line is the Content-Type. */
#include "router/firewall/multipart.h"

#include "lib/base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct deis_str body = deis_str_n((const char *)data, size);
    struct deis_str type;

    if (!deis_str_split(&body, '\n', &type) || !body.ptr) {
        return 0;
    }
    struct deis_str boundary = multipart_boundary(type);
    if (!boundary.ptr) {
        return 0;
    }
    check(boundary.len > 0 && boundary.len <= MULTIPART_BOUNDARY_MAX);
    check(boundary.ptr >= type.ptr && boundary.ptr + boundary.len <= type.ptr + type.len);
    bool open;
    size_t len = multipart_end(body, boundary, &open);
    check(len <= body.len);
    if (open) {
        struct deis_buf whole = DEIS_BUF_INIT(2 << 20);
        deis_buf_add(&whole, body.ptr, len);
        deis_buf_addf(&whole, "\r\n--");
        deis_buf_add(&whole, boundary.ptr, boundary.len);
        deis_buf_addf(&whole, "--\r\n");
        struct deis_str all = deis_buf_str(&whole);
        check(multipart_end(all, boundary, &open) == all.len && !open);
        deis_buf_clear(&whole);
    }
    return 0;
}
