/* SPDX-License-Identifier: MIT */
/*
 * How many of a thing one user or one app may have, so that nobody fills etcd for all. Two requests
 * at the same moment may go one over it. Administrators have no bound. Blocking. thread: workers
 */
#ifndef CONTROLLER_QUOTA_H
#define CONTROLLER_QUOTA_H

#include "controller/api.h"

enum quota {
    QUOTA_APPS,      /* of the caller */
    QUOTA_CERTS,     /* of the caller */
    QUOTA_AUTOCERTS, /* of the caller */
    QUOTA_KEYS,      /* of the caller */
    QUOTA_DOMAINS,   /* of the app */
    QUOTA_USERS,     /* of the app: collaborators */
};

/* Is there room for `name` (NULL: for one more)? What is there already needs none. Answers and
 * returns false when there is not. */
bool quota_has_room(struct api *a, enum quota quota, const char *name);

#endif
