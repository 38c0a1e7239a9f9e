/* SPDX-License-Identifier: MIT */
/*
 * The certificates that are known, and what HTTPS is to do: gathered here, handed to the workers as
 * a part of the table. A certificate that can't be used is reported and leaves the others alone.
 * thread: main
 */
#ifndef DEIS_ROUTER_CERTS_H
#define DEIS_ROUTER_CERTS_H

#include "router/core/route_model.h"
#include "router/settings.h"
#include "router/tls.h"

#include "lib/net/loop.h"

struct certs;
struct ocsp;

/* Reads --cert and --key. keys and loop, which must end first, are borrowed. */
struct certs *certs_new(const struct settings *settings, struct deis_keys *keys,
                        struct deis_loop *loop, struct deis_err *err) deis_must_check;
void certs_free(struct certs *c); /* NULL is fine; no connection may be left */
struct tls_server *certs_server(struct certs *c);
/* Staple OCSP answers to certificates that are in use, if settings want that; on_changed: publish.
 */
void certs_start_ocsp(struct certs *c, void (*on_changed)(void *arg), void *arg);
void certs_stop_ocsp(struct certs *c);                /* before the loop ends; NULL is fine */
const struct ocsp *certs_ocsp(const struct certs *c); /* NULL: none */

/* A document below certs/; value NONE removes it. */
void certs_set(struct certs *c, struct deis_str name, struct deis_str value);
/* config/router/sslCert and sslKey; value NULL removes. False: the key is neither. c NULL: there is
 * no HTTPS, and they are of no use. */
bool certs_set_platform(struct certs *c, struct deis_str key, const char *value);
/* The domain of all apps. */
void certs_set_domain(struct certs *c, const char *domain);
/* The settings have changed. */
void certs_set_policy(struct certs *c);
/* A document below challenges/; value NONE removes it. */
void certs_set_challenge(struct certs *c, struct deis_str token, struct deis_str value);
/* Put what has changed since the last time into the model. */
void certs_publish(struct certs *c, struct route_model *m);

#endif
