/* SPDX-License-Identifier: MIT */
/* Buffers for bytes in flight, kept in free lists so that a request allocates nothing. thread:
 * worker */
#ifndef DEIS_ROUTER_BUFPOOL_H
#define DEIS_ROUTER_BUFPOOL_H

#include "lib/base/str.h"

#include <stdatomic.h>
#include <sys/uio.h>

enum {
    BUFPOOL_CLASSES = 3,
    BUFPOOL_SMALL = 4096,
    BUFPOOL_MEDIUM = 16384,
    BUFPOOL_LARGE = (96 + 34) * 1024, /* one read and the longest head */
};

struct bufpool {
    void *free[BUFPOOL_CLASSES];
    unsigned kept[BUFPOOL_CLASSES];
    size_t limit;          /* bytes in use beyond which `over` is set; 0: none */
    bool over;             /* somebody has to let go */
    _Atomic size_t in_use; /* bytes of buffers that are out; read by any thread */
};

static inline size_t bufpool_in_use(const struct bufpool *pool)
{
    return atomic_load_explicit(&pool->in_use, memory_order_relaxed);
}

/* A buffer with content in [off, len). Zeroed: none. */
struct bytes {
    char *data;
    uint32_t cap;
    uint32_t off;
    uint32_t len;
};

/* Make room for `need` bytes in all, moving what is there; false beyond BUFPOOL_LARGE. */
bool bytes_reserve(struct bufpool *pool, struct bytes *b, size_t need);
/* Append; false when it would not fit BUFPOOL_LARGE. */
bool bytes_add(struct bufpool *pool, struct bytes *b, const void *data, size_t len);
/* Append whatever the length, which the caller limits: beyond BUFPOOL_LARGE in memory of its own.
 */
void bytes_hoard(struct bufpool *pool, struct bytes *b, const void *data, size_t len);
/* Append what follows the first skip bytes of the parts. */
bool bytes_add_parts(struct bufpool *pool, struct bytes *b, const struct iovec *iov, int count,
                     size_t skip);
void bytes_give(struct bufpool *pool, struct bytes *b); /* of one that has memory */

/* Give the memory back. Of most buffers of a request there is none. */
static inline void bytes_release(struct bufpool *pool, struct bytes *b)
{
    if (b->data) {
        bytes_give(pool, b);
    }
}

/* Memory that somebody else holds for us counts, too: so much more, so much less. */
void bufpool_count(struct bufpool *pool, size_t more, size_t less);
void bufpool_clear(struct bufpool *pool);

#endif
