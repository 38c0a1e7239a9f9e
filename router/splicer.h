/* SPDX-License-Identifier: MIT */
/*
 * Large bodies from socket to socket through a pipe, without a copy in user space. Pipes are kept
 * for the next body; one is held only while bytes are in it or soon will be. thread: worker
 */
#ifndef DEIS_ROUTER_SPLICER_H
#define DEIS_ROUTER_SPLICER_H

#include "lib/base/attr.h"

enum {
    SPLICER_MIN = 64 * 1024, /* shorter rests are copied */
    SPLICER_KEEP = 16,       /* pipes kept by a worker */
};

struct splicer_pool {
    int fds[SPLICER_KEEP][2];
    unsigned count;
};

/* A body on its way. Zeroed: no pipe. */
struct splicer {
    bool open;
    int fds[2];
    size_t held; /* bytes in the pipe */
    size_t once; /* bytes that may be taken at once: more and more while the receiver keeps up */
};

enum splicer_result {
    SPLICER_MOVED, /* some bytes; there may be more */
    SPLICER_WAIT_INPUT,
    SPLICER_WAIT_OUTPUT, /* bytes are held */
    SPLICER_INPUT_ENDED,
    SPLICER_INPUT_BROKEN,
    SPLICER_OUTPUT_BROKEN,
};

/* False: no pipe is to be had; copy then. */
bool splicer_open(struct splicer_pool *pool, struct splicer *s);
/* Move bytes; *left counts down what was taken from the input, *moved up what was given out. left
 * 0: only what is held is given out. */
enum splicer_result splicer_move(struct splicer *s, int from, int to, uint64_t *left,
                                 uint64_t *moved);
void splicer_close(struct splicer_pool *pool, struct splicer *s);
void splicer_pool_clear(struct splicer_pool *pool);

#endif
