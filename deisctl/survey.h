/* SPDX-License-Identifier: MIT */
/* What etcd says about the cluster keys: who holds which, and what each seals. Blocking. */
#ifndef DEISCTL_SURVEY_H
#define DEISCTL_SURVEY_H

#include "deisctl/core/rotation.h"

#include "lib/etcd/etcd.h"

struct survey {
    struct rotation_service *services; /* those that need keys */
    size_t service_count;
    size_t values[DEIS_KEYRING_MAX];    /* sealed values, by the key's index in the ring */
    size_t foreign;                     /* sealed with a key that is not in the ring */
    char foreign_key[DEIS_KEY_ID_TEXT]; /* one such key */
    char *open_secret;                  /* key of a secret that is not sealed at all, or NULL */
};

/* Reads the services; counts values too when asked to (one call of etcd for each document). */
int survey_take(struct deis_etcd *etcd, const struct deis_keyring *ring, bool count,
                struct survey *ret, struct deis_err *err) deis_must_check;
void survey_clear(struct survey *s);

#endif
