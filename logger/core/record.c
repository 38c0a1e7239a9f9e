/* SPDX-License-Identifier: MIT */
#include "logger/core/record.h"

#include <zlib.h>

#define FIXED_SIZE  (8 * 4 + 2)
#define CONTENT_MAX (FIXED_SIZE + 2 * RECORD_NAME_MAX + RECORD_TEXT_MAX)

static void put_u32(char *p, uint32_t v)
{
    for (int i = 0; i < 4; i++) {
        p[i] = (char)(v >> (8 * i));
    }
}

static void put_u64(char *p, uint64_t v)
{
    for (int i = 0; i < 8; i++) {
        p[i] = (char)(v >> (8 * i));
    }
}

static uint64_t get_uint(const char *p, int bytes)
{
    uint64_t v = 0;

    for (int i = bytes; i-- > 0;) {
        v = v << 8 | (uint8_t)p[i];
    }
    return v;
}

static uint32_t checksum(const char *p, size_t len)
{
    return (uint32_t)crc32(0, (const unsigned char *)p, (unsigned)len);
}

void record_encode(const struct record *r, struct deis_buf *out)
{
    size_t size = FIXED_SIZE + r->source.len + r->process.len + r->text.len;
    char *p = deis_buf_reserve(out, RECORD_HEADER_SIZE + size);

    if (!p) {
        return;
    }
    char *content = p + RECORD_HEADER_SIZE;
    put_u64(content, r->seq);
    put_u64(content + 8, r->time_ms);
    put_u64(content + 16, r->position);
    put_u64(content + 24, r->lost);
    content[32] = (char)r->source.len;
    content[33] = (char)r->process.len;
    char *text = content + FIXED_SIZE;
    const struct deis_str parts[] = { r->source, r->process, r->text };
    for (size_t i = 0; i < DEIS_COUNT(parts); i++) {
        if (parts[i].len > 0) {
            memcpy(text, parts[i].ptr, parts[i].len);
            text += parts[i].len;
        }
    }
    put_u32(p, (uint32_t)size);
    put_u32(p + 4, checksum(content, size));
    deis_buf_added(out, RECORD_HEADER_SIZE + size);
}

enum record_result record_decode(struct deis_str *input, struct record *ret)
{
    if (input->len == 0) {
        return RECORD_END;
    }
    if (input->len < RECORD_HEADER_SIZE) {
        return RECORD_TORN;
    }
    size_t size = (size_t)get_uint(input->ptr, 4);
    const char *content = input->ptr + RECORD_HEADER_SIZE;
    if (size < FIXED_SIZE || size > CONTENT_MAX || size > input->len - RECORD_HEADER_SIZE ||
        checksum(content, size) != (uint32_t)get_uint(input->ptr + 4, 4)) {
        return RECORD_TORN;
    }
    size_t source_len = (uint8_t)content[32];
    size_t process_len = (uint8_t)content[33];
    if (FIXED_SIZE + source_len + process_len > size) {
        return RECORD_TORN;
    }
    *ret = (struct record){
        .seq = get_uint(content, 8),
        .time_ms = get_uint(content + 8, 8),
        .position = get_uint(content + 16, 8),
        .lost = get_uint(content + 24, 8),
        .source = { content + FIXED_SIZE, source_len },
        .process = { content + FIXED_SIZE + source_len, process_len },
        .text = { content + FIXED_SIZE + source_len + process_len,
                  size - FIXED_SIZE - source_len - process_len },
    };
    *input = deis_str_skip(*input, RECORD_HEADER_SIZE + size);
    return RECORD_OK;
}

bool record_matches(const struct record *r, struct deis_str filter)
{
    if (filter.len == 0 || deis_str_eq(r->process, filter)) {
        return true;
    }
    return r->process.len > filter.len && r->process.ptr[filter.len] == '.' &&
           memcmp(r->process.ptr, filter.ptr, filter.len) == 0;
}
