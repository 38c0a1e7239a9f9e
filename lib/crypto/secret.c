/* SPDX-License-Identifier: MIT */
#include "lib/crypto/secret.h"

#include "lib/crypto/keys.h"
#include "lib/crypto/seal.h"
#include "lib/wire/b64.h"

#include <errno.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <sys/random.h>

#define NONCE_BYTES   DEIS_SEAL_NONCE
#define TAG_BYTES     DEIS_SEAL_TAG
#define SEALED_MAX    DEIS_SEALED_PLAIN
#define PASSWORD_MAX  1024
#define SALT_BYTES    16
#define HASH_BYTES    32
#define SCRYPT_LOG_N  15
#define SCRYPT_R      8
#define SCRYPT_P      1
#define SCRYPT_MAXMEM (256ULL * 1024 * 1024)
#define INFO_MAX      256

/* For calls that fail only when memory is exhausted or OpenSSL is broken. */
static void must(bool ok)
{
    if (!ok) {
        abort();
    }
}

void deis_random(void *out, size_t len)
{
    uint8_t *p = out;

    while (len > 0) {
        ssize_t n = getrandom(p, len, 0);
        if (n < 0) {
            must(errno == EINTR);
            continue;
        }
        p += n;
        len -= (size_t)n;
    }
}

static void hex_digits(const uint8_t *data, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[data[i] >> 4];
        out[2 * i + 1] = digits[data[i] & 15];
    }
    out[2 * len] = '\0';
}

void deis_random_hex(char *out, size_t bytes)
{
    /* The random bytes sit in the upper half of the place of their digits until they are replaced.
     */
    uint8_t *raw = (uint8_t *)out + bytes;

    deis_random(raw, bytes);
    for (size_t i = 0; i < bytes; i++) {
        uint8_t b = raw[i];
        char pair[3];
        hex_digits(&b, 1, pair);
        memcpy(out + 2 * i, pair, 2);
    }
    out[2 * bytes] = '\0';
}

void deis_uuid(char out[37])
{
    uint8_t raw[16];
    char hex[33];

    deis_random(raw, sizeof(raw));
    raw[6] = (uint8_t)((raw[6] & 0x0f) | 0x40);
    raw[8] = (uint8_t)((raw[8] & 0x3f) | 0x80);
    hex_digits(raw, sizeof(raw), hex);
    const char *from = hex;
    char *to = out;
    static const int groups[] = { 8, 4, 4, 4, 12 };
    for (size_t i = 0; i < DEIS_COUNT(groups); i++) {
        memcpy(to, from, (size_t)groups[i]);
        to += groups[i];
        from += groups[i];
        *to++ = '-';
    }
    to[-1] = '\0';
}

void deis_sha256(struct deis_str data, uint8_t out[32])
{
    must(EVP_Digest(data.ptr ? data.ptr : "", data.len, out, NULL, EVP_sha256(), NULL) == 1);
}

void deis_sha256_hex(struct deis_str data, char out[65])
{
    uint8_t raw[32];

    deis_sha256(data, raw);
    hex_digits(raw, sizeof(raw), out);
}

