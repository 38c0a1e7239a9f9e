/* SPDX-License-Identifier: MIT */
#include "lib/crypto/pem.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <stdio.h>

enum { TYPE_MAX = 64 };

int deis_pem_no_password(char *buf, int size, int writing, void *arg)
{
    return -1;
}

static BIO *bio_of(struct deis_str text)
{
    return BIO_new_mem_buf(text.ptr, text.len < INT_MAX ? (int)text.len : INT_MAX);
}

X509 *deis_pem_certificate(struct deis_str text)
{
    BIO *bio = bio_of(text);
    X509 *cert = PEM_read_bio_X509(bio, NULL, deis_pem_no_password, NULL);

    BIO_free(bio);
    return cert;
}

static EVP_PKEY *decode(const char *type, const char *form, const unsigned char *der, size_t len)
{
    EVP_PKEY *key = NULL;
    OSSL_DECODER_CTX *ctx =
        OSSL_DECODER_CTX_new_for_pkey(&key, "DER", form, type, EVP_PKEY_KEYPAIR, NULL, NULL);

    if (ctx) {
        (void)OSSL_DECODER_from_data(ctx, &der, &len);
    }
    OSSL_DECODER_CTX_free(ctx);
    return key;
}

/* PKCS #8 names the algorithm inside, by its number. */
static EVP_PKEY *decode_named_inside(const unsigned char *der, size_t len)
{
    const unsigned char *p = der;
    PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, (long)len);
    const ASN1_OBJECT *algorithm;
    char type[TYPE_MAX];
    bool known = info && PKCS8_pkey_get0(&algorithm, NULL, NULL, NULL, info) == 1 &&
                 OBJ_obj2txt(type, sizeof(type), algorithm, 1) > 0;

    PKCS8_PRIV_KEY_INFO_free(info);
    return known ? decode(type, "PrivateKeyInfo", der, len) : NULL;
}

/* As "EC PRIVATE KEY" or "RSA PRIVATE KEY". */
static EVP_PKEY *decode_named_outside(const char *label, const unsigned char *der, size_t len)
{
    char type[TYPE_MAX];

    return sscanf(label, "%15s PRIVATE KEY", type) == 1 ? decode(type, "type-specific", der, len)
                                                        : NULL;
}

/* NULL: it is none that says what it is, or broken. */
static EVP_PKEY *read_named(struct deis_str text)
{
    BIO *bio = bio_of(text);
    unsigned char *der = NULL;
    long len = 0;
    char *label = NULL;
    EVP_PKEY *key = NULL;

    ERR_set_mark();
    if (PEM_bytes_read_bio(&der, &len, &label, PEM_STRING_EVP_PKEY, bio, deis_pem_no_password,
                           NULL) == 1) {
        key = strcmp(label, PEM_STRING_PKCS8INF) == 0
                  ? decode_named_inside(der, (size_t)len)
                  : decode_named_outside(label, der, (size_t)len);
        OPENSSL_clear_free(der, (size_t)len);
        OPENSSL_free(label);
    }
    ERR_pop_to_mark();
    BIO_free(bio);
    return key;
}

EVP_PKEY *deis_pem_key(struct deis_str text)
{
    /* PEM_read_bio_PrivateKey() tries all kinds of keys in all forms, which takes three times as
     * long, whatever the text says that it is. */
    EVP_PKEY *key = read_named(text);

    if (!key) {
        BIO *bio = bio_of(text);
        key = PEM_read_bio_PrivateKey(bio, NULL, deis_pem_no_password, NULL);
        BIO_free(bio);
    }
    return key;
}

bool deis_pem_key_is_quick(const EVP_PKEY *key)
{
    enum { EXPONENT_BYTES_MAX = 8, FACTORS_MAX = 10 };

    OSSL_PARAM *parts = NULL;
    size_t factors = 0;
    bool quick = true;

    if (!EVP_PKEY_is_a(key, "RSA") && !EVP_PKEY_is_a(key, "RSA-PSS")) {
        return true;
    }
    if (EVP_PKEY_get_bits(key) > DEIS_RSA_BITS_MAX ||
        EVP_PKEY_todata(key, EVP_PKEY_KEYPAIR, &parts) != 1) {
        return false;
    }
    for (const OSSL_PARAM *p = parts; p->key && quick; p++) {
        size_t max =
            strcmp(p->key, OSSL_PKEY_PARAM_RSA_E) == 0 ? EXPONENT_BYTES_MAX : DEIS_RSA_BITS_MAX / 8;
        quick = p->data_type != OSSL_PARAM_UNSIGNED_INTEGER || p->data_size <= max;
        if (strncmp(p->key, OSSL_PKEY_PARAM_RSA_FACTOR, strlen(OSSL_PKEY_PARAM_RSA_FACTOR)) == 0) {
            factors += p->data_size;
        }
    }
    /* Their product is the modulus. */
    quick = quick && factors <= (size_t)EVP_PKEY_get_bits(key) / 8 + FACTORS_MAX;
    for (OSSL_PARAM *p = parts; p->key; p++) {
        OPENSSL_cleanse(p->data, p->data_size);
    }
    OSSL_PARAM_free(parts);
    return quick;
}
