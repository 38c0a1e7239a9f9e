/* SPDX-License-Identifier: MIT */
/* Shared by logship.c and logship_saved.c only. */
#ifndef SCHEDULER_LOGSHIP_PRIV_H
#define SCHEDULER_LOGSHIP_PRIV_H

#include "scheduler/logship.h"
#include "scheduler/logsource.h"
#include "scheduler/logspool.h"

/* The first lines of a log are sent once the place where they begin is on disk: an agent that is
 * killed then would not know that it was at the container's first file. */
enum beginning {
    BEGINNING_FREE,   /* known, or not to be known */
    BEGINNING_NEW,    /* goes to disk with the next save */
    BEGINNING_SAVING, /* that is under way */
};

/* The log of one container. */
struct shipped {
    struct logship *ship;
    char *id;
    char *app;
    char *process;
    int wd; /* of inotify, or -1 */
    struct logsource *source;
    struct logplace safe; /* acknowledged up to there */
    bool has_safe;
    enum beginning beginning;
    struct logbatch *batch; /* under way to the logger */
    struct logplace after;  /* safe when it is acknowledged */
    bool has_after;
    bool flush;      /* give out an unfinished line */
    bool active;     /* was read since the last tick */
    unsigned missed; /* lists of the Engine's containers, in a row, that lacked it */
    bool queued;
    struct shipped *next;
    bool finishing;
    bool spooling; /* the rest goes to the spool */
    struct deis_timer *deadline;
    void (*on_done)(void *arg);
    void *arg;
};

struct logship {
    const struct context *ctx;
    struct deis_map *logs;     /* by container: struct shipped */
    struct deis_map *by_watch; /* by inotify watch: borrowed */
    json_t *saved;             /* places of containers that are not known yet */
    struct logspool *spool;    /* NULL: the folder can't be used */
    bool spool_sending;
    struct shipped *head, *tail; /* have something to read, in turn */
    unsigned in_flight;
    unsigned failures;       /* of the logger, in a row */
    uint64_t pause_until_ms; /* nothing is sent before */
    int inotify;
    struct event *inotify_event;
    struct deis_timer *kick;
    struct deis_timer *tick;
    unsigned ticks;
    struct deis_timer *save;
    struct deis_workers *disk;
    char *saved_path;
    bool saving;
    bool save_again;
    bool save_at_once;
    bool stopping;
};

/* --- logship_saved.c: places up to which lines are safe, on disk --- */

void logship_saved_start(struct logship *s); /* loads what was saved */
void logship_saved_stop(struct logship *s);  /* writes what has changed */
void logship_save_soon(struct logship *s);
void logship_save_now(struct logship *s);
void logship_queue(struct shipped *l); /* logship.c: it has something to read */

#endif
