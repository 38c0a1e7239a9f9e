/* SPDX-License-Identifier: MIT */
/* The key file, changed by one operator at a time and always as a whole. */
#ifndef DEISCTL_KEYFILE_H
#define DEISCTL_KEYFILE_H

#include "lib/crypto/keys.h"

#define KEYFILE_DEFAULT "/var/lib/deis/config/cluster.key"

/* The default, or what DEISCTL_KEY_FILE says. */
const char *keyfile_default(void);
/* Read it, let change() change the ring, write it beside and rename it over: owner and mode stay,
 * and at any instant there is either the old file or the new one. Nothing is written when change()
 * fails. ret (may be NULL) gets what is in the file afterwards. */
int keyfile_change(const char *path,
                   int (*change)(struct deis_keyring *ring, void *arg, struct deis_err *err),
                   void *arg, struct deis_keyring *ret, struct deis_err *err) deis_must_check;

#endif
