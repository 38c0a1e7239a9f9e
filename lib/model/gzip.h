/* SPDX-License-Identifier: MIT */
/*
 * Which answers of apps routers compress: the settings config/router/gzip... as one value. The
 * router goes by them, deisctl holds what is set against them. docs/ROUTING.md is for users.
 * thread: any
 */
#ifndef DEIS_MODEL_GZIP_H
#define DEIS_MODEL_GZIP_H

#include "lib/base/str.h"

enum {
    DEIS_GZIP_TYPES_MAX = 1536,  /* bytes of the list as it is kept */
    DEIS_GZIP_CLIENTS_MAX = 256, /* bytes of gzipDisable */
};

struct deis_gzip {
    bool on;                             /* for apps that don't say */
    bool vary;                           /* tell caches that there are two forms */
    bool not_to_proxies;                 /* what comes through a proxy gets the plain form */
    int minor;                           /* HTTP/1.<minor> at least */
    int level;                           /* 1 to 9 */
    uint64_t min_length;                 /* bytes of a body */
    char types[DEIS_GZIP_TYPES_MAX];     /* " text/css text/plain ", in lower case */
    char clients[DEIS_GZIP_CLIENTS_MAX]; /* parts of User-Agent, with commas between */
};

/* What holds when nothing is set: off. */
void deis_gzip_default(struct deis_gzip *g);
/*
 * Set one by its name: gzip, gzipVary, gzipMinLength, gzipCompLevel, gzipTypes, gzipHttpVersion,
 * gzipProxied or gzipDisable; text NULL: back to the default. DEIS_NOT_FOUND: it is none of these;
 * DEIS_INVALID: err says what it must be, g stays as it was.
 */
int deis_gzip_set(struct deis_gzip *g, struct deis_str name, const char *text,
                  struct deis_err *err) deis_must_check;
bool deis_gzip_equal(const struct deis_gzip *a, const struct deis_gzip *b);
/* Is this value of Content-Type (RFC 9110 section 8.3) one of the types? */
bool deis_gzip_has_type(const struct deis_gzip *g, struct deis_str content_type);
/* Is this value of User-Agent that of a client which is to get the plain form? */
bool deis_gzip_has_client(const struct deis_gzip *g, struct deis_str user_agent);

#endif
