/* SPDX-License-Identifier: MIT */
/*
 * OCSP stapling: asks the responder of each certificate that has one (RFC 6960), and again when
 * half of the answer's life is over. Only authorities that this machine trusts are asked, so that
 * nobody sends the router elsewhere by a certificate of his own making. thread: main
 */
#ifndef DEIS_ROUTER_OCSP_H
#define DEIS_ROUTER_OCSP_H

#include "router/tls.h"

#include "lib/net/loop.h"

struct ocsp;

/* ca_file: the authorities. on_staple: the certificate under this name with its new answer, yours,
 * in the place of the one that is watched. */
struct ocsp *ocsp_new(struct deis_loop *loop, const char *ca_file,
                      void (*on_staple)(const char *name, struct tls_cert *cert, void *arg),
                      void *arg);
void ocsp_free(struct ocsp *o); /* waits for requests under way; NULL is fine */
/* The name has this certificate from now on; NULL: none. Takes a ref. */
void ocsp_watch(struct ocsp *o, const char *name, struct tls_cert *cert);
/* Certificates with a valid answer, and requests that failed. */
size_t ocsp_stapled(const struct ocsp *o);
uint64_t ocsp_failures(const struct ocsp *o);

/* --- one request. Blocking. thread: any --- */

struct ocsp_answer {
    struct deis_buf der;
    uint64_t until_ms; /* Unix time: it is good so long */
};

enum { OCSP_ANSWER_MAX = 16 * 1024 };

bool ocsp_has_responder(const struct tls_cert *cert);
/* DEIS_NOT_FOUND: not for stapling: its authority is not trusted, or its responder not HTTP.
 * DEIS_DENIED: it is revoked, or unknown to its responder. Others: try again. */
int ocsp_ask(const struct tls_cert *cert, const char *ca_file, struct ocsp_answer *ret,
             struct deis_err *err) deis_must_check;

#endif
