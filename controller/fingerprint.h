/* SPDX-License-Identifier: MIT */
#ifndef CONTROLLER_FINGERPRINT_H
#define CONTROLLER_FINGERPRINT_H

#include "lib/crypto/secret.h"
#include "lib/wire/b64.h"

/* SHA-256 of a public key's blob in base64url without padding: its name in etcd, and what OpenSSH
 * prints after "SHA256:" but for the alphabet. thread: any */
void fingerprint_key(struct deis_str blob, char out[48]);

#endif
