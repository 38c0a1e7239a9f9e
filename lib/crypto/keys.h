/* SPDX-License-Identifier: MIT */
/*
 * The cluster keys of a process, read from the key file and read again when it changes, so that
 * keys are changed while everything runs. The file has mode 0600 or 0640 and is replaced as a
 * whole (written beside, then renamed). One that can't be used is refused; the keys that were
 * read before stay. thread: any
 */
#ifndef DEIS_CRYPTO_KEYS_H
#define DEIS_CRYPTO_KEYS_H

#include "lib/crypto/keyring.h"

struct deis_keys;

/* What is in the file now. */
int deis_keyring_load(const char *path, struct deis_keyring *ret,
                      struct deis_err *err) deis_must_check;

/* NULL: the file can't be used. */
struct deis_keys *deis_keys_open(const char *path, struct deis_err *err) deis_must_check;
/* One key for ever, without a file. */
struct deis_keys *deis_keys_fixed(const struct deis_key *key);
void deis_keys_free(struct deis_keys *k); /* NULL is fine */
/* Looks whether the file is another one and reads it then. 1: there are other keys now; 0: as they
 * were; negative: it can't be used. */
int deis_keys_refresh(struct deis_keys *k, struct deis_err *err);
const char *deis_keys_path(const struct deis_keys *k); /* NULL: fixed */

/* Grows with each change. */
unsigned deis_keys_version(struct deis_keys *k);
/* A copy of all; returns its version. Clear it after use. */
unsigned deis_keys_get(struct deis_keys *k, struct deis_keyring *ret);
/* Their ids as texts, that of the key that seals first: NULL-terminated, yours, free each. */
char **deis_keys_ids(struct deis_keys *k);

void deis_keys_seal(struct deis_keys *k, struct deis_str aad, struct deis_str plain,
                    struct deis_buf *out);
int deis_keys_unseal(struct deis_keys *k, struct deis_str aad, struct deis_str sealed,
                     struct deis_buf *out, struct deis_err *err) deis_must_check;

#endif
