/* SPDX-License-Identifier: MIT */
/*
 * Secrets: the cluster key and what is derived from it, sealing at rest, passwords, tokens,
 * digests. thread: any
 */
#ifndef DEIS_CRYPTO_SECRET_H
#define DEIS_CRYPTO_SECRET_H

#include "lib/base/buf.h"

/* A cluster key. Those that a process holds are a ring (keyring.h), kept in a file (keys.h). */
struct deis_key {
    uint8_t id[4]; /* first bytes of SHA-256 of the key: names it in sealed values */
    uint8_t bytes[32];
};

/* The key in the file that seals. */
int deis_key_load(const char *path, struct deis_key *ret, struct deis_err *err) deis_must_check;
/* HKDF-SHA256 of the key for one purpose ("bus", "at-rest", "builder-hook"). */
void deis_key_derive(const struct deis_key *key, const char *purpose, uint8_t out[32]);
/* As above for one user of the purpose: context (200 bytes at most) joins the purpose after a NUL.
 */
void deis_key_derive_for(const struct deis_key *key, const char *purpose, struct deis_str context,
                         uint8_t out[32]);
/* Derived key as 64 hex digits and NUL: the builder hook secret is purpose "builder-hook". */
void deis_key_derive_hex(const struct deis_key *key, const char *purpose, char out[65]);

/* At rest: AES-256-GCM, random nonce; text "v1:<key id hex>:<base64 of nonce, ciphertext, tag>".
 * aad binds the value to its place ("config/blog"): unsealing elsewhere fails. DEIS_INVALID when it
 * can't be opened, DEIS_LIMIT when out is too small. plain: 16 MiB at most. */
void deis_seal(const struct deis_key *key, struct deis_str aad, struct deis_str plain,
               struct deis_buf *out);
int deis_unseal(const struct deis_key *key, struct deis_str aad, struct deis_str sealed,
                struct deis_buf *out, struct deis_err *err) deis_must_check;

/* "scrypt$15$8$1$<salt b64>$<hash b64>"; about 0.1 s and 32 MiB: worker threads only. Passwords
 * over 1024 bytes: DEIS_LIMIT. */
int deis_password_hash(struct deis_str password, struct deis_buf *out,
                       struct deis_err *err) deis_must_check;
bool deis_password_verify(struct deis_str password, const char *hash);

void deis_random(void *out, size_t len);
void deis_random_hex(char *out, size_t bytes); /* writes 2 * bytes digits and NUL */
void deis_uuid(char out[37]);                  /* version 4, lower case, NUL */
void deis_sha256(struct deis_str data, uint8_t out[32]);
void deis_sha256_hex(struct deis_str data, char out[65]);
bool deis_secret_eq(struct deis_str a, struct deis_str b); /* in constant time */

#endif
