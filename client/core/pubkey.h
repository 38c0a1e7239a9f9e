/* SPDX-License-Identifier: MIT */
/* Files of SSH public keys. thread: any */
#ifndef CLIENT_CORE_PUBKEY_H
#define CLIENT_CORE_PUBKEY_H

#include "lib/base/str.h"

/* The id of a key in a file: its comment, else the file's name up to the first dot; yours.
 * DEIS_INVALID
 * "<path> is not a valid ssh key". */
int pubkey_id(const char *path, struct deis_str text, char **ret,
              struct deis_err *err) deis_must_check;
const char *pubkey_file_name(const char *path); /* borrowed */

#endif
