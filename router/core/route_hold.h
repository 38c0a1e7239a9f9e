/* SPDX-License-Identifier: MIT */
/*
 * Whether a table that follows from etcd may take the place of the one in use. An etcd that came
 * back older than it was, or without anything, says nothing about what runs: a table that takes
 * routes away waits then, until etcd names them again or an operator accepts. Pure. thread: main
 */
#ifndef DEIS_ROUTER_ROUTE_HOLD_H
#define DEIS_ROUTER_ROUTE_HOLD_H

#include "router/core/route_table.h"

/* Is every host of `old` in t, and has every app with units in `old` one in t? */
bool hold_covers(const struct route_table *t, const struct route_table *old);

#endif
