/* SPDX-License-Identifier: MIT */
/*
 * Feeds a log in pieces and whole: both ways must give the same lines at the same positions, and
 * positions must grow.
 */
#include "scheduler/core/jsonlog.h"

#include <stdint.h>
#include <stdlib.h>

struct sum {
    uint64_t hash;
    uint64_t last;
};

static bool note(const struct jsonlog_line *line, void *arg)
{
    struct sum *s = arg;

    if (line->position <= s->last || line->text.len > JSONLOG_LINE_MAX) {
        abort();
    }
    s->last = line->position;
    s->hash = s->hash * 31 + line->position;
    for (size_t i = 0; i < line->text.len; i++) {
        s->hash = s->hash * 31 + (unsigned char)line->text.ptr[i];
    }
    return true;
}

static struct sum feed(struct deis_str log, size_t step)
{
    struct sum s = { 0 };
    struct jsonlog j;
    size_t from = 0;

    jsonlog_init(&j);
    for (size_t to = step; from < log.len; to += step) {
        struct deis_str chunk = deis_str_first(log, to);
        from += jsonlog_feed(&j, deis_str_skip(chunk, from), from, note, &s);
        if (jsonlog_resume(&j, from) > from) {
            abort();
        }
        if (to >= log.len) {
            break;
        }
    }
    jsonlog_flush(&j, note, &s);
    jsonlog_clear(&j);
    return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct deis_str log = deis_str_n((const char *)data, size);
    struct sum whole = feed(log, size + 1);
    struct sum pieces = feed(log, 7);

    if (size < JSONLOG_ENTRY_MAX && (whole.hash != pieces.hash || whole.last != pieces.last)) {
        abort();
    }
    return 0;
}
