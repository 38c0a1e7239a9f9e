/* SPDX-License-Identifier: MIT */
/*
 * Which certificate a name gets, and the name that a ClientHello asks for. Certificates are numbers
 * here; who holds them knows what they stand for. thread: any
 */
#ifndef DEIS_ROUTER_TLS_NAMES_H
#define DEIS_ROUTER_TLS_NAMES_H

#include "router/core/route_table.h"

enum {
    TLS_NAMES_NONE = -1,     /* nobody's: refuse */
    TLS_NAMES_PLATFORM = -2, /* the platform's own certificate */
};

struct tls_names;

/* domain: that of all apps, "" when there is none. */
struct tls_names *tls_names_new(const char *domain, size_t expected);
/* One that more can be added to, without a change of the first. */
struct tls_names *tls_names_copy(const struct tls_names *n);
void tls_names_free(struct tls_names *n); /* NULL is fine */
/* A certificate for one name, or for all names one label below it ("*.example.com"). False: the
 * name is no such thing, or taken. */
bool tls_names_add(struct tls_names *n, struct deis_str name, uint32_t certificate);
/* As if it had not been added. */
void tls_names_remove(struct tls_names *n, struct deis_str name);
/* It is written as it is looked up, or not a name at all: no other that is plain stands for the
 * same hosts. */
bool tls_names_is_plain(struct deis_str name);
/* A name that the platform's certificate covers. */
bool tls_names_add_platform(struct tls_names *n, struct deis_str name);
/* The platform has a certificate: for clients that name no host. */
void tls_names_set_default(struct tls_names *n);

/*
 * The certificate for a host: what is below the platform's domain gets the platform's certificate
 * if that covers it, so that nobody's own takes the place of it. Else the certificate of the very
 * name, else the one of its wildcard, else the platform's if that covers the name. A host of no
 * length (no name was sent) and an IP address get the platform's.
 */
int64_t tls_names_pick(const struct tls_names *n, struct deis_str host);

/*
 * The host name in the contents of a server_name extension (RFC 6066 section 3). False: it is
 * malformed, or names several hosts. *ret_host NONE: it holds no host name.
 */
bool tls_names_parse_sni(const uint8_t *data, size_t len, struct deis_str *ret_host);

#endif
