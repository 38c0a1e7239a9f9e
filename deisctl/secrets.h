/* SPDX-License-Identifier: MIT */
/* Settings that are secret: kept sealed with the cluster key, bound to "config/<name>". Their one
 * writer is deisctl, so it also seals them anew. */
#ifndef DEISCTL_SECRETS_H
#define DEISCTL_SECRETS_H

#include "lib/crypto/keyring.h"
#include "lib/etcd/etcd.h"

/* "router/sslKey" and so on; NULL ends the list. */
extern const char *const secret_settings[];

bool secrets_is_secret(const char *component, struct deis_str name);
/* Seal what is not sealed with the first key of the ring, plain text too. */
int secrets_reseal(struct deis_etcd *etcd, const struct deis_keyring *ring,
                   struct deis_err *err) deis_must_check;

#endif