bool deis_secret_eq(struct deis_str a, struct deis_str b)
{
    return a.len == b.len && (a.len == 0 || CRYPTO_memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* --- the cluster key --- */

int deis_key_load(const char *path, struct deis_key *ret, struct deis_err *err)
{
    struct deis_keyring ring;
    int r = deis_keyring_load(path, &ring, err);

    if (r == 0) {
        *ret = ring.keys[0];
        deis_keyring_clear(&ring);
    }
    return r;
}

void deis_key_derive_for(const struct deis_key *key, const char *purpose, struct deis_str context,
                         uint8_t out[32])
{
    static const uint8_t salt[32];
    uint8_t prk[32];
    uint8_t info[INFO_MAX];
    size_t len = strlen(purpose);

    must(len + 2 + context.len <= sizeof(info));
    memcpy(info, purpose, len);
    if (context.len > 0) {
        info[len++] = 0;
        memcpy(info + len, context.ptr, context.len);
        len += context.len;
    }
    info[len++] = 1; /* number of the output block: one is enough for 32 bytes */
    must(HMAC(EVP_sha256(), salt, sizeof(salt), key->bytes, sizeof(key->bytes), prk, NULL) != NULL);
    must(HMAC(EVP_sha256(), prk, sizeof(prk), info, len, out, NULL) != NULL);
    OPENSSL_cleanse(prk, sizeof(prk));
}

void deis_key_derive(const struct deis_key *key, const char *purpose, uint8_t out[32])
{
    deis_key_derive_for(key, purpose, DEIS_STR_NONE, out);
}

void deis_key_derive_hex(const struct deis_key *key, const char *purpose, char out[65])
{
    uint8_t raw[32];

    deis_key_derive(key, purpose, raw);
    hex_digits(raw, sizeof(raw), out);
    OPENSSL_cleanse(raw, sizeof(raw));
}

/* --- at rest --- */

static const uint8_t *bytes_of(struct deis_str s)
{
    return (const uint8_t *)(s.ptr ? s.ptr : "");
}

void deis_seal_with(const struct deis_key *key, const uint8_t nonce[NONCE_BYTES],
                    struct deis_str aad, struct deis_str plain, struct deis_buf *out)
{
    uint8_t derived[32];
    int n = 0;

    must(plain.len <= SEALED_MAX && aad.len <= INT_MAX);
    size_t size = NONCE_BYTES + plain.len + TAG_BYTES;
    deis_autofree uint8_t *box = deis_alloc(size);
    uint8_t *body = box + NONCE_BYTES;
    memcpy(box, nonce, NONCE_BYTES);
    deis_key_derive(key, "at-rest", derived);

    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    must(ctx && EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, derived, box) == 1);
    OPENSSL_cleanse(derived, sizeof(derived));
    must(EVP_EncryptUpdate(ctx, NULL, &n, bytes_of(aad), (int)aad.len) == 1);
    must(EVP_EncryptUpdate(ctx, body, &n, bytes_of(plain), (int)plain.len) == 1);
    must(EVP_EncryptFinal_ex(ctx, body + plain.len, &n) == 1);
    must(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, body + plain.len) == 1);
    EVP_CIPHER_CTX_free(ctx);

    char id[9];
    hex_digits(key->id, sizeof(key->id), id);
    deis_buf_addf(out, "v1:%s:", id);
    deis_b64_encode(deis_str_n((const char *)box, size), out);
}

void deis_seal(const struct deis_key *key, struct deis_str aad, struct deis_str plain,
               struct deis_buf *out)
{
    uint8_t nonce[NONCE_BYTES];

    deis_random(nonce, sizeof(nonce));
    deis_seal_with(key, nonce, aad, plain, out);
}

/* Decrypts in place; the text is then at box + NONCE_BYTES. */
static bool open_box(const struct deis_key *key, struct deis_str aad, uint8_t *box, size_t size)
{
    uint8_t derived[32];
    int n = 0;
    uint8_t *body = box + NONCE_BYTES;
    int len = (int)(size - NONCE_BYTES - TAG_BYTES);

    deis_key_derive(key, "at-rest", derived);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    must(ctx && EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, derived, box) == 1);
    OPENSSL_cleanse(derived, sizeof(derived));
    must(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, body + len) == 1);
    bool ok = EVP_DecryptUpdate(ctx, NULL, &n, bytes_of(aad), (int)aad.len) == 1 &&
              EVP_DecryptUpdate(ctx, body, &n, body, len) == 1 &&
              EVP_DecryptFinal_ex(ctx, body + len, &n) == 1;
    EVP_CIPHER_CTX_free(ctx);
    ERR_clear_error();
    return ok;
}

int deis_unseal(const struct deis_key *key, struct deis_str aad, struct deis_str sealed,
                struct deis_buf *out, struct deis_err *err)
{
    char prefix[16];
    char id[9];

