/* SPDX-License-Identifier: MIT */
/*
 * One-off commands: recorded under a number of the app, then started at the agent of a machine.
 * While one runs, index/run/<app>/<number> says where. thread: workers
 */
#ifndef CONTROLLER_ONEOFF_H
#define CONTROLLER_ONEOFF_H

#include "controller/ctl.h"
#include "run.pb-c.h"

struct oneoff {
    /* what to run; the texts are yours */
    struct ctl *ctl;
    char *app;
    char *user;
    bool unbounded; /* an administrator's: as many as there is room for */
    char *command;
    char *source;     /* address that it was asked for from */
    char request[17]; /* id of the API's request */
    Deis__RunMode mode;
    bool tty;
    uint32_t rows;
    uint32_t columns;
    char *term; /* NULL = the agent's choice */
    /* what became of it */
    bool recorded; /* it has a number */
    uint32_t num;
    char process[32]; /* "run.3" */
    char id[DEIS_KEY_MAX];
    char machine[DEIS_NAME_MAX + 1];
    char bus[DEIS_KEY_MAX]; /* of the agent */
};

void oneoff_clear(struct oneoff *o);
/* Can a command be run? DEIS_INVALID with the API's text when there is no machine, or no build. */
int oneoff_check(struct ctl *ctl, const char *app, struct deis_err *err) deis_must_check;
/* Record and start it; as oneoff_check() when that can't be. DEIS_LIMIT, not recorded: the user's
 * others are all that he may have at once. When o->recorded its end is to be
 * recorded whatever is returned, unless oneoff_may_run(): then oneoff_look_after() does it. */
int oneoff_start(struct oneoff *o, struct deis_err *err) deis_must_check;

/* Does this result of oneoff_start() leave open whether it runs? The agent did not answer. */
static inline bool oneoff_may_run(int result)
{
    return result == DEIS_TIMEOUT;
}

/* It has ended: with this status, or (NULL) nobody knows how. Recorded once only; a failure is
 * logged. */
void oneoff_ended(struct ctl *ctl, const char *app, uint32_t num, const int *exit_code);
/* Ask the agent to end it by SIGTERM, 10 s later by SIGKILL. DEIS_NOT_FOUND: no such command, or it
 * does not run. */
int oneoff_stop(struct ctl *ctl, const char *app, uint32_t num,
                struct deis_err *err) deis_must_check;
/* Record the end of those whose controller has not: detached ones, and where it died. Every few
 * seconds. */
void oneoff_look_after(struct ctl *ctl);

#endif
