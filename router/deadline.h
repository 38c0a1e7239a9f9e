/* SPDX-License-Identifier: MIT */
/*
 * Deadlines without timers: all that wait equally long stand in one list, in the order in which
 * they expire, so that setting one costs a few pointers. Someone has to call deadline_expire() now
 * and then. thread: one owner
 */
#ifndef DEIS_ROUTER_DEADLINE_H
#define DEIS_ROUTER_DEADLINE_H

#include "lib/base/attr.h"

struct deadline {
    struct deadline *prev; /* NULL: not set */
    struct deadline *next;
    uint64_t at_ms;
};

struct deadline_list {
    struct deadline head;
    uint64_t ms;
    void (*on_expired)(struct deadline *d);
};

void deadline_list_init(struct deadline_list *l, uint64_t ms,
                        void (*on_expired)(struct deadline *d));
/* Another time, which holds for those that wait already, too. */
void deadline_list_set_ms(struct deadline_list *l, uint64_t ms);
/* In l->ms from now; leaves the list it was in. */
void deadline_set(struct deadline_list *l, struct deadline *d, uint64_t now_ms);
void deadline_clear(struct deadline *d);
bool deadline_list_empty(const struct deadline_list *l);
/* The one that expires first, or NULL. */
struct deadline *deadline_first(struct deadline_list *l);
/* Take out and report all that are due. on_expired may set and clear any deadline. */
void deadline_expire(struct deadline_list *l, uint64_t now_ms);

#endif