    hex_digits(key->id, sizeof(key->id), id);
    if (!deis_str_starts(sealed, "v1:")) {
        return deis_err_set(err, DEIS_INVALID, "sealed value has no known version");
    }
    snprintf(prefix, sizeof(prefix), "v1:%s:", id);
    if (!deis_str_starts(sealed, prefix)) {
        return deis_err_set(err, DEIS_INVALID,
                            "sealed value belongs to a cluster key that is not held here");
    }
    deis_autobuf struct deis_buf box = DEIS_BUF_INIT(NONCE_BYTES + SEALED_MAX + TAG_BYTES);
    int r = deis_b64_decode(deis_str_skip(sealed, strlen(prefix)), &box, NULL);
    if (r < 0 || deis_buf_failed(&box) || box.len < NONCE_BYTES + TAG_BYTES || aad.len > INT_MAX) {
        return deis_err_set(err, DEIS_INVALID, "sealed value is damaged");
    }
    if (!open_box(key, aad, (uint8_t *)box.data, box.len)) {
        return deis_err_set(err, DEIS_INVALID,
                            "sealed value can't be opened: it is damaged or from another place");
    }
    size_t len = box.len - NONCE_BYTES - TAG_BYTES;
    deis_buf_add(out, box.data + NONCE_BYTES, len);
    OPENSSL_cleanse(box.data, box.len);
    if (deis_buf_failed(out)) {
        return deis_err_set(err, DEIS_LIMIT, "unsealed value has more than %zu bytes",
                            out->max_bytes);
    }
    return 0;
}

/* --- passwords --- */

struct scrypt_params {
    uint64_t log_n;
    uint64_t r;
    uint64_t p;
};

static bool scrypt(struct deis_str password, struct deis_str salt, const struct scrypt_params *cost,
                   uint8_t out[HASH_BYTES])
{
    bool ok =
        EVP_PBE_scrypt((const char *)bytes_of(password), password.len, bytes_of(salt), salt.len,
                       1ULL << cost->log_n, cost->r, cost->p, SCRYPT_MAXMEM, out, HASH_BYTES) == 1;
    ERR_clear_error();
    return ok;
}

int deis_password_hash(struct deis_str password, struct deis_buf *out, struct deis_err *err)
{
    uint8_t salt[SALT_BYTES];
    uint8_t hash[HASH_BYTES];
    const struct scrypt_params cost = { SCRYPT_LOG_N, SCRYPT_R, SCRYPT_P };

    if (password.len > PASSWORD_MAX) {
        return deis_err_set(err, DEIS_LIMIT, "password has more than %d bytes", PASSWORD_MAX);
    }
    deis_random(salt, sizeof(salt));
    struct deis_str salt_str = deis_str_n((const char *)salt, sizeof(salt));
    if (!scrypt(password, salt_str, &cost, hash)) {
        return deis_err_set(err, DEIS_INTERNAL, "can't hash the password");
    }
    deis_buf_addf(out, "scrypt$%d$%d$%d$", SCRYPT_LOG_N, SCRYPT_R, SCRYPT_P);
    deis_b64_encode(salt_str, out);
    deis_buf_add_char(out, '$');
    deis_b64_encode(deis_str_n((const char *)hash, sizeof(hash)), out);
    OPENSSL_cleanse(hash, sizeof(hash));
    return 0;
}

static bool next_number(struct deis_str *rest, uint64_t max, uint64_t *ret)
{
    struct deis_str part;

    return deis_str_split(rest, '$', &part) && deis_str_to_u64(part, 1, max, ret, NULL) == 0;
}

bool deis_password_verify(struct deis_str password, const char *hash)
{
    struct deis_str rest = deis_str(hash);
    struct deis_str scheme;
    struct deis_str salt_text;
    struct scrypt_params cost;
    uint8_t got[HASH_BYTES];

    if (password.len > PASSWORD_MAX || !deis_str_split(&rest, '$', &scheme) ||
        !deis_str_eq_cstr(scheme, "scrypt") || !next_number(&rest, 17, &cost.log_n) ||
        !next_number(&rest, 8, &cost.r) || !next_number(&rest, 4, &cost.p) ||
        !deis_str_split(&rest, '$', &salt_text)) {
        return false;
    }
    deis_autobuf struct deis_buf salt = DEIS_BUF_INIT(64);
    deis_autobuf struct deis_buf want = DEIS_BUF_INIT(HASH_BYTES);
    if (deis_b64_decode(salt_text, &salt, NULL) < 0 || deis_b64_decode(rest, &want, NULL) < 0 ||
        deis_buf_failed(&salt) || deis_buf_failed(&want) || want.len != HASH_BYTES) {
        return false;
    }
    return scrypt(password, deis_buf_str(&salt), &cost, got) &&
           deis_secret_eq(deis_str_n((const char *)got, sizeof(got)), deis_buf_str(&want));
}
