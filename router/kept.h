/* SPDX-License-Identifier: MIT */
/*
 * Documents of etcd that a router needs to serve HTTPS, in <data>/kept for a start without etcd:
 * one file each, as etcd has them (private keys sealed with the cluster key), mode 0600, with a
 * checksum. What is noted goes to disk a moment after kept_commit(), on a thread of its own.
 * thread: main
 */
#ifndef DEIS_ROUTER_KEPT_H
#define DEIS_ROUTER_KEPT_H

#include "lib/crypto/keys.h"
#include "lib/net/loop.h"

struct kept;

/* keys (borrowed) seal config/router/sslKey, which etcd may still have as plain text. */
struct kept *kept_open(struct deis_loop *loop, const char *data, struct deis_keys *keys,
                       struct deis_err *err) deis_must_check;
/* Waits until all is written. NULL is fine. */
void kept_close(struct kept *k);
/* Give each document on disk to `each`; those that can't be read are reported and left out. */
void kept_load(struct kept *k, void (*each)(const char *key, struct deis_str value, void *arg),
               void *arg);
/* Key (below /deis/) has this value now, NONE: it is gone. Not yet on disk. NULL k is fine. */
void kept_note(struct kept *k, const char *key, struct deis_str value);
/* What was noted since is true for this router: to disk with it. */
void kept_commit(struct kept *k);
/* Call `gone` with each key that was loaded and not noted since, and note that it is gone. */
void kept_sweep(struct kept *k, void (*gone)(const char *key, void *arg), void *arg);

/* Write nothing from now on, because another process does, or write again. NULL is fine. */
void kept_pause(struct kept *k, bool paused);
bool kept_paused(const struct kept *k); /* and nothing is being written. NULL: true */

#endif
