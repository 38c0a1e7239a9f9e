/* SPDX-License-Identifier: MIT */
/* Lines on their way to the logger: one logger.append of one source. thread: loop */
#ifndef SCHEDULER_LOGBATCH_H
#define SCHEDULER_LOGBATCH_H

#include "log.pb-c.h"
#include "scheduler/core/jsonlog.h"

#define LOGBATCH_LINES 256
#define LOGBATCH_BYTES (256 * 1024)

struct logbatch {
    Deis__LogAppend message; /* valid after logbatch_close(), as long as the batch lives */
    Deis__LogLine lines[LOGBATCH_LINES];
    Deis__LogLine *line_at[LOGBATCH_LINES];
    size_t text_at[LOGBATCH_LINES];
    size_t count;
    struct deis_buf text;
};

struct logbatch *logbatch_new(void);
void logbatch_free(struct logbatch *b); /* NULL is fine */
/* A jsonlog_emit_fn with a batch as its argument: false when the batch is full. */
bool logbatch_add(const struct jsonlog_line *line, void *batch);
/* The texts are borrowed. */
void logbatch_close(struct logbatch *b, char *source, char *app, char *process);

#endif
