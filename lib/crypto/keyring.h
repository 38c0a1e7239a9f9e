/* SPDX-License-Identifier: MIT */
/*
 * The cluster keys that a process holds: the first one seals, all of them open. So a new key can be
 * given to every service before any of them seals with it. Pure. thread: any
 *
 * Text form, in the key file: one line a key, "<64 hex digits>", or "<64 hex digits> <Unix time of
 * its making>". The file of a platform whose key was never changed has one line.
 */
#ifndef DEIS_CRYPTO_KEYRING_H
#define DEIS_CRYPTO_KEYRING_H

#include "lib/crypto/secret.h"

#define DEIS_KEYRING_MAX  8
#define DEIS_KEYRING_TEXT 1024 /* bytes of the text form, at most */
#define DEIS_KEY_ID_TEXT  9    /* a key's id as 8 hex digits, and NUL */

struct deis_keyring {
    size_t count; /* at least 1 */
    struct deis_key keys[DEIS_KEYRING_MAX];
    uint64_t made_s[DEIS_KEYRING_MAX]; /* Unix time, 0 = not known */
};

/* DEIS_INVALID names the line that is wrong, never what is in it. */
int deis_keyring_parse(struct deis_str text, struct deis_keyring *ret,
                       struct deis_err *err) deis_must_check;
void deis_keyring_format(const struct deis_keyring *ring, struct deis_buf *out);
/* A new random key behind the others, made now, or after the newest if clocks went back.
 * DEIS_LIMIT: there are DEIS_KEYRING_MAX of them. */
int deis_keyring_add(struct deis_keyring *ring, uint64_t now_s,
                     struct deis_err *err) deis_must_check;
/* The key of that index becomes the first. */
void deis_keyring_promote(struct deis_keyring *ring, size_t index);
void deis_keyring_clear(struct deis_keyring *ring); /* wipes it */

void deis_key_id_text(const struct deis_key *key, char out[DEIS_KEY_ID_TEXT]);
/* NULL: the ring has no key of that id. Borrowed. */
const struct deis_key *deis_keyring_find(const struct deis_keyring *ring, const uint8_t id[4]);

/* As deis_unseal(), with the key that the value names. */
int deis_keyring_unseal(const struct deis_keyring *ring, struct deis_str aad,
                        struct deis_str sealed, struct deis_buf *out,
                        struct deis_err *err) deis_must_check;
/* Seal anew with the first key what another one sealed. 0: out holds it; 1: the first key sealed
 * it, out is untouched; negative: it can't be opened. The nonce stays, so that the value keeps its
 * name (deis_sealed_name()) and whoever does it gets the same text: the pair of key and nonce is
 * used for this one text only. */
int deis_keyring_reseal(const struct deis_keyring *ring, struct deis_str aad,
                        struct deis_str sealed, struct deis_buf *out,
                        struct deis_err *err) deis_must_check;

/* Does it look like a sealed value? Then id is that of its key. */
bool deis_sealed_key(struct deis_str sealed, char id[DEIS_KEY_ID_TEXT]);
/* What names the sealed contents, whichever key they are sealed with: the nonce in base64. A text
 * that is not sealed names itself. Borrowed from sealed. */
struct deis_str deis_sealed_name(struct deis_str sealed);

#endif
