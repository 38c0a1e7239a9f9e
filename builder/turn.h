/* SPDX-License-Identifier: MIT */
/*
 * Whose turn it is to build. Each build holds a ticket, a locked file in <data>/queue, numbered in
 * the order in which they came; so many as the setting buildsMax says build, the oldest. A build
 * that is killed loses its ticket with its life. thread: one owner a ticket
 */
#ifndef DEIS_BUILDER_TURN_H
#define DEIS_BUILDER_TURN_H

#include "builder/settings.h"

#define TURN_WAITING_MAX 100

struct turn {
    int ticket; /* the locked file, -1: none */
    uint64_t number;
};

#define TURN_INIT ((struct turn){ .ticket = -1 })

/* DEIS_LIMIT: TURN_WAITING_MAX wait already. */
int turn_take(const struct settings *s, struct turn *ret, struct deis_err *err) deis_must_check;
/* How many builds have to end before this one may begin; 0 = it is its turn. */
int turn_ahead(const struct settings *s, const struct turn *t, unsigned *ret,
               struct deis_err *err) deis_must_check;
/* Something readable when a build has ended, or -1 (then ask now and then); close it. */
int turn_watch(const struct settings *s);
/* The next one may begin. None taken is fine. */
void turn_end(const struct settings *s, struct turn *t);

#endif
