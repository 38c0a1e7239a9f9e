/* SPDX-License-Identifier: MIT */
#include "lib/crypto/keyring.h"

#include "lib/crypto/seal.h"
#include "lib/wire/b64.h"

#include <openssl/crypto.h>

#define KEY_DIGITS   64
#define NAME_DIGITS  16 /* base64 of the nonce: its 12 bytes need no filling up */
#define PREFIX_BYTES 12 /* "v1:", id, ":" */
#define TIME_MAX_S   UINT64_C(253402300799)

_Static_assert(NAME_DIGITS == DEIS_SEAL_NONCE / 3 * 4, "a nonce ends where a base64 digit ends");

static int bad_line(struct deis_err *err, size_t line, const char *rule)
{
    return deis_err_set(err, DEIS_INVALID, "line %zu %s", line, rule);
}

static int parse_line(struct deis_str line, size_t number, struct deis_keyring *ring,
                      struct deis_err *err)
{
    struct deis_key *key = &ring->keys[ring->count];
    deis_autobuf struct deis_buf raw = DEIS_BUF_INIT(sizeof(key->bytes));
    uint8_t sum[32];

    struct deis_str digits = deis_str_first(line, line.len < KEY_DIGITS ? line.len : KEY_DIGITS);
    struct deis_str rest = deis_str_skip(line, digits.len);
    bool ok = digits.len == KEY_DIGITS && deis_hex_decode(digits, &raw, NULL) == 0 &&
              raw.len == sizeof(key->bytes);
    if (ok) {
        memcpy(key->bytes, raw.data, sizeof(key->bytes));
    }
    if (raw.data) {
        OPENSSL_cleanse(raw.data, raw.len);
    }
    if (!ok || (rest.len > 0 && rest.ptr[0] != ' ')) {
        return bad_line(err, number, "must be 64 hex digits, and may name a time behind a blank");
    }
    ring->made_s[ring->count] = 0;
    if (rest.len > 0 && deis_str_to_u64(deis_str_skip(rest, 1), 0, TIME_MAX_S,
                                        &ring->made_s[ring->count], NULL) < 0) {
        return bad_line(err, number, "has no Unix time behind its key");
    }
    deis_sha256(deis_str_n((const char *)key->bytes, sizeof(key->bytes)), sum);
    memcpy(key->id, sum, sizeof(key->id));
    for (size_t i = 0; i < ring->count; i++) {
        if (memcmp(ring->keys[i].id, key->id, sizeof(key->id)) == 0) {
            return bad_line(err, number, "repeats a key");
        }
    }
    ring->count++;
    return 0;
}

int deis_keyring_parse(struct deis_str text, struct deis_keyring *ret, struct deis_err *err)
{
    struct deis_str rest = text;
    struct deis_str line;
    int r = 0;

    *ret = (struct deis_keyring){ 0 };
    if (text.len > DEIS_KEYRING_TEXT) {
        return deis_err_set(err, DEIS_LIMIT, "more than %d bytes", DEIS_KEYRING_TEXT);
    }
    if (text.len > 0 && text.ptr[text.len - 1] == '\n') {
        rest.len--;
    }
    for (size_t number = 1; r == 0 && deis_str_split(&rest, '\n', &line); number++) {
        r = ret->count < DEIS_KEYRING_MAX
                ? parse_line(line, number, ret, err)
                : deis_err_set(err, DEIS_LIMIT, "more than %d keys", DEIS_KEYRING_MAX);
    }
    if (r == 0 && ret->count == 0) {
        r = bad_line(err, 1, "must be 64 hex digits, and may name a time behind a blank");
    }
    if (r < 0) {
        deis_keyring_clear(ret);
    }
    return r;
}

void deis_keyring_format(const struct deis_keyring *ring, struct deis_buf *out)
{
    for (size_t i = 0; i < ring->count; i++) {
        for (size_t b = 0; b < sizeof(ring->keys[i].bytes); b++) {
            deis_buf_addf(out, "%02x", ring->keys[i].bytes[b]);
        }
        if (ring->made_s[i] > 0) {
            deis_buf_addf(out, " %llu", (unsigned long long)ring->made_s[i]);
        }
        deis_buf_add_char(out, '\n');
    }
}

int deis_keyring_add(struct deis_keyring *ring, uint64_t now_s, struct deis_err *err)
{
    uint8_t sum[32];

    if (ring->count >= DEIS_KEYRING_MAX) {
        return deis_err_set(err, DEIS_LIMIT, "there are %d keys already", DEIS_KEYRING_MAX);
    }
    struct deis_key *key = &ring->keys[ring->count];
    deis_random(key->bytes, sizeof(key->bytes));
    deis_sha256(deis_str_n((const char *)key->bytes, sizeof(key->bytes)), sum);
    memcpy(key->id, sum, sizeof(key->id));
    for (size_t i = 0; i < ring->count; i++) {
        now_s = now_s > ring->made_s[i] ? now_s : ring->made_s[i] + 1;
    }
    ring->made_s[ring->count++] = now_s;
    return 0;
}

