/* SPDX-License-Identifier: MIT */
#include "router/splicer.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum {
    ONCE_MIN = 64 * 1024,
    ONCE_MAX = 256 * 1024, /* and the size of a pipe */
};

bool splicer_open(struct splicer_pool *pool, struct splicer *s)
{
    if (pool->count > 0) {
        pool->count--;
        s->fds[0] = pool->fds[pool->count][0];
        s->fds[1] = pool->fds[pool->count][1];
    } else {
        if (pipe2(s->fds, O_NONBLOCK | O_CLOEXEC) < 0) {
            return false;
        }
        (void)fcntl(s->fds[1], F_SETPIPE_SZ, ONCE_MAX);
    }
    s->open = true;
    s->held = 0;
    s->once = ONCE_MIN;
    return true;
}

void splicer_close(struct splicer_pool *pool, struct splicer *s)
{
    if (!s->open) {
        return;
    }
    if (s->held == 0 && pool->count < SPLICER_KEEP) {
        pool->fds[pool->count][0] = s->fds[0];
        pool->fds[pool->count][1] = s->fds[1];
        pool->count++;
    } else {
        close(s->fds[0]);
        close(s->fds[1]);
    }
    s->open = false;
    s->held = 0;
}

void splicer_pool_clear(struct splicer_pool *pool)
{
    while (pool->count > 0) {
        pool->count--;
        close(pool->fds[pool->count][0]);
        close(pool->fds[pool->count][1]);
    }
}

static bool would_block(void)
{
    return errno == EAGAIN || errno == EINTR;
}

static enum splicer_result fill(struct splicer *s, int from, uint64_t *left)
{
    size_t want = *left < s->once ? (size_t)*left : s->once;
    ssize_t n = splice(from, NULL, s->fds[1], NULL, want, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

    if (n == 0) {
        return SPLICER_INPUT_ENDED;
    }
    if (n < 0) {
        return would_block() ? SPLICER_WAIT_INPUT : SPLICER_INPUT_BROKEN;
    }
    s->held = (size_t)n;
    *left -= (uint64_t)n;
    return SPLICER_MOVED;
}

enum splicer_result splicer_move(struct splicer *s, int from, int to, uint64_t *left,
                                 uint64_t *moved)
{
    if (s->held == 0 && *left > 0) {
        enum splicer_result r = fill(s, from, left);
        if (r != SPLICER_MOVED) {
            return r;
        }
    }
    ssize_t n = splice(s->fds[0], NULL, to, NULL, s->held, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (n < 0) {
        return would_block() ? SPLICER_WAIT_OUTPUT : SPLICER_OUTPUT_BROKEN;
    }
    s->held -= (size_t)n;
    *moved += (uint64_t)n;
    if (s->held > 0) {
        s->once = ONCE_MIN;
        return SPLICER_WAIT_OUTPUT;
    }
    s->once = s->once * 2 < ONCE_MAX ? s->once * 2 : ONCE_MAX;
    return SPLICER_MOVED;
}
