/* SPDX-License-Identifier: MIT */
/*
 * Ships what containers print to the logger, no line lost or doubled whichever side restarts. The
 * lines are read from the Engine's own files; a position counts as shipped when the logger has
 * acknowledged it and is then saved. What a container that is removed has not got rid of goes to a
 * spool. thread: loop
 */
#ifndef SCHEDULER_LOGSHIP_H
#define SCHEDULER_LOGSHIP_H

#include "scheduler/context.h"

struct logship;

struct logship *logship_start(const struct context *ctx);
void logship_stop(struct logship *s); /* NULL is fine */

/* Follow a container's log from where it was left. Known ones are left alone. */
void logship_add(struct logship *s, const char *container, const char *app, const char *process);
/* The process in it has ended: give out an unfinished line. */
void logship_ended(struct logship *s, const char *container);
/* The container is about to be removed: read its log to the end, hand it over (or spool it), forget
 * it. on_done is called once, later, within about 10 s. */
void logship_finish(struct logship *s, const char *container, void (*on_done)(void *arg),
                    void *arg);
/* Told after each list of the Engine's containers: forget those for which exists() is false. */
void logship_prune(struct logship *s, bool (*exists)(struct deis_str container, void *arg),
                   void *arg);

#endif
