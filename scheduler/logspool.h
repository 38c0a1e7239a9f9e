/* SPDX-License-Identifier: MIT */
/*
 * Lines of removed containers that the logger has not got yet: one file each below <data>/spool, a
 * sequence of length (4 bytes, big-endian) and packed LogAppend. Bounded; what does not fit is
 * dropped and counted. thread: loop
 */
#ifndef SCHEDULER_LOGSPOOL_H
#define SCHEDULER_LOGSPOOL_H

#include "scheduler/logbatch.h"

#define LOGSPOOL_MAX_BYTES ((uint64_t)64 * 1024 * 1024)

struct logspool;

struct logspool *logspool_open(const char *data_dir, struct deis_err *err) deis_must_check;
void logspool_close(struct logspool *s); /* NULL is fine */
/* Keep a closed batch. DEIS_LIMIT: there is no room; DEIS_SYSTEM: the disk fails. */
int logspool_add(struct logspool *s, const char *container, const struct logbatch *b,
                 struct deis_err *err) deis_must_check;
/* No more lines of this container come: they are on disk and may be sent. */
void logspool_finish(struct logspool *s, const char *container);
/* The next batch to send, NULL when there is none. Borrowed until logspool_sent() or the next call.
 */
Deis__LogAppend *logspool_next(struct logspool *s);
/* The logger has it. */
void logspool_sent(struct logspool *s);

#endif
