/* SPDX-License-Identifier: MIT */
#include "router/bufpool.h"

static const uint32_t sizes[BUFPOOL_CLASSES] = { BUFPOOL_SMALL, BUFPOOL_MEDIUM, BUFPOOL_LARGE };
static const unsigned keep_max[BUFPOOL_CLASSES] = { 64, 8, 8 };

static int class_of(size_t need)
{
    for (int i = 0; i < BUFPOOL_CLASSES; i++) {
        if (need <= sizes[i]) {
            return i;
        }
    }
    return -1;
}

/* Written by its one thread. */
static void set_in_use(struct bufpool *pool, size_t bytes)
{
    atomic_store_explicit(&pool->in_use, bytes, memory_order_relaxed);
    pool->over = pool->limit > 0 && bytes > pool->limit;
}

void bufpool_count(struct bufpool *pool, size_t more, size_t less)
{
    set_in_use(pool, bufpool_in_use(pool) + more - less);
}

static char *pool_take(struct bufpool *pool, int class)
{
    void *block = pool->free[class];

    set_in_use(pool, bufpool_in_use(pool) + sizes[class]);
    if (!block) {
        return deis_realloc_array(NULL, sizes[class], 1);
    }
    memcpy(&pool->free[class], block, sizeof(void *));
    pool->kept[class]--;
    return block;
}

/* cap: of the block. */
static void pool_give(struct bufpool *pool, size_t cap, char *block)
{
    int class = class_of(cap);

    set_in_use(pool, bufpool_in_use(pool) - cap);
    if (class < 0) {
        free(block);
        return;
    }
    if (pool->kept[class] >= keep_max[class]) {
        free(block);
        return;
    }
    memcpy(block, &pool->free[class], sizeof(void *));
    pool->free[class] = block;
    pool->kept[class]++;
}

bool bytes_reserve(struct bufpool *pool, struct bytes *b, size_t need)
{
    if (need <= b->cap) {
        return true;
    }
    int class = class_of(need);
    if (class < 0) {
        return false;
    }
    char *data = pool_take(pool, class);
    if (b->data) {
        memcpy(data, b->data, b->len);
        pool_give(pool, b->cap, b->data);
    }
    b->data = data;
    b->cap = sizes[class];
    return true;
}

/* Move to memory of its own. */
static void outgrow(struct bufpool *pool, struct bytes *b, size_t need)
{
    size_t cap = BUFPOOL_LARGE;

    while (cap < need) {
        cap *= 2;
    }
    char *block = deis_realloc_array(NULL, cap, 1);
    set_in_use(pool, bufpool_in_use(pool) + cap);
    if (b->data) {
        memcpy(block, b->data, b->len);
        pool_give(pool, b->cap, b->data);
    }
    b->data = block;
    b->cap = (uint32_t)cap;
}

void bytes_hoard(struct bufpool *pool, struct bytes *b, const void *data, size_t len)
{
    if (!bytes_reserve(pool, b, b->len + len)) {
        outgrow(pool, b, b->len + len);
    }
    memcpy(b->data + b->len, data, len);
    b->len += (uint32_t)len;
}

bool bytes_add(struct bufpool *pool, struct bytes *b, const void *data, size_t len)
{
    if (!bytes_reserve(pool, b, b->len + len)) {
        return false;
    }
    memcpy(b->data + b->len, data, len);
    b->len += (uint32_t)len;
    return true;
}

bool bytes_add_parts(struct bufpool *pool, struct bytes *b, const struct iovec *iov, int count,
                     size_t skip)
{
    for (int i = 0; i < count; i++) {
        size_t part = skip < iov[i].iov_len ? skip : iov[i].iov_len;
        if (part < iov[i].iov_len &&
            !bytes_add(pool, b, (const char *)iov[i].iov_base + part, iov[i].iov_len - part)) {
            return false;
        }
        skip -= part;
    }
    return true;
}

void bytes_give(struct bufpool *pool, struct bytes *b)
{
    pool_give(pool, b->cap, b->data);
    *b = (struct bytes){ NULL, 0, 0, 0 };
}

void bufpool_clear(struct bufpool *pool)
{
    for (int i = 0; i < BUFPOOL_CLASSES; i++) {
        while (pool->kept[i] > 0) {
            free(pool_take(pool, i));
        }
    }
}
