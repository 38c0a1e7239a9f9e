/* SPDX-License-Identifier: MIT */
/*
 * How those who may use the platform's image registry show that they hold the cluster key: Basic
 * credentials (RFC 7617), the password derived from the key. The Docker Engine passes them on for
 * us; what it does by order of somebody else (a Dockerfile, a registry that redirects) has none.
 * thread: any
 */
#ifndef DEIS_CRYPTO_REGISTRY_LOGIN_H
#define DEIS_CRYPTO_REGISTRY_LOGIN_H

#include "lib/crypto/keys.h"

#define DEIS_REGISTRY_USER "deis"

/* As hex digits and NUL, from the key that seals. */
void deis_registry_password(struct deis_keys *k, char out[65]);
/* Appends the field line of a request to the registry, without CR LF. */
void deis_registry_authorize(struct deis_keys *k, struct deis_buf *out);
/* Is it the value of such a field? The password of any key that is held fits. */
bool deis_registry_admits(struct deis_keys *k, struct deis_str authorization);

#endif
