/* SPDX-License-Identifier: MIT */
/*
 * Whose a token is, by its hash: saves a read, never a check, as a hash belongs to one user for
 * ever and whether it is still valid is read each time. thread: any
 */
#ifndef CONTROLLER_TOKENCACHE_H
#define CONTROLLER_TOKENCACHE_H

#include "lib/base/map.h"

#define TOKENCACHE_USER_MAX 31

struct tokencache;

struct tokencache *tokencache_new(void);
void tokencache_free(struct tokencache *c);
bool tokencache_get(struct tokencache *c, const char *hash, char ret_user[TOKENCACHE_USER_MAX]);
void tokencache_put(struct tokencache *c, const char *hash, const char *user);

#endif
