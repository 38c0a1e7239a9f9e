/* SPDX-License-Identifier: MIT */
#include "lib/wire/run_frame.h"

/* What a type may carry; min == max where the length is fixed. */
struct kind {
    char type;
    bool by_client;
    bool by_server;
    uint32_t min;
    uint32_t max;
};

static const struct kind kinds[] = {
    { DEIS_RUN_OPEN, true, false, 2, DEIS_RUN_OPEN_MAX },
    { DEIS_RUN_INPUT, true, false, 1, DEIS_RUN_DATA_MAX },
    { DEIS_RUN_EOF, true, false, 0, 0 },
    { DEIS_RUN_SIZE, true, false, 4, 4 },
    { DEIS_RUN_SIGNAL, true, false, 1, 8 },
    { DEIS_RUN_PING, true, true, 0, 0 },
    { DEIS_RUN_STARTED, false, true, 1, 64 },
    { DEIS_RUN_CREDIT, false, true, 4, 4 },
    { DEIS_RUN_OUTPUT, false, true, 1, DEIS_RUN_DATA_MAX },
    { DEIS_RUN_ERROR, false, true, 1, DEIS_RUN_DATA_MAX },
    { DEIS_RUN_EXIT, false, true, 4, 4 },
    { DEIS_RUN_FAILED, false, true, 1, 4096 },
};

static uint32_t read_u32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void add_head(struct deis_buf *out, char type, uint32_t len)
{
    const unsigned char head[DEIS_RUN_HEAD] = { (unsigned char)type, (unsigned char)(len >> 24),
                                                (unsigned char)(len >> 16),
                                                (unsigned char)(len >> 8), (unsigned char)len };

    deis_buf_add(out, head, sizeof(head));
}

void deis_run_frame_add(struct deis_buf *out, enum deis_run_frame type, struct deis_str payload)
{
    add_head(out, (char)type, (uint32_t)payload.len);
    deis_buf_add_str(out, payload);
}

void deis_run_frame_add_u32(struct deis_buf *out, enum deis_run_frame type, uint32_t value)
{
    const unsigned char bytes[4] = { (unsigned char)(value >> 24), (unsigned char)(value >> 16),
                                     (unsigned char)(value >> 8), (unsigned char)value };

    deis_run_frame_add(out, type, deis_str_n((const char *)bytes, sizeof(bytes)));
}

void deis_run_frame_add_size(struct deis_buf *out, uint32_t rows, uint32_t columns)
{
    rows = rows < DEIS_RUN_CELLS_MAX ? rows : DEIS_RUN_CELLS_MAX;
    columns = columns < DEIS_RUN_CELLS_MAX ? columns : DEIS_RUN_CELLS_MAX;
    deis_run_frame_add_u32(out, DEIS_RUN_SIZE, rows << 16 | columns);
}

void deis_run_reader_init(struct deis_run_reader *r, bool from_client)
{
    *r = (struct deis_run_reader){ .from_client = from_client };
    deis_buf_init(&r->payload, DEIS_RUN_OPEN_MAX);
}

void deis_run_reader_clear(struct deis_run_reader *r)
{
    deis_buf_clear(&r->payload);
}

/* The kind of a frame that this peer may send with that length, or NULL. */
static const struct kind *judge(const struct deis_run_reader *r, uint32_t len, struct deis_err *err)
{
    for (size_t i = 0; i < DEIS_COUNT(kinds); i++) {
        const struct kind *k = &kinds[i];
        if ((unsigned char)k->type != r->head[0] ||
            !(r->from_client ? k->by_client : k->by_server)) {
            continue;
        }
        if (len < k->min || len > k->max) {
            deis_err_set(err, DEIS_PROTOCOL, "a frame '%c' has %u bytes", k->type, len);
            return NULL;
        }
        return k;
    }
    deis_err_set(err, DEIS_PROTOCOL, "no frame has the type 0x%02x", r->head[0]);
    return NULL;
}

static void take(struct deis_str *input, size_t n, struct deis_str *ret)
{
    *ret = deis_str_first(*input, n);
    *input = deis_str_skip(*input, ret->len);
}

enum deis_run_read deis_run_reader_feed(struct deis_run_reader *r, struct deis_str *input,
                                        enum deis_run_frame *ret_type, struct deis_str *ret_payload,
                                        struct deis_err *err)
{
    struct deis_str part;

    if (r->have == 0) {
        deis_buf_reset(&r->payload);
    }
    if (r->have < DEIS_RUN_HEAD) {
        take(input, DEIS_RUN_HEAD - r->have, &part);
        if (part.len > 0) {
            memcpy(r->head + r->have, part.ptr, part.len);
            r->have += part.len;
        }
        if (r->have < DEIS_RUN_HEAD) {
            return DEIS_RUN_MORE;
        }
    }
    uint32_t len = read_u32(r->head + 1);
    if (!judge(r, len, err)) {
        return DEIS_RUN_BAD;
    }
    take(input, len - r->payload.len, &part);
    deis_buf_add_str(&r->payload, part);
    if (r->payload.len < len) {
        return DEIS_RUN_MORE;
    }
    r->have = 0;
    *ret_type = (enum deis_run_frame)r->head[0];
    *ret_payload = deis_buf_str(&r->payload);
    return DEIS_RUN_FRAME;
}

uint32_t deis_run_u32(struct deis_str payload)
{
    return payload.len == 4 ? read_u32((const unsigned char *)payload.ptr) : 0;
}

int deis_run_size(struct deis_str payload, uint32_t *ret_rows, uint32_t *ret_columns,
                  struct deis_err *err)
{
    uint32_t both = deis_run_u32(payload);

    *ret_rows = both >> 16;
    *ret_columns = both & 0xffff;
    if (*ret_rows == 0 || *ret_columns == 0 || *ret_rows > DEIS_RUN_CELLS_MAX ||
        *ret_columns > DEIS_RUN_CELLS_MAX) {
        return deis_err_set(err, DEIS_PROTOCOL, "no terminal has %u rows and %u columns", *ret_rows,
                            *ret_columns);
    }
    return DEIS_OK;
}

size_t deis_run_whole_frames(struct deis_str data, size_t max)
{
    size_t whole = 0;

    while (data.len - whole >= DEIS_RUN_HEAD) {
        size_t len = DEIS_RUN_HEAD + (size_t)read_u32((const unsigned char *)data.ptr + whole + 1);
        if (len > data.len - whole || len > max - whole) {
            break;
        }
        whole += len;
    }
    return whole;
}
