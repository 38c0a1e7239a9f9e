/* SPDX-License-Identifier: MIT */
#include "router/tls_terms.h"

#include "router/tls_server.h"

#include <openssl/err.h>

/* AES-128 with SHA-256 costs least, most of all in the key schedule. Before TLS 1.3 only what keeps
 * its secret when a key is lost, and what HTTP/2 may use (RFC 9113 section 9.2.2). */
#define SUITES_13 "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384"
#define SUITES_12 "ECDHE+AESGCM:ECDHE+CHACHA20"
/* Those of the default list but the finite fields: a client chooses, and with ffdhe8192 it would
 * cost a worker 0.15 s of CPU, for a handshake that costs itself nothing. */
#define GROUPS "X25519:P-256:X448:P-521:P-384"

void tls_terms_read(const struct settings *s, struct tls_terms *ret)
{
    *ret = (struct tls_terms){
        .ciphers = deis_strdup(s->ssl_ciphers ? s->ssl_ciphers : SUITES_12),
        .tickets = s->ssl_tickets,
        .session_s = s->ssl_session_ms / 1000,
        .record_max = s->ssl_record_max,
    };
    (void)!deis_tls_versions_parse(deis_str(s->ssl_protocols), &ret->versions, NULL);
}

bool tls_terms_equal(const struct tls_terms *a, const struct tls_terms *b)
{
    return a->versions.v12 == b->versions.v12 && a->versions.v13 == b->versions.v13 &&
           strcmp(a->ciphers, b->ciphers) == 0 && a->tickets == b->tickets &&
           a->session_s == b->session_s && a->record_max == b->record_max;
}

void tls_terms_clear(struct tls_terms *t)
{
    free(DEIS_TAKE(t->ciphers));
}

bool tls_terms_apply(const struct tls_terms *t, SSL_CTX *ctx)
{
    /* No key of tickets lives longer for sure. */
    uint64_t session_s = t->session_s < TLS_TICKET_EPOCH_S ? t->session_s : TLS_TICKET_EPOCH_S;

    if (!t->tickets) {
        SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    }
    SSL_CTX_set_num_tickets(ctx, t->tickets ? 1 : 0);
    SSL_CTX_set_timeout(ctx, (long)session_s);
    return SSL_CTX_set_min_proto_version(ctx, t->versions.v12 ? TLS1_2_VERSION : TLS1_3_VERSION) &&
           SSL_CTX_set_max_proto_version(ctx, t->versions.v13 ? TLS1_3_VERSION : TLS1_2_VERSION) &&
           SSL_CTX_set_max_send_fragment(ctx, (long)t->record_max) &&
           SSL_CTX_set_ciphersuites(ctx, SUITES_13) && SSL_CTX_set_cipher_list(ctx, t->ciphers) &&
           SSL_CTX_set1_groups_list(ctx, GROUPS);
}

int tls_check_ciphers(const char *ciphers, struct deis_err *err)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    bool good = ctx && SSL_CTX_set_cipher_list(ctx, ciphers) == 1;

    SSL_CTX_free(ctx);
    ERR_clear_error();
    return good ? DEIS_OK
                : deis_err_set(err, DEIS_INVALID, "names no cipher suite that there is: '%.64s'",
                               ciphers);
}
