/* SPDX-License-Identifier: MIT */
#include "lib/wire/b64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void deis_b64_encode(struct deis_str data, struct deis_buf *out)
{
    for (size_t i = 0; i < data.len && !deis_buf_failed(out); i += 3) {
        size_t n = data.len - i < 3 ? data.len - i : 3;
        uint32_t bits = 0;
        for (size_t k = 0; k < 3; k++) {
            bits = bits << 8 | (k < n ? (unsigned char)data.ptr[i + k] : 0);
        }
        const char quad[4] = { alphabet[bits >> 18], alphabet[bits >> 12 & 63],
                               n > 1 ? alphabet[bits >> 6 & 63] : '=',
                               n > 2 ? alphabet[bits & 63] : '=' };
        deis_buf_add(out, quad, sizeof(quad));
    }
}

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int deis_b64_decode(struct deis_str text, struct deis_buf *out, struct deis_err *err)
{
    size_t padding = 0;
    size_t len = text.len;

    while (padding < 2 && len > 0 && text.ptr[len - 1] == '=') {
        len--;
        padding++;
    }
    if (text.len % 4 != 0) {
        return deis_err_set(err, DEIS_INVALID, "incorrect padding");
    }
    uint32_t bits = 0;
    for (size_t i = 0; i < len; i++) {
        int v = value_of(text.ptr[i]);
        if (v < 0) {
            return deis_err_set(err, DEIS_INVALID, "invalid character");
        }
        bits = bits << 6 | (uint32_t)v;
        if (i % 4 == 3) {
            const char bytes[3] = { (char)(bits >> 16), (char)(bits >> 8), (char)bits };
            deis_buf_add(out, bytes, sizeof(bytes));
            bits = 0;
        }
    }
    /* Two spellings of the same bytes would break comparisons: what is left over must be zero. */
    if (padding == 1) {
        if (bits & 3) {
            return deis_err_set(err, DEIS_INVALID, "invalid character");
        }
        const char bytes[2] = { (char)(bits >> 10), (char)(bits >> 2) };
        deis_buf_add(out, bytes, sizeof(bytes));
    } else if (padding == 2) {
        if (bits & 15) {
            return deis_err_set(err, DEIS_INVALID, "invalid character");
        }
        deis_buf_add_char(out, (char)(bits >> 4));
    }
    if (deis_buf_failed(out)) {
        return deis_err_set(err, DEIS_LIMIT, "too long");
    }
    return DEIS_OK;
}

void deis_hex_encode(struct deis_str data, struct deis_buf *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < data.len && !deis_buf_failed(out); i++) {
        const char pair[2] = { digits[(unsigned char)data.ptr[i] >> 4], digits[data.ptr[i] & 15] };
        deis_buf_add(out, pair, sizeof(pair));
    }
}

static int hex_value_of(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int deis_hex_decode(struct deis_str text, struct deis_buf *out, struct deis_err *err)
{
    if (text.len % 2 != 0) {
        return deis_err_set(err, DEIS_INVALID, "odd number of hex digits");
    }
    for (size_t i = 0; i < text.len; i += 2) {
        int high = hex_value_of(text.ptr[i]);
        int low = hex_value_of(text.ptr[i + 1]);
        if (high < 0 || low < 0) {
            return deis_err_set(err, DEIS_INVALID, "invalid character");
        }
        deis_buf_add_char(out, (char)(high << 4 | low));
    }
    if (deis_buf_failed(out)) {
        return deis_err_set(err, DEIS_LIMIT, "too long");
    }
    return DEIS_OK;
}
