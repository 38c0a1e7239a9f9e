/* SPDX-License-Identifier: MIT */
/*
 * TLS to clients. One context serves all names: the certificate is set per connection, from the
 * table that is in use when the ClientHello comes. Session tickets are sealed with keys that follow
 * from the cluster key and the time, so that every worker of every router opens them; a ticket is
 * good for the certificate that it was made under only. thread: any, unless said otherwise
 */
#ifndef DEIS_ROUTER_TLS_H
#define DEIS_ROUTER_TLS_H

#include "router/core/tls_names.h"

#include "lib/crypto/keys.h"

#include <sys/uio.h>

enum { TLS_PEM_MAX = 65536 };

struct worker;

struct tls_cert;
struct tls_server;
struct tls_terms;

/* terms: of connections that come before there is a certificate. keys: what the ticket keys follow
 * from; borrowed. */
struct tls_server *tls_server_new(const struct tls_terms *terms, struct deis_keys *keys,
                                  struct deis_err *err);
void tls_server_free(struct tls_server *s); /* NULL is fine */

/* Is it a list of ciphers of which OpenSSL has one at least? */
int tls_check_ciphers(const char *ciphers, struct deis_err *err) deis_must_check;

/* on_opened: a sealed certificate was needed first, and can be used. thread: that of who needed it
 */
void tls_server_on_opened(struct tls_server *s, void (*on_opened)(struct tls_cert *cert, void *arg),
                          void *arg);

/* A certificate for the name, from PEM texts, the chain behind the leaf; both may be as long as
 * TLS_PEM_MAX. NULL: it can't be used; err never holds any of the key. */
struct tls_cert *tls_cert_new(struct tls_server *s, const char *name, struct deis_str certificate,
                              struct deis_str key, struct deis_err *err);
/*
 * The same with a key that is sealed for "cert/<name>". It is read and checked when a client asks
 * for it first: most of what thousands of certificates cost, in time and memory, is never needed.
 * NULL: the key can't be unsealed.
 */
struct tls_cert *tls_cert_sealed(struct tls_server *s, const char *name,
                                 struct deis_str certificate, struct deis_str key,
                                 struct deis_err *err);
/* Read and check it now, if nobody did. */
int tls_cert_open(struct tls_server *s, struct tls_cert *c, struct deis_err *err) deis_must_check;
bool tls_cert_is_open(const struct tls_cert *c);
#define TLS_CERT_USELESS "certificate can't be used" /* in the log */
const char *tls_cert_name(const struct tls_cert *c);
struct tls_cert *tls_cert_ref(struct tls_cert *c);
void tls_cert_unref(struct tls_cert *c); /* NULL is fine */
/* An open one with an OCSP answer for clients, good until then (Unix time); yours. */
struct tls_cert *tls_cert_stapled(const struct tls_cert *c, struct deis_str answer,
                                  uint64_t until_ms);
/* These of an open one. */
bool tls_cert_expired(const struct tls_cert *c);
/* Call `each` with the host names that the certificate covers. */
void tls_cert_names(const struct tls_cert *c, void (*each)(struct deis_str name, void *arg),
                    void *arg);

/* --- connections. thread: worker --- */

/* Ticket keys of the present time, derived when they are needed first: two of each cluster key,
 * that of this epoch before that of the last one. The first seals. */
struct tls_ticket_key {
    uint8_t name[16];
    uint8_t cipher[32];
    uint8_t mac[32];
};

struct tls_tickets {
    uint64_t epoch;   /* of the first; 0: none yet */
    unsigned version; /* of the cluster keys */
    size_t count;
    struct tls_ticket_key keys[2 * DEIS_KEYRING_MAX];
};

struct tls_conn;

enum tls_result { TLS_DONE, TLS_WANT_READ, TLS_WANT_WRITE, TLS_FAILED };

/* NULL: out of memory. The descriptor stays the caller's. */
struct tls_conn *tls_conn_new(struct tls_server *s, struct worker *w, int fd);
enum tls_result tls_handshake(struct tls_conn *c);
/* As recv() and send(): errno is EAGAIN when they would block. What was not sent must be offered
 * again, followed by more or not. */
ssize_t tls_recv(struct tls_conn *c, void *data, size_t len);
ssize_t tls_send(struct tls_conn *c, const void *data, size_t len);
ssize_t tls_send_parts(struct tls_conn *c, const struct iovec *iov, int count);
/* Both have chosen HTTP/2, by ALPN (RFC 7301). */
bool tls_speaks_h2(const struct tls_conn *c);
/* There may be something to read although the socket has nothing. */
bool tls_has_more(const struct tls_conn *c);
/* Send what waits for a write to go with. */
void tls_flush(struct tls_conn *c);
/* tls_shut() follows what is sent next, whenever all of that is out. */
void tls_last_write(struct tls_conn *c);
/* Tell the client that nothing more comes, and end the stream to it. */
void tls_shut(struct tls_conn *c);
void tls_conn_free(struct tls_conn *c); /* NULL is fine */

#endif
