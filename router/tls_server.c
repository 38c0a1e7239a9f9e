/* SPDX-License-Identifier: MIT */
/* The context of all connections, and certificates. */
#include "router/tls_server.h"

#include "router/worker.h"

#include "lib/base/clock.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

enum { CHAIN_MAX = 10 };

/* AES-128 with SHA-256 costs least, most of all in the key schedule. Before TLS 1.3 only what keeps
 * its secret when a key is lost, and what HTTP/2 may use (RFC 9113 section 9.2.2). */
#define SUITES_13 "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384"
#define SUITES_12 "ECDHE+AESGCM:ECDHE+CHACHA20"

static const struct tls_snapshot *snapshot_of(const struct worker *w)
{
    return (const struct tls_snapshot *)(const void *)w->table->https;
}

static struct tls_cert *pick(const struct tls_snapshot *s, struct deis_str host)
{
    int64_t i = tls_names_pick(s->names, host);
    int64_t base_count = s->base ? (int64_t)s->base->count : 0;

    if (i >= 0) {
        return i < base_count ? s->base->certs[i] : s->certs[i - base_count];
    }
    return i == TLS_NAMES_PLATFORM ? s->platform : NULL;
}

/* The first thing that is done with a ClientHello: before sessions are looked at. */
static int on_client_hello(SSL *ssl, int *alert, void *arg)
{
    struct tls_conn *c = SSL_get_app_data(ssl);
    const struct tls_snapshot *s = snapshot_of(c->worker);
    const unsigned char *data;
    struct deis_str host = DEIS_STR_NONE;
    size_t len;

    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &data, &len) == 1 &&
        !tls_names_parse_sni(data, len, &host)) {
        *alert = SSL_AD_DECODE_ERROR;
        return SSL_CLIENT_HELLO_ERROR;
    }
    struct tls_cert *cert = s ? pick(s, host) : NULL;
    if (!cert) {
        *alert = host.ptr ? SSL_AD_UNRECOGNIZED_NAME : SSL_AD_HANDSHAKE_FAILURE;
        return SSL_CLIENT_HELLO_ERROR;
    }
    tls_cert_unref(c->cert);
    c->cert = tls_cert_ref(cert);
    if (SSL_set_session_id_context(ssl, cert->context, sizeof(cert->context)) != 1) {
        *alert = SSL_AD_INTERNAL_ERROR;
        return SSL_CLIENT_HELLO_ERROR;
    }
    return SSL_CLIENT_HELLO_SUCCESS;
}

static int use_cert(SSL *ssl, const struct tls_cert *cert)
{
    return SSL_use_cert_and_key(ssl, cert->leaf, cert->key, cert->chain, 1);
}

/* A full handshake, which needs the certificate. */
static int on_cert_wanted(SSL *ssl, void *arg)
{
    const struct tls_conn *c = SSL_get_app_data(ssl);

    return c->cert && use_cert(ssl, c->cert) == 1;
}

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                   const unsigned char *in, unsigned int in_len, void *arg)
{
    static const unsigned char all[] = "\x02h2\x08http/1.1";
    static const unsigned char http1[] = "\x08http/1.1";
    const struct tls_conn *c = SSL_get_app_data(ssl);
    bool h2 = c->worker->policy->h2;
    unsigned char *found;

    if (SSL_select_next_proto(&found, out_len, h2 ? all : http1,
                              (h2 ? sizeof(all) : sizeof(http1)) - 1, in,
                              in_len) != OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *out = found;
    return SSL_TLSEXT_ERR_OK;
}

/* The client asks for the certificate's OCSP answer (RFC 6066 section 8). */
static int on_status_wanted(SSL *ssl, void *arg)
{
    const struct tls_conn *c = SSL_get_app_data(ssl);
    const struct tls_cert *cert = c->cert;

    if (!cert || cert->staple_len == 0 || deis_wall_ms() >= cert->staple_until_ms) {
        return SSL_TLSEXT_ERR_NOACK;
    }
    unsigned char *copy = OPENSSL_memdup(cert->staple, cert->staple_len);
    if (!copy || SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)cert->staple_len) != 1) {
        OPENSSL_free(copy);
        return SSL_TLSEXT_ERR_NOACK;
    }
    return SSL_TLSEXT_ERR_OK;
}

static int fail(struct deis_err *err, const char *what)
{
    const char *reason = ERR_reason_error_string(ERR_peek_error());

    deis_err_set(err, DEIS_INVALID, "%s: %s", what, reason ? reason : "not PEM, or broken");
    ERR_clear_error();
    return DEIS_INVALID;
}

struct tls_server *tls_server_new(struct deis_keys *keys, struct deis_err *err)
{
    struct tls_server *s = deis_alloc(sizeof(*s));

