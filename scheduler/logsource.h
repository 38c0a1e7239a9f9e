/* SPDX-License-Identifier: MIT */
/* Reads the log of one container from the Engine's files, over their rotation. thread: loop */
#ifndef SCHEDULER_LOGSOURCE_H
#define SCHEDULER_LOGSOURCE_H

#include "scheduler/core/logfiles.h"
#include "scheduler/logbatch.h"

struct logsource;

/* from NULL: from the oldest byte that there is. */
struct logsource *logsource_new(const char *docker_root, const char *container,
                                const struct logplace *from);
void logsource_free(struct logsource *s); /* NULL is fine */
/* The folder to watch for changes. */
const char *logsource_folder(const struct logsource *s);
/* Fill the batch. Returns true when it is full and there may be more, false at the end for now. */
bool logsource_read(struct logsource *s, struct logbatch *b);
/* Is a line unfinished? And: give it out now. */
bool logsource_is_pending(const struct logsource *s);
void logsource_flush(struct logsource *s, struct logbatch *b);
/* Where to read again when all lines given out so far are safe. false: nothing was read yet. */
bool logsource_place(struct logsource *s, struct logplace *ret);
/* Open the oldest file, if nothing was opened yet and it is the container's first; *ret is its
 * start. false: none is there yet, or nobody can tell whether it is the first. */
bool logsource_begin(struct logsource *s, struct logplace *ret);
/* Go back there; NULL = to the oldest byte. */
void logsource_rewind(struct logsource *s, const struct logplace *to);
/* Did it begin at a file of which nobody can tell how much came before it? Then the positions may
 * be lower than those that the same lines had once. */
bool logsource_is_unsure(const struct logsource *s);

/* The last lines that a container printed (at most `lines`, of the last 256 KiB, each cut at 1
 * KiB), for error texts: each is added to out with a newline. thread: any */
void logsource_tail(const char *docker_root, const char *container, size_t lines,
                    struct deis_buf *out);

#endif
