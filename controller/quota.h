/* SPDX-License-Identifier: MIT */
/*
 * How many of a thing one user or one app may have, so that nobody fills etcd for all: who is told
 * that there is room guards his change by what was counted. Administrators have no bound. Blocking.
 * thread: workers
 */
#ifndef CONTROLLER_QUOTA_H
#define CONTROLLER_QUOTA_H

#include "controller/api.h"
#include "controller/store.h"

enum quota {
    QUOTA_APPS,      /* of the caller */
    QUOTA_CERTS,     /* of the caller */
    QUOTA_AUTOCERTS, /* of the caller */
    QUOTA_KEYS,      /* of the caller */
    QUOTA_DOMAINS,   /* of the app */
    QUOTA_USERS,     /* of the app: collaborators */
};

/* Is there room for `name` (NULL: for one more)? What is there already needs none. Answers and
 * returns false when there is not. Once for each request; until its end nobody else is told here
 * that there is room for a thing of the same kind and owner. */
bool quota_has_room(struct api *a, enum quota quota, const char *name);
/* After quota_has_room(), for the change that adds it: a conflict when another controller has added
 * one of the kind meanwhile. */
void quota_guard(const struct api *a, struct change *c);
/* Was the request refused (400, 409) after another controller had added one of the kind? Then that
 * may be why, and the handler is to judge anew. Before quota_end(). */
bool quota_overtaken(const struct api *a);
/* The request has made its change, or made none. */
void quota_end(struct api *a);

#endif