void deis_keyring_promote(struct deis_keyring *ring, size_t index)
{
    struct deis_key key = ring->keys[index];
    uint64_t made_s = ring->made_s[index];

    memmove(&ring->keys[1], &ring->keys[0], index * sizeof(ring->keys[0]));
    memmove(&ring->made_s[1], &ring->made_s[0], index * sizeof(ring->made_s[0]));
    ring->keys[0] = key;
    ring->made_s[0] = made_s;
    OPENSSL_cleanse(&key, sizeof(key));
}

void deis_keyring_clear(struct deis_keyring *ring)
{
    OPENSSL_cleanse(ring, sizeof(*ring));
}

void deis_key_id_text(const struct deis_key *key, char out[DEIS_KEY_ID_TEXT])
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < sizeof(key->id); i++) {
        out[2 * i] = digits[key->id[i] >> 4];
        out[2 * i + 1] = digits[key->id[i] & 15];
    }
    out[2 * sizeof(key->id)] = '\0';
}

const struct deis_key *deis_keyring_find(const struct deis_keyring *ring, const uint8_t id[4])
{
    for (size_t i = 0; i < ring->count; i++) {
        if (memcmp(ring->keys[i].id, id, sizeof(ring->keys[i].id)) == 0) {
            return &ring->keys[i];
        }
    }
    return NULL;
}

bool deis_sealed_key(struct deis_str sealed, char id[DEIS_KEY_ID_TEXT])
{
    if (sealed.len < PREFIX_BYTES + NAME_DIGITS || !deis_str_starts(sealed, "v1:") ||
        sealed.ptr[PREFIX_BYTES - 1] != ':') {
        return false;
    }
    for (size_t i = 0; i < DEIS_KEY_ID_TEXT - 1; i++) {
        char c = sealed.ptr[3 + i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
            return false;
        }
        id[i] = c;
    }
    id[DEIS_KEY_ID_TEXT - 1] = '\0';
    return true;
}

struct deis_str deis_sealed_name(struct deis_str sealed)
{
    char id[DEIS_KEY_ID_TEXT];

    return deis_sealed_key(sealed, id)
               ? deis_str_first(deis_str_skip(sealed, PREFIX_BYTES), NAME_DIGITS)
               : sealed;
}

/* The key that the value names; the first one, whose refusal says why, when it names none. */
static const struct deis_key *key_of(const struct deis_keyring *ring, struct deis_str sealed)
{
    char id[DEIS_KEY_ID_TEXT];
    char own[DEIS_KEY_ID_TEXT];

    for (size_t i = 0; deis_sealed_key(sealed, id) && i < ring->count; i++) {
        deis_key_id_text(&ring->keys[i], own);
        if (strcmp(id, own) == 0) {
            return &ring->keys[i];
        }
    }
    return &ring->keys[0];
}

int deis_keyring_unseal(const struct deis_keyring *ring, struct deis_str aad,
                        struct deis_str sealed, struct deis_buf *out, struct deis_err *err)
{
    return deis_unseal(key_of(ring, sealed), aad, sealed, out, err);
}

int deis_keyring_reseal(const struct deis_keyring *ring, struct deis_str aad,
                        struct deis_str sealed, struct deis_buf *out, struct deis_err *err)
{
    struct deis_buf plain = DEIS_BUF_INIT(DEIS_SEALED_PLAIN);
    struct deis_buf nonce = DEIS_BUF_INIT(DEIS_SEAL_NONCE);
    const struct deis_key *key = key_of(ring, sealed);
    char id[DEIS_KEY_ID_TEXT];

    if (key == &ring->keys[0] && deis_sealed_key(sealed, id)) {
        char own[DEIS_KEY_ID_TEXT];
        deis_key_id_text(key, own);
        if (strcmp(id, own) == 0) {
            return 1;
        }
    }
    int r = deis_unseal(key, aad, sealed, &plain, err);
    if (r == 0) {
        /* It was opened, so there is a nonce. */
        r = deis_b64_decode(deis_sealed_name(sealed), &nonce, err);
    }
    if (r == 0) {
        deis_seal_with(&ring->keys[0], (const uint8_t *)nonce.data, aad, deis_buf_str(&plain), out);
    }
    if (plain.data) {
        OPENSSL_cleanse(plain.data, plain.len);
    }
    deis_buf_clear(&plain);
    deis_buf_clear(&nonce);
    return r;
}
