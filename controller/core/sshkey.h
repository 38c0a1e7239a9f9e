/* SPDX-License-Identifier: MIT */
/* Public SSH keys: one line "type base64 [comment]", type and blob agreeing. Pure. thread: any */
#ifndef CONTROLLER_CORE_SSHKEY_H
#define CONTROLLER_CORE_SSHKEY_H

#include "lib/base/buf.h"

#define SSHKEY_TEXT_MAX 16384

/* Accepts RSA (1024 to 16384 bits), ECDSA, Ed25519 and their hardware-backed forms; a final newline
 * is fine, options before the type are not. The decoded blob is appended to ret_blob, *ret_plain
 * gets "type base64" (yours). DEIS_INVALID: err says why, in words for the owner of the key. */
int sshkey_parse(const char *text, struct deis_buf *ret_blob, char **ret_plain,
                 struct deis_err *err) deis_must_check;
/* "95:e8:..." of a 16-byte digest. */
void sshkey_format_md5(const uint8_t digest[16], char out[48]);

#endif
