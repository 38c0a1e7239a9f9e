/* SPDX-License-Identifier: MIT */
/* The context of all connections, and which certificate each gets. */
#include "router/tls_server.h"

#include "router/worker.h"

#include "lib/base/clock.h"

#include <openssl/err.h>

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
    const struct tls_snapshot *s = tls_snapshot_of(c->worker);
    const unsigned char *data;
    struct deis_str host = DEIS_STR_NONE;
    size_t len;

    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &data, &len) == 1 &&
        !tls_names_parse_sni(data, len, &host)) {
        *alert = SSL_AD_DECODE_ERROR;
        return SSL_CLIENT_HELLO_ERROR;
    }
    struct tls_cert *cert = s ? pick(s, host) : NULL;
    if (!cert || !tls_cert_ready(c->worker->opts.tls, cert)) {
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

/* A full handshake, which needs the certificate. */
static int on_cert_wanted(SSL *ssl, void *arg)
{
    const struct tls_conn *c = SSL_get_app_data(ssl);

    return c->cert && tls_cert_use(ssl, c->cert);
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

/* What all connections have in common, whatever the terms. */
/* A client may change its keys (RFC 8446 section 4.6.3), which costs it nothing: not as often as it
 * likes. */
static void on_message(int sent, int version, int type, const void *data, size_t len, SSL *ssl,
                       void *arg)
{
    enum { UPDATES_MAX = 32, SPAN_US = 60 * 1000 * 1000 };

    const uint8_t *kind = data;
    struct tls_conn *c = SSL_get_app_data(ssl);
    if (sent || !c || type != SSL3_RT_HANDSHAKE || len == 0 || *kind != SSL3_MT_KEY_UPDATE) {
        return;
    }
    if (c->worker->now_us - c->updates_us > SPAN_US) {
        c->updates_us = c->worker->now_us;
        c->updates = 0;
    }
    c->updates++;
    c->flooded = c->flooded || c->updates > UPDATES_MAX;
}

static void prepare(SSL_CTX *ctx)
{
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_PRIORITIZE_CHACHA |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(ctx, 1);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, tls_ticket_cb);
    SSL_CTX_set_client_hello_cb(ctx, on_client_hello, NULL);
    SSL_CTX_set_cert_cb(ctx, on_cert_wanted, NULL);
    SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
    SSL_CTX_set_tlsext_status_cb(ctx, on_status_wanted);
    SSL_CTX_set_msg_callback(ctx, on_message);
}

SSL_CTX *tls_context_new(const struct tls_terms *terms, struct deis_err *err)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    ERR_clear_error();
    if (!ctx || !tls_terms_apply(terms, ctx)) {
        (void)tls_fail(err, "TLS");
        SSL_CTX_free(ctx);
        return NULL;
    }
    prepare(ctx);
    return ctx;
}

struct tls_server *tls_server_new(const struct tls_terms *terms, struct deis_keys *keys,
                                  struct deis_err *err)
{
    struct tls_server *s = deis_alloc(sizeof(*s));

    s->keys = keys;
    s->bio = tls_bio_method();
    s->ticket_cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    s->ctx = s->bio && s->ticket_cipher ? tls_context_new(terms, err) : NULL;
    if (!s->bio || !s->ticket_cipher) {
        (void)tls_fail(err, "TLS");
    }
    if (!s->ctx) {
        tls_server_free(s);
        return NULL;
    }
    return s;
}

void tls_server_on_opened(struct tls_server *s, void (*on_opened)(struct tls_cert *cert, void *arg),
                          void *arg)
{
    s->on_opened = on_opened;
    s->arg = arg;
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
