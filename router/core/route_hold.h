/* SPDX-License-Identifier: MIT */
/*
 * Whether a table that follows from etcd may take the place of the one in use. An etcd that came
 * back older than it was, or without anything, says nothing about what runs: a table that takes
 * routes away waits then, until etcd names them again or an operator accepts. Pure. thread: main
 */
#ifndef DEIS_ROUTER_ROUTE_HOLD_H
#define DEIS_ROUTER_ROUTE_HOLD_H

#include "router/core/route_table.h"

enum {
    HOLD_SUSPECT_MS = 20000, /* after it went back etcd is on trial */
};

struct hold {
    bool suspect; /* etcd went back: nothing is taken away */
    bool held;    /* the last table that was offered would have */
    uint64_t suspect_ms;
    uint64_t accepted_ms; /* 0: never */
};

struct hold_facts {
    const struct route_table *now;  /* in use */
    const struct route_table *next; /* what etcd says */
    bool went_back; /* it is another cluster, or its revision is lower than one seen */
    bool all_back;  /* all watches have listed it since */
    uint64_t now_ms;
};

/* Is every host of `old` in t, and has every app with units in `old` one in t? */
bool hold_covers(const struct route_table *t, const struct route_table *old);
/* True: use the next table. */
bool hold_judge(struct hold *h, const struct hold_facts *f);
/* An operator says that etcd is right, also to those watches that are still to find it older. */
void hold_accept(struct hold *h, uint64_t now_ms);

#endif
