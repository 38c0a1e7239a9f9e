/* SPDX-License-Identifier: MIT */
#include "router/gzip.h"

#include <assert.h>
#include <zlib.h>

enum {
    WINDOW_BITS = 14, /* 64 KiB of memory; the window is 16 KiB */
    GZIP_FORMAT = 16, /* RFC 1952 rather than 1950 */
    MEM_LEVEL = 7,    /* 64 KiB more */
    KEPT_MAX = 8,     /* idle ones */
    /* The longest piece, when none of it can be made shorter (deflateBound()), and its ends. */
    PIECE_MAX = BUFPOOL_LARGE,
    OUT_MAX = PIECE_MAX + PIECE_MAX / 8 + PIECE_MAX / 128 + 64,
};

struct gzip {
    struct gzip *next; /* an idle one */
    z_stream z;
};

struct gzip_pool {
    struct gzip *idle;
    unsigned idle_count;
    unsigned count;           /* at work */
    char text[GZIP_TEXT_MAX]; /* of the head that is being sent */
    Bytef out[OUT_MAX];
};

static void gzip_free(struct gzip *g)
{
    (void)deflateEnd(&g->z);
    free(g);
}

/* NULL: no memory. */
static struct gzip *gzip_new(int level)
{
    struct gzip *g = deis_alloc(sizeof(*g));

    if (deflateInit2(&g->z, level, Z_DEFLATED, WINDOW_BITS + GZIP_FORMAT, MEM_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
        free(g);
        return NULL;
    }
    return g;
}

/* NULL: as many are at work as may be. */
static struct gzip *take(struct worker *w, int level)
{
    struct gzip_pool *pool = w->gzips;
    struct gzip *g = pool->idle;

    if (pool->count >= GZIP_AT_ONCE) {
        return NULL;
    }
    if (g) {
        pool->idle = g->next;
        pool->idle_count--;
        (void)deflateParams(&g->z, level, Z_DEFAULT_STRATEGY); /* nothing was fed: no output */
    } else {
        g = gzip_new(level);
    }
    pool->count += g != NULL;
    return g;
}

void gzip_end(struct exchange *x)
{
    struct gzip_pool *pool = x->worker->gzips;
    struct gzip *g = DEIS_TAKE(x->gzip);

    if (!g) {
        return;
    }
    pool->count--;
    if (pool->idle_count >= KEPT_MAX || deflateReset(&g->z) != Z_OK) {
        gzip_free(g);
        return;
    }
    g->next = pool->idle;
    pool->idle = g;
    pool->idle_count++;
}

void gzip_pool_free(struct gzip_pool *pool)
{
    while (pool && pool->idle) {
        struct gzip *g = pool->idle;
        pool->idle = g->next;
        gzip_free(g);
    }
    free(pool);
}

void gzip_note_request(struct exchange *x)
{
    struct worker *w = x->worker;

    x->gzip_on = true;
    x->gzip_taken = gzip_is_taken(&w->table->gzip, &w->request);
}

void gzip_start(struct exchange *x)
{
    struct worker *w = x->worker;
    const struct deis_gzip *rules = &w->table->gzip;
    enum gzip_verdict verdict = gzip_judge(rules, &w->answer, x->gzip_taken, x->head_only);

    if (!w->gzips) {
        w->gzips = deis_alloc(sizeof(*w->gzips));
    }
    if (w->answer.status == 304) {
        exchange_parse_again(x);
        gzip_edit_not_modified(&w->answer, &w->request, rules->vary, w->gzips->text);
        return;
    }
    if (verdict == GZIP_COMPRESS && !x->head_only) {
        x->gzip = take(w, rules->level);
        verdict = x->gzip ? GZIP_COMPRESS : GZIP_VARY;
        atomic_fetch_add_explicit(x->gzip ? &w->counters.gzip_answers : &w->counters.gzip_refused,
                                  1, memory_order_relaxed);
    }
    gzip_edit(&w->answer, verdict, rules->vary, w->gzips->text);
}

struct deis_str gzip_piece(struct exchange *x, const char *data, size_t len, bool last)
{
    struct gzip_pool *pool = x->worker->gzips;
    z_stream *z = &x->gzip->z;

    if (len == 0 && !last) {
        return DEIS_STR("");
    }
    z->next_in = (Bytef *)(uintptr_t)data;
    z->avail_in = (uInt)len;
    z->next_out = pool->out;
    z->avail_out = OUT_MAX;
    (void)deflate(z, last ? Z_FINISH : Z_SYNC_FLUSH);
    assert(z->avail_in == 0 && z->avail_out > 0);
    struct deis_str piece = deis_str_n((char *)pool->out, OUT_MAX - z->avail_out);
    if (last) {
        gzip_end(x); /* others may have it while this client reads */
    }
    return piece;
}
