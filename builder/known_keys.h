/* SPDX-License-Identifier: MIT */
/*
 * Fingerprints of keys that the controller knew when it was asked last, on disk, so that their
 * owners can be told what is wrong while it can't be asked. Nothing else may follow from it. A key
 * may be forgotten for another one: there is room for some thousands. thread: any
 */
#ifndef DEIS_BUILDER_KNOWN_KEYS_H
#define DEIS_BUILDER_KNOWN_KEYS_H

#include "builder/settings.h"

/* fingerprint as ssh_fingerprint_ok() has it. Failures are nobody's concern. */
void known_keys_note(const struct settings *s, const char *fingerprint, bool known);
bool known_keys_has(const struct settings *s, const char *fingerprint);

#endif
