/* SPDX-License-Identifier: MIT */
/*
 * What a build made that has to go again if it does not end well: <data>/builds/<id>, written
 * before each step and removed at the end. A record whose app is not locked belongs to a build that
 * was killed.
 */
#ifndef DEIS_BUILDER_RECORD_H
#define DEIS_BUILDER_RECORD_H

#include "builder/core/push_output.h"
#include "builder/settings.h"

#define RECORD_ID_BYTES 8 /* random bytes of an id */

enum record_phase {
    RECORD_BUILDING,  /* the image must go, it is in the Engine only */
    RECORD_PUSHING,   /* the image must go, it may be in the registry too */
    RECORD_DEPLOYING, /* the controller was asked: the image goes unless there is a release of it */
};

struct record {
    char id[2 * RECORD_ID_BYTES + 1]; /* also the label deis.build of the image and the operation */
    char *app;
    char *tag;                             /* "git-1a2b3c4d" */
    char layer[PUSH_OUTPUT_LAYER_LEN + 1]; /* last image of a step, "" before the first */
    enum record_phase phase;
    int pid;
    char *branch;     /* full name of the ref that was pushed */
    char *commit;     /* its new id */
    char *old;        /* its old one, all zeros when there was none */
    char *quarantine; /* folder below objects/ with what was pushed, "" when unknown */
};

int record_save(const struct settings *s, const struct record *r,
                struct deis_err *err) deis_must_check;
int record_load(const struct settings *s, const char *id, struct record *ret,
                struct deis_err *err) deis_must_check;
void record_remove(const struct settings *s, const char *id);
void record_clear(struct record *r);
/* Call fn with the id of each record. */
void record_each(const struct settings *s, void (*fn)(const char *id, void *arg), void *arg);
/* Milliseconds since it was last written, 0 when it is gone. */
uint64_t record_age_ms(const struct settings *s, const char *id, uint64_t wall_ms);

#endif
