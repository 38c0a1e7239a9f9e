/* SPDX-License-Identifier: MIT */
#include "router/waits.h"

/* Among the lists from first to before end. */
static struct deadline_list *find(struct waits *w, unsigned first, unsigned end, uint64_t ms,
                                  void (*on_expired)(struct deadline *d))
{
    struct deadline_list *unused = NULL;

    for (unsigned i = first; i < end; i++) {
        struct deadline_list *l = w->lists[i];
        if (!l && !unused) {
            unused = w->lists[i] = deis_alloc(sizeof(*l));
            w->count++;
        }
        if (!l) {
            break;
        }
        if (l->ms == ms) {
            return l;
        }
        unused = unused || !deadline_list_empty(l) ? unused : l;
    }
    if (unused) {
        deadline_list_init(unused, ms, on_expired);
    }
    return unused;
}

/* Up to the next of eight steps between two powers of two. */
static uint64_t rounded(uint64_t ms)
{
    uint64_t step = 1;

    while (ms / step >= 16) {
        step *= 2;
    }
    return (ms + step - 1) / step * step;
}

struct deadline_list *waits_get(struct waits *w, uint64_t ms,
                                void (*on_expired)(struct deadline *d))
{
    struct deadline_list *l = find(w, 0, WAITS_EXACT, ms, on_expired);

    return l ? l : find(w, WAITS_EXACT, WAITS_MAX, rounded(ms), on_expired);
}

bool waits_expire(struct waits *w, uint64_t now_ms)
{
    bool more = false;

    for (unsigned i = 0; i < w->count; i++) {
        deadline_expire(w->lists[i], now_ms);
        more = more || !deadline_list_empty(w->lists[i]);
    }
    return more;
}

struct deadline *waits_first(struct waits *w)
{
    struct deadline *d = NULL;

    for (unsigned i = 0; i < w->count && !d; i++) {
        d = deadline_first(w->lists[i]);
    }
    return d;
}

void waits_clear(struct waits *w)
{
    for (unsigned i = 0; i < w->count; i++) {
        free(w->lists[i]);
    }
    w->count = 0;
}
