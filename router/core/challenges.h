/* SPDX-License-Identifier: MIT */
/*
 * Answers to the HTTP-01 challenges of certificate authorities (RFC 8555 section 8.3): what is
 * asked for below /.well-known/acme-challenge/, for any host. thread: main, but where said
 * otherwise
 */
#ifndef DEIS_ROUTER_CHALLENGES_H
#define DEIS_ROUTER_CHALLENGES_H

#include "lib/base/map.h"

#define CHALLENGES_PATH "/.well-known/acme-challenge/"

enum { CHALLENGES_MAX = 1000, CHALLENGE_TOKEN_MAX = 128, CHALLENGE_ANSWER_MAX = 512 };

/* A document below challenges/; value NONE removes it. False: it is no such thing (err says why),
 * or one too many. */
bool challenges_set(struct deis_map *m, struct deis_str token, struct deis_str value,
                    struct deis_err *err);
/* NULL when there is none. */
struct deis_map *challenges_copy(const struct deis_map *m);
/* The answer to a request for this target; NULL: there is none. m may be NULL. thread: any */
const char *challenges_find(const struct deis_map *m, struct deis_str target);

#endif
