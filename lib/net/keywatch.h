/* SPDX-License-Identifier: MIT */
/*
 * Follows the key file of a running service: when it is replaced, the new keys are read and told.
 * thread: loop
 */
#ifndef DEIS_NET_KEYWATCH_H
#define DEIS_NET_KEYWATCH_H

#include "lib/crypto/keys.h"
#include "lib/net/loop.h"

struct deis_keywatch;

/* keys is borrowed. on_change (may be NULL) is called from the loop after each change, never from
 * within. Where the system tells nothing about the folder the file is looked at now and then. */
struct deis_keywatch *deis_keywatch_start(struct deis_loop *loop, struct deis_keys *keys,
                                          void (*on_change)(void *arg), void *arg);
void deis_keywatch_stop(struct deis_keywatch *w); /* NULL is fine */

#endif
