/* SPDX-License-Identifier: MIT */
/*
 * Where sealed values stand in the documents in etcd, and the place that each is bound to: the one
 * list that sealing anew and counting go by (docs/STATE.md names them S(...)). Pure. thread: any
 */
#ifndef DEIS_MODEL_SEALED_H
#define DEIS_MODEL_SEALED_H

#include "lib/model/model.h"

#define DEIS_SEALED_PER_DOC 2

struct deis_sealed_place {
    json_t *object; /* in the document, borrowed */
    const char *member;
    char aad[DEIS_KEY_MAX];
};

/* Below which prefixes (without "/deis/") there are such documents; NULL ends the list. */
extern const char *const deis_sealed_prefixes[];

/* May the document of this key hold sealed values? */
bool deis_sealed_holds(const char *key);
/* Those that are there; returns how many. */
size_t deis_sealed_places(const char *key, json_t *doc,
                          struct deis_sealed_place ret[DEIS_SEALED_PER_DOC]);

#endif
