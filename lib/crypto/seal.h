/* SPDX-License-Identifier: MIT */
/* Sealing with a nonce that is given: for secret.c and keyring.c alone. thread: any */
#ifndef DEIS_CRYPTO_SEAL_H
#define DEIS_CRYPTO_SEAL_H

#include "lib/crypto/secret.h"

#define DEIS_SEAL_NONCE   12
#define DEIS_SEAL_TAG     16
#define DEIS_SEALED_PLAIN ((size_t)16 << 20) /* bytes of a plain text, at most */

/* A pair of key and nonce must seal one plain text and place only. */
void deis_seal_with(const struct deis_key *key, const uint8_t nonce[DEIS_SEAL_NONCE],
                    struct deis_str aad, struct deis_str plain, struct deis_buf *out);

#endif
