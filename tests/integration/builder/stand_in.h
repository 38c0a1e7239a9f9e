/* SPDX-License-Identifier: MIT */
/*
 * A stand-in for the controller on the bus: knows one key, a few apps, and ends deploys as the test
 * wants. It runs on a thread of its own. All functions may be called from the test's thread.
 */
#ifndef DEIS_TESTS_BUILDER_STAND_IN_H
#define DEIS_TESTS_BUILDER_STAND_IN_H

#include "lib/crypto/secret.h"

struct stand_in;

/* user "ada" has the key; she may use the apps "itest-builder" and "itest-builder-2". */
struct stand_in *stand_in_start(const char *address, const struct deis_key *key,
                                const char *fingerprint, const char *public_key);
void stand_in_stop(struct stand_in *c);

/* How the deploys that follow end: NULL = well. Log lines are sent with a failure. */
void stand_in_fail_deploys(struct stand_in *c, const char *reason);
/* Deploys stay under way until this is called with false. */
void stand_in_hold_deploys(struct stand_in *c, bool hold);

struct stand_in_deploy {
    char app[64];
    char user[64];
    char sha[64];
    char image[256];
    char procfile[256]; /* "web=a,worker=b" */
    unsigned calls;     /* of this operation */
    unsigned releases;  /* made in all */
};
/* What was asked last. */
struct stand_in_deploy stand_in_last(struct stand_in *c);
/* The address that the last authorize told. */
void stand_in_client(struct stand_in *c, char out[64]);

#endif
