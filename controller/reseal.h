/* SPDX-License-Identifier: MIT */
/*
 * Sealing anew what the controllers have written to etcd, when the cluster key changes. It begins
 * by itself once every service seals with the same key and the key file still holds others, and
 * stops at any instant without harm: each document is written in a transaction of its own, and what
 * is left is found again. Blocking. thread: workers
 */
#ifndef CONTROLLER_RESEAL_H
#define CONTROLLER_RESEAL_H

#include "controller/ctl.h"

/* Called every few seconds, one call at a time; returns at once when there is nothing to do. */
void reseal_tick(struct ctl *ctl);

#endif