    s->keys = keys;
    s->ctx = SSL_CTX_new(TLS_server_method());
    if (!s->ctx || SSL_CTX_set_min_proto_version(s->ctx, TLS1_2_VERSION) != 1) {
        fail(err, "TLS");
        tls_server_free(s);
        return NULL;
    }
    SSL_CTX_set_options(s->ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                    SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_PRIORITIZE_CHACHA |
                                    SSL_OP_CIPHER_SERVER_PREFERENCE);
    s->bio = tls_bio_method();
    s->ticket_cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    if (!s->bio || !s->ticket_cipher || SSL_CTX_set_ciphersuites(s->ctx, SUITES_13) != 1 ||
        SSL_CTX_set_cipher_list(s->ctx, SUITES_12) != 1) {
        fail(err, "TLS");
        tls_server_free(s);
        return NULL;
    }
    SSL_CTX_set_num_tickets(s->ctx, 1);
    SSL_CTX_set_mode(s->ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(s->ctx, 1);
    SSL_CTX_set_session_cache_mode(s->ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_timeout(s->ctx, TLS_TICKET_EPOCH_S);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(s->ctx, tls_ticket_cb);
    SSL_CTX_set_client_hello_cb(s->ctx, on_client_hello, NULL);
    SSL_CTX_set_cert_cb(s->ctx, on_cert_wanted, NULL);
    SSL_CTX_set_alpn_select_cb(s->ctx, on_alpn, NULL);
    SSL_CTX_set_tlsext_status_cb(s->ctx, on_status_wanted);
    return s;
}

void tls_server_free(struct tls_server *s)
{
    if (s) {
        SSL_CTX_free(s->ctx);
        BIO_meth_free(s->bio);
        EVP_CIPHER_free(s->ticket_cipher);
        free(s);
    }
}

/* An encrypted key must not ask for its password on a terminal. */
static int no_password(char *buf, int size, int writing, void *arg)
{
    return 0;
}

static BIO *bio_of(struct deis_str text)
{
    return BIO_new_mem_buf(text.ptr, (int)text.len);
}

static int read_chain(struct tls_cert *c, struct deis_str text, struct deis_err *err)
{
    BIO *bio = bio_of(text);
    X509 *next;
    int code = 0;

    c->leaf = PEM_read_bio_X509(bio, NULL, no_password, NULL);
    c->chain = sk_X509_new_null();
    if (!c->leaf) {
        BIO_free(bio);
        return fail(err, "certificate");
    }
    while (code == 0 && (next = PEM_read_bio_X509(bio, NULL, no_password, NULL))) {
        if (sk_X509_num(c->chain) >= CHAIN_MAX) {
            X509_free(next);
            code = deis_err_set(err, DEIS_LIMIT, "the chain is longer than %d certificates",
                                CHAIN_MAX);
        } else {
            sk_X509_push(c->chain, next);
        }
    }
    /* It ends with the news that there is nothing more. */
    if (code == 0 && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
        code = fail(err, "chain");
    }
    ERR_clear_error();
    BIO_free(bio);
    return code;
}

static int read_key(struct tls_cert *c, struct deis_str text, struct deis_err *err)
{
    BIO *bio = bio_of(text);

    c->key = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
    BIO_free(bio);
    return c->key ? 0 : fail(err, "key");
}

/* Whatever would fail in a handshake fails here. */
static int try_out(struct tls_server *s, const struct tls_cert *c, struct deis_err *err)
{
    SSL *probe = SSL_new(s->ctx);
    bool fits = probe && use_cert(probe, c) == 1;

    SSL_free(probe);
    return fits ? 0 : fail(err, "certificate and key");
}

struct tls_cert *tls_cert_new(struct tls_server *s, const char *name, struct deis_str certificate,
                              struct deis_str key, struct deis_err *err)
{
    struct tls_cert *c = deis_alloc(sizeof(*c));

    atomic_init(&c->refs, 1);
    deis_sha256(deis_str(name), c->context);
    ERR_clear_error();
    if (certificate.len > TLS_PEM_MAX || key.len > TLS_PEM_MAX) {
        deis_err_set(err, DEIS_LIMIT, "certificate or key is longer than %d bytes", TLS_PEM_MAX);
    } else if (read_chain(c, certificate, err) == 0 && read_key(c, key, err) == 0 &&
               try_out(s, c, err) == 0) {
        return c;
    }
    tls_cert_unref(c);
    return NULL;
}

struct tls_cert *tls_cert_ref(struct tls_cert *c)
{
    atomic_fetch_add(&c->refs, 1);
    return c;
}

void tls_cert_unref(struct tls_cert *c)
{
    if (c && atomic_fetch_sub(&c->refs, 1) == 1) {
        X509_free(c->leaf);
        sk_X509_pop_free(c->chain, X509_free);
        EVP_PKEY_free(c->key);
        free(c->staple);
        free(c);
    }
}

struct tls_cert *tls_cert_stapled(const struct tls_cert *c, struct deis_str answer,
                                  uint64_t until_ms)
{
    struct tls_cert *s = deis_alloc(sizeof(*s));

    atomic_init(&s->refs, 1);
    X509_up_ref(c->leaf);
    EVP_PKEY_up_ref(c->key);
    s->leaf = c->leaf;
    s->key = c->key;
    s->chain = X509_chain_up_ref(c->chain);
    memcpy(s->context, c->context, sizeof(s->context));
    s->staple = (unsigned char *)deis_str_dup(answer);
    s->staple_len = answer.len;
    s->staple_until_ms = until_ms;
    return s;
}

bool tls_cert_expired(const struct tls_cert *c)
{
    return X509_cmp_current_time(X509_get0_notAfter(c->leaf)) < 0;
}

void tls_cert_names(const struct tls_cert *c, void (*each)(struct deis_str name, void *arg),
                    void *arg)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(c->leaf, NID_subject_alt_name, NULL, NULL);
    char common[ROUTE_HOST_MAX + 1];

    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *n = sk_GENERAL_NAME_value(names, i);
        if (n->type == GEN_DNS) {
            each(deis_str_n((const char *)ASN1_STRING_get0_data(n->d.dNSName),
                            (size_t)ASN1_STRING_length(n->d.dNSName)),
                 arg);
        }
    }
    if (!names) {
        int len = X509_NAME_get_text_by_NID(X509_get_subject_name(c->leaf), NID_commonName, common,
                                            sizeof(common));
        if (len > 0) {
            each(deis_str_n(common, (size_t)len), arg);
        }
    }
    GENERAL_NAMES_free(names);
    ERR_clear_error();
}
