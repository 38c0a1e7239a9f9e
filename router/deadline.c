/* SPDX-License-Identifier: MIT */
#include "router/deadline.h"

void deadline_list_init(struct deadline_list *l, uint64_t ms,
                        void (*on_expired)(struct deadline *d))
{
    l->head.prev = &l->head;
    l->head.next = &l->head;
    l->ms = ms;
    l->on_expired = on_expired;
}

void deadline_list_set_ms(struct deadline_list *l, uint64_t ms)
{
    struct deadline *d;

    for (d = l->head.next; ms != l->ms && d != &l->head; d = d->next) {
        d->at_ms = d->at_ms - l->ms + ms;
    }
    l->ms = ms;
}

void deadline_clear(struct deadline *d)
{
    if (d->prev) {
        d->prev->next = d->next;
        d->next->prev = d->prev;
        d->prev = NULL;
        d->next = NULL;
    }
}

void deadline_set(struct deadline_list *l, struct deadline *d, uint64_t now_ms)
{
    deadline_clear(d);
    d->at_ms = now_ms + l->ms;
    d->prev = l->head.prev;
    d->next = &l->head;
    l->head.prev->next = d;
    l->head.prev = d;
}

bool deadline_list_empty(const struct deadline_list *l)
{
    return l->head.next == &l->head;
}

struct deadline *deadline_first(struct deadline_list *l)
{
    return deadline_list_empty(l) ? NULL : l->head.next;
}

void deadline_expire(struct deadline_list *l, uint64_t now_ms)
{
    struct deadline *d;

    while ((d = deadline_first(l)) && d->at_ms <= now_ms) {
        deadline_clear(d);
        l->on_expired(d);
    }
}
