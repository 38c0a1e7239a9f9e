/* SPDX-License-Identifier: MIT */
#include "scheduler/logbatch.h"

struct logbatch *logbatch_new(void)
{
    struct logbatch *b = deis_alloc(sizeof(*b));

    deis_buf_init(&b->text, LOGBATCH_BYTES + 2 * JSONLOG_LINE_MAX);
    return b;
}

void logbatch_free(struct logbatch *b)
{
    if (b) {
        deis_buf_clear(&b->text);
        free(b);
    }
}

bool logbatch_add(const struct jsonlog_line *line, void *batch)
{
    struct logbatch *b = batch;
    Deis__LogLine *l = &b->lines[b->count];

    deis__log_line__init(l);
    l->position = line->position;
    l->time_ms = line->time_ms;
    l->lost = line->lost;
    l->text.len = line->text.len;
    b->text_at[b->count++] = b->text.len;
    deis_buf_add_str(&b->text, line->text);
    /* one more line must fit: an unfinished line may follow */
    return b->count < LOGBATCH_LINES - 2 && b->text.len < LOGBATCH_BYTES;
}

void logbatch_close(struct logbatch *b, char *source, char *app, char *process)
{
    deis__log_append__init(&b->message);
    for (size_t i = 0; i < b->count; i++) {
        b->lines[i].text.data = (uint8_t *)b->text.data + b->text_at[i];
        b->lines[i].app = app;
        b->lines[i].process = process;
        b->line_at[i] = &b->lines[i];
    }
    b->message.source = source;
    b->message.lines = b->line_at;
    b->message.n_lines = b->count;
}
