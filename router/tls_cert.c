/* SPDX-License-Identifier: MIT */
/* Certificates and their keys: read, checked, opened when they are needed first. */
#include "router/tls_server.h"

#include "lib/crypto/pem.h"
#include "lib/net/log.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

enum { CHAIN_MAX = 10 };

int tls_fail(struct deis_err *err, const char *what)
{
    const char *reason = ERR_reason_error_string(ERR_peek_error());

    deis_err_set(err, DEIS_INVALID, "%s: %s", what, reason ? reason : "not PEM, or broken");
    ERR_clear_error();
    return DEIS_INVALID;
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

    c->leaf = PEM_read_bio_X509(bio, NULL, deis_pem_no_password, NULL);
    c->chain = sk_X509_new_null();
    if (!c->leaf) {
        BIO_free(bio);
        return tls_fail(err, "certificate");
    }
    while (code == 0 && (next = PEM_read_bio_X509(bio, NULL, deis_pem_no_password, NULL))) {
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
        code = tls_fail(err, "chain");
    }
    ERR_clear_error();
    BIO_free(bio);
    return code;
}

/* is_tenants: he may have made it so that it takes for ever. */
static int read_key(struct tls_cert *c, struct deis_str text, bool is_tenants, struct deis_err *err)
{
    c->key = deis_pem_key(text);
    if (!c->key) {
        return tls_fail(err, "key");
    }
    return !is_tenants || deis_pem_key_is_quick(c->key)
               ? 0
               : deis_err_set(err, DEIS_LIMIT, "key: more than %d bits of RSA", DEIS_RSA_BITS_MAX);
}

/* Whatever would fail in a handshake fails here. */
static int try_out(struct tls_server *s, const struct tls_cert *c, struct deis_err *err)
{
    SSL *probe = SSL_new(s->ctx);
    bool fits = probe && tls_cert_use(probe, c);

    SSL_free(probe);
    return fits ? 0 : tls_fail(err, "certificate and key");
}

static int check_lengths(struct deis_str certificate, struct deis_str key, struct deis_err *err)
{
    return certificate.len > TLS_PEM_MAX || key.len > TLS_PEM_MAX
               ? deis_err_set(err, DEIS_LIMIT, "certificate or key is longer than %d bytes",
                              TLS_PEM_MAX)
               : 0;
}

static struct tls_cert *cert_new(const char *name)
{
    struct tls_cert *c = deis_alloc(sizeof(*c));

    atomic_init(&c->refs, 1);
    atomic_init(&c->state, TLS_CERT_CLOSED);
    pthread_mutex_init(&c->opening, NULL);
    c->name = deis_strdup(name);
    deis_sha256(deis_str(name), c->context);
    return c;
}

static int cert_open(struct tls_server *s, struct tls_cert *c, struct deis_str certificate,
                     struct deis_str key, bool is_tenants, struct deis_err *err)
{
    int code = 0;

    ERR_clear_error();
    if ((code = read_chain(c, certificate, err)) < 0 ||
        (code = read_key(c, key, is_tenants, err)) < 0 || (code = try_out(s, c, err)) < 0) {
        return code;
    }
    atomic_store(&c->state, TLS_CERT_OPEN);
    return 0;
}

struct tls_cert *tls_cert_new(struct tls_server *s, const char *name, struct deis_str certificate,
                              struct deis_str key, struct deis_err *err)
{
    struct tls_cert *c = cert_new(name);

    if (check_lengths(certificate, key, err) < 0 ||
        cert_open(s, c, certificate, key, false, err) < 0) {
        tls_cert_unref(c);
        return NULL;
    }
    return c;
}

static int unseal(struct tls_server *s, const char *name, struct deis_str sealed,
                  struct deis_buf *out, struct deis_err *err)
{
    deis_autofree char *place = deis_asprintf("cert/%s", name);

    return deis_keys_unseal(s->keys, deis_str(place), sealed, out, err);
}

static void wipe(struct deis_buf *key)
{
    if (key->data) {
        explicit_bzero(key->data, key->len);
    }
    deis_buf_clear(key);
}

struct tls_cert *tls_cert_sealed(struct tls_server *s, const char *name,
                                 struct deis_str certificate, struct deis_str key,
                                 struct deis_err *err)
{
    struct deis_buf plain = DEIS_BUF_INIT(TLS_PEM_MAX);
    int code = unseal(s, name, key, &plain, err);

    if (code == 0) {
        code = check_lengths(certificate, deis_buf_str(&plain), err);
    }
    wipe(&plain);
    if (code < 0) {
        return NULL;
    }
    struct tls_cert *c = cert_new(name);
    c->certificate = deis_str_dup(certificate);
    c->sealed = deis_str_dup(key);
    return c;
}

static int open_sealed(struct tls_server *s, struct tls_cert *c, struct deis_err *err)
{
    struct deis_buf key = DEIS_BUF_INIT(TLS_PEM_MAX);
    int code = unseal(s, c->name, deis_str(c->sealed), &key, err);

    if (code == 0) {
        code = cert_open(s, c, deis_str(c->certificate), deis_buf_str(&key), true, err);
    }
    wipe(&key);
    free(DEIS_TAKE(c->certificate));
    free(DEIS_TAKE(c->sealed));
    return code;
}

int tls_cert_open(struct tls_server *s, struct tls_cert *c, struct deis_err *err)
{
    int code = 0;

    pthread_mutex_lock(&c->opening);
    switch (atomic_load(&c->state)) {
    case TLS_CERT_CLOSED:
        code = open_sealed(s, c, err);
        if (code < 0) {
            atomic_store(&c->state, TLS_CERT_BAD);
        } else if (s->on_opened) {
            s->on_opened(c, s->arg);
        }
        break;
    case TLS_CERT_OPEN: break;
    default: code = deis_err_set(err, DEIS_CONFLICT, "it could not be used before"); break;
    }
    pthread_mutex_unlock(&c->opening);
    return code;
}

bool tls_cert_ready(struct tls_server *s, struct tls_cert *c)
{
    struct deis_err err;

    if (atomic_load(&c->state) == TLS_CERT_CLOSED && tls_cert_open(s, c, &err) < 0 &&
        err.code != DEIS_CONFLICT) {
        deis_warn(TLS_CERT_USELESS, KV_S("name", c->name), KV_ERR(&err));
    }
    return tls_cert_is_open(c);
}

bool tls_cert_is_open(const struct tls_cert *c)
{
    return atomic_load(&c->state) == TLS_CERT_OPEN;
}

bool tls_cert_use(SSL *ssl, const struct tls_cert *c)
{
    return SSL_use_cert_and_key(ssl, c->leaf, c->key, c->chain, 1) == 1;
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
        pthread_mutex_destroy(&c->opening);
        free(c->name);
        free(c->certificate);
        free(c->sealed);
        free(c->staple);
        free(c);
    }
}

const char *tls_cert_name(const struct tls_cert *c)
{
    return c->name;
}

struct tls_cert *tls_cert_stapled(const struct tls_cert *c, struct deis_str answer,
                                  uint64_t until_ms)
{
    struct tls_cert *s = cert_new(c->name);

    X509_up_ref(c->leaf);
    EVP_PKEY_up_ref(c->key);
    s->leaf = c->leaf;
    s->key = c->key;
    s->chain = X509_chain_up_ref(c->chain);
    s->staple = (unsigned char *)deis_str_dup(answer);
    s->staple_len = answer.len;
    s->staple_until_ms = until_ms;
    atomic_store(&s->state, TLS_CERT_OPEN);
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
