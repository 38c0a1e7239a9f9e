/* SPDX-License-Identifier: MIT */
/* Session tickets: keys of this epoch and the one before it. */
#include "router/tls_server.h"
#include "router/worker.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <time.h>

static void derive(const struct deis_key *secret, const char *part, uint64_t epoch, void *out,
                   size_t len)
{
    char context[40];
    uint8_t bytes[32];

    (void)snprintf(context, sizeof(context), "%s/%llu", part, (unsigned long long)epoch);
    deis_key_derive_for(secret, "tls-ticket", deis_str(context), bytes);
    memcpy(out, bytes, len);
    explicit_bzero(bytes, sizeof(bytes));
}

static struct tls_ticket_key *keys_now(struct worker *w)
{
    struct tls_tickets *t = &w->tickets;
    uint64_t epoch = (uint64_t)time(NULL) / TLS_TICKET_EPOCH_S;

    struct deis_keys *secrets = w->opts.tls->keys;
    struct deis_keyring ring;

    if (t->epoch != epoch || t->version != deis_keys_version(secrets)) {
        t->version = deis_keys_get(secrets, &ring);
        t->count = 2 * ring.count;
        for (size_t i = 0; i < t->count; i++) {
            const struct deis_key *secret = &ring.keys[i / 2];
            struct tls_ticket_key *k = &t->keys[i];
            derive(secret, "name", epoch - i % 2, k->name, sizeof(k->name));
            derive(secret, "cipher", epoch - i % 2, k->cipher, sizeof(k->cipher));
            derive(secret, "mac", epoch - i % 2, k->mac, sizeof(k->mac));
        }
        deis_keyring_clear(&ring);
        t->epoch = epoch;
    }
    return t->keys;
}

static bool set_mac(EVP_MAC_CTX *mac, const struct tls_ticket_key *k)
{
    static char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)k->mac,
                                          sizeof(k->mac)),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };

    return EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* One that was looked up once and for all. */
static const EVP_CIPHER *cipher_of(const struct tls_conn *c)
{
    return c->worker->opts.tls->ticket_cipher;
}

int tls_ticket_cb(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                  EVP_MAC_CTX *mac, int seal)
{
    const struct tls_conn *c = SSL_get_app_data(ssl);
    struct tls_ticket_key *keys = keys_now(c->worker);

    if (seal) {
        memcpy(name, keys[0].name, sizeof(keys[0].name));
        return RAND_bytes(iv, EVP_MAX_IV_LENGTH) == 1 &&
                       EVP_EncryptInit_ex(cipher, cipher_of(c), NULL, keys[0].cipher, iv) == 1 &&
                       set_mac(mac, &keys[0])
                   ? 1
                   : -1;
    }
    for (size_t i = 0; i < c->worker->tickets.count; i++) {
        if (memcmp(name, keys[i].name, sizeof(keys[i].name)) == 0) {
            if (EVP_DecryptInit_ex(cipher, cipher_of(c), NULL, keys[i].cipher, iv) != 1 ||
                !set_mac(mac, &keys[i])) {
                return -1;
            }
            /* 2: give the client a new one. In TLS 1.3 each is for one use. */
            return i == 0 && SSL_version(ssl) != TLS1_3_VERSION ? 1 : 2;
        }
    }
    return 0;
}
