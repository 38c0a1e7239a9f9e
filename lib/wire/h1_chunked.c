/* SPDX-License-Identifier: MIT */
#include "lib/wire/h1_internal.h"

#define CHUNK_MAX (UINT64_C(1) << 60)

enum {
    DIGITS_MAX = 16,
    EXTENSION_MAX = 256,
    TRAILER_MAX = 8 * 1024,
};

enum chunked_state {
    CHUNK_SIZE,
    CHUNK_EXTENSION,
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    TRAILER_START,
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    LAST_LF,
    CHUNKED_DONE,
    CHUNKED_BAD,
};

static enum deis_h1_result bad(struct deis_h1_chunked *c, struct deis_err *err, const char *why)
{
    c->state = CHUNKED_BAD;
    deis_err_set(err, DEIS_PROTOCOL, "%s", why);
    return DEIS_H1_BAD;
}

static int hex_value_of(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static enum deis_h1_result take_size_byte(struct deis_h1_chunked *c, char byte,
                                          struct deis_err *err)
{
    int digit = hex_value_of(byte);

    if (digit >= 0) {
        /* Below 2^60 before the shift, so that 64 bits hold the result. */
        if (++c->line_bytes > DIGITS_MAX || c->left >= CHUNK_MAX >> 4) {
            return bad(c, err, "chunk size is too large");
        }
        c->left = c->left << 4 | (unsigned)digit;
        return DEIS_H1_MORE;
    }
    if (c->line_bytes == 0 || (byte != '\r' && byte != ';')) {
        return bad(c, err, "invalid chunk size");
    }
    c->line_bytes = 0;
    c->state = byte == '\r' ? CHUNK_SIZE_LF : CHUNK_EXTENSION;
    return DEIS_H1_MORE;
}

static enum deis_h1_result take_extension_byte(struct deis_h1_chunked *c, char byte,
                                               struct deis_err *err)
{
    if (byte == '\r') {
        c->line_bytes = 0;
        c->state = CHUNK_SIZE_LF;
        return DEIS_H1_MORE;
    }
    if (!h1_is_text(&byte, 1)) {
        return bad(c, err, "control byte in a chunk extension");
    }
    if (++c->line_bytes > EXTENSION_MAX) {
        return bad(c, err, "chunk extension is too long");
    }
    return DEIS_H1_MORE;
}

static enum deis_h1_result take_trailer_byte(struct deis_h1_chunked *c, char byte,
                                             struct deis_err *err)
{
    if (++c->trailer_bytes > TRAILER_MAX) {
        return bad(c, err, "trailer is too long");
    }
    if (c->state == TRAILER_START && byte == '\r') {
        c->state = LAST_LF;
    } else if (c->state == TRAILER_VALUE) {
        if (byte == '\r') {
            c->state = TRAILER_LF;
        } else if (!h1_is_text(&byte, 1)) {
            return bad(c, err, "control byte in a trailer");
        }
    } else if (c->state == TRAILER_NAME && byte == ':') {
        c->state = TRAILER_VALUE;
    } else if (h1_is(byte, H1_TOKEN)) {
        c->state = TRAILER_NAME;
    } else {
        return bad(c, err, "invalid trailer name");
    }
    return DEIS_H1_MORE;
}

static enum deis_h1_result take_line_end(struct deis_h1_chunked *c, char byte, struct deis_err *err)
{
    if (byte != (c->state == CHUNK_DATA_CR ? '\r' : '\n')) {
        return bad(c, err,
                   c->state == CHUNK_DATA_CR || c->state == CHUNK_DATA_LF
                       ? "chunk is longer than its size"
                       : "CR without LF");
    }
    switch (c->state) {
    case CHUNK_SIZE_LF: c->state = c->left > 0 ? CHUNK_DATA : TRAILER_START; break;
    case CHUNK_DATA_CR: c->state = CHUNK_DATA_LF; break;
    case CHUNK_DATA_LF: c->state = CHUNK_SIZE; break;
    case TRAILER_LF: c->state = TRAILER_START; break;
    default: c->state = CHUNKED_DONE; break;
    }
    return DEIS_H1_MORE;
}

static struct deis_str take_data(struct deis_h1_chunked *c, struct deis_str *input)
{
    size_t n = c->left < input->len ? (size_t)c->left : input->len;
    struct deis_str data = deis_str_first(*input, n);

    *input = deis_str_skip(*input, n);
    c->left -= n;
    if (c->left == 0) {
        c->state = CHUNK_DATA_CR;
    }
    return data;
}

enum deis_h1_result deis_h1_chunked_feed(struct deis_h1_chunked *c, struct deis_str *input,
                                         struct deis_str *ret_data, struct deis_err *err)
{
    *ret_data = DEIS_STR("");
    while (c->state != CHUNKED_DONE && input->len > 0) {
        enum deis_h1_result result;
        char byte = input->ptr[0];
        switch ((enum chunked_state)c->state) {
        case CHUNK_DATA: *ret_data = take_data(c, input); return DEIS_H1_MORE;
        case CHUNK_SIZE: result = take_size_byte(c, byte, err); break;
        case CHUNK_EXTENSION: result = take_extension_byte(c, byte, err); break;
        case TRAILER_START:
        case TRAILER_NAME:
        case TRAILER_VALUE: result = take_trailer_byte(c, byte, err); break;
        case CHUNK_SIZE_LF:
        case CHUNK_DATA_CR:
        case CHUNK_DATA_LF:
        case TRAILER_LF:
        case LAST_LF: result = take_line_end(c, byte, err); break;
        case CHUNKED_DONE:
        case CHUNKED_BAD:
        default: result = bad(c, err, "invalid chunked body"); break;
        }
        if (result == DEIS_H1_BAD) {
            return DEIS_H1_BAD;
        }
        *input = deis_str_skip(*input, 1);
    }
    return c->state == CHUNKED_DONE ? DEIS_H1_DONE : DEIS_H1_MORE;
}
