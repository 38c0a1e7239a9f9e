/* SPDX-License-Identifier: MIT */
/* Shared by the files of TLS only. */
#ifndef DEIS_ROUTER_TLS_SERVER_H
#define DEIS_ROUTER_TLS_SERVER_H

#include "router/tls.h"
#include "router/tls_terms.h"
#include "router/worker.h"

#include <openssl/ssl.h>
#include <pthread.h>

enum tls_cert_state {
    TLS_CERT_CLOSED, /* nobody has needed it so far */
    TLS_CERT_OPEN,
    TLS_CERT_BAD,
};

/* A certificate with its chain and key, shared by all snapshots that hold it. */
struct tls_cert {
    atomic_uint refs;
    _Atomic(enum tls_cert_state) state;
    pthread_mutex_t opening;
    char *name;
    uint8_t context[32]; /* of sessions; says for which name it serves */
    char *certificate;   /* both as they came, until it is opened */
    char *sealed;
    X509 *leaf; /* these once it is open */
    STACK_OF(X509) * chain;
    EVP_PKEY *key;
    uint64_t staple_until_ms;
    size_t staple_len; /* 0: it has no OCSP answer */
    unsigned char *staple;
};

/* What the table points to. */
struct tls_snapshot {
    struct route_https https;
    SSL_CTX *ctx; /* of new connections */
    struct tls_names *names;
    struct tls_cert *platform; /* or NULL */
    /* Certificates by the numbers in names: those of the base, which has no base of its own, then
     * these. */
    struct tls_snapshot *base; /* one ref; or NULL */
    size_t count;
    struct tls_cert *certs[];
};

struct tls_server {
    SSL_CTX *ctx; /* with the first terms, never changed */
    BIO_METHOD *bio;
    EVP_CIPHER *ticket_cipher;
    struct deis_keys *keys;
    void (*on_opened)(struct tls_cert *cert, void *arg);
    void *arg;
};

struct tls_conn {
    SSL *ssl;
    struct worker *worker;
    struct tls_cert *cert; /* during the handshake */
    bool established;
    bool more;   /* the library may hold something to read */
    bool broken; /* nothing may be sent any more */
    bool shut;
    bool last;        /* the closing alert, or the end, follows what is written now */
    bool flooded;     /* by a client that changes its keys again and again */
    uint32_t turn;    /* bytes that were read since somebody asked for some */
    uint32_t updates; /* of the client's keys, since: */
    uint64_t updates_us;
    bool drained; /* the socket had nothing more when it was read last */
    bool ended;   /* the client has sent all */
    int fd;
    uint32_t held_len;
    char *held; /* tickets on their way */
};

/* What the worker's table has; NULL: nothing. */
static inline const struct tls_snapshot *tls_snapshot_of(const struct worker *w)
{
    return (const struct tls_snapshot *)(const void *)w->table->https;
}

/* A context for new connections, yours. It is not to be changed once connections use it: other
 * terms need another one. NULL: err says why. */
SSL_CTX *tls_context_new(const struct tls_terms *terms, struct deis_err *err);

/* The certificate can be used: opens it if nobody did. What is wrong is reported once. */
bool tls_cert_ready(struct tls_server *s, struct tls_cert *c);
/* For this handshake. */
bool tls_cert_use(SSL *ssl, const struct tls_cert *c);
/* What the library says; returns the code. */
int tls_fail(struct deis_err *err, const char *what);

/* NULL: out of memory. */
BIO_METHOD *tls_bio_method(void);
/* The connection's way to its socket. False: out of memory. */
bool tls_bio_attach(struct tls_server *s, struct tls_conn *c);

/* For SSL_CTX_set_tlsext_ticket_key_evp_cb(). */
int tls_ticket_cb(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                  EVP_MAC_CTX *mac, int seal);

enum { TLS_TICKET_EPOCH_S = 6 * 3600 };

#endif
