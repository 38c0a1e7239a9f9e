/* SPDX-License-Identifier: MIT */
#include "router/waits.h"

struct deadline_list *waits_get(struct waits *w, uint64_t ms,
                                void (*on_expired)(struct deadline *d))
{
    struct deadline_list *unused = NULL;

    for (unsigned i = 0; i < w->count; i++) {
        if (w->lists[i]->ms == ms) {
            return w->lists[i];
        }
        unused = unused || !deadline_list_empty(w->lists[i]) ? unused : w->lists[i];
    }
    if (!unused && w->count < WAITS_MAX) {
        unused = deis_alloc(sizeof(*unused));
        w->lists[w->count++] = unused;
    }
    if (unused) {
        deadline_list_init(unused, ms, on_expired);
    }
    return unused;
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
