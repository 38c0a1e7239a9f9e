/* SPDX-License-Identifier: MIT */
#include "lib/net/bus_frame.h"

#include "lib/base/map.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#define VERSION       1
#define KEY_ID_AT     1
#define BOOT_AT       5
#define COUNTER_AT    13
#define TOKEN_AT      21
#define NAME_LEN_AT   29
#define NAME_AT       30
#define NONCE_BYTES   12
#define REF_BYTES     (DEIS_FRAME_ID_BYTES + 8)
#define WINDOW        1024
#define SENDERS_MAX   4096
#define TOKEN_LIFE_MS 600000
#define PURPOSE       "bus"

enum direction { REQUEST = 0, ANSWER = 1 };

static void must(bool ok)
{
    if (!ok) {
        abort();
    }
}

static void put_u64(uint8_t *out, uint64_t v)
{
    for (int i = 7; i >= 0; i--) {
        out[i] = (uint8_t)v;
        v >>= 8;
    }
}

static uint64_t get_u64(const uint8_t *in)
{
    uint64_t v = 0;

    for (int i = 0; i < 8; i++) {
        v = v << 8 | in[i];
    }
    return v;
}

static struct deis_str boot_str(const uint8_t boot[DEIS_FRAME_ID_BYTES])
{
    return deis_str_n((const char *)boot, DEIS_FRAME_ID_BYTES);
}

static void nonce_of(uint64_t counter, uint8_t out[NONCE_BYTES])
{
    memset(out, 0, NONCE_BYTES);
    put_u64(out + NONCE_BYTES - 8, counter);
}

/* What follows the header in the associated data; returns its length. */
static size_t aad_tail(const struct deis_frame_ref *answers, uint8_t out[1 + REF_BYTES])
{
    out[0] = answers ? ANSWER : REQUEST;
    if (!answers) {
        return 1;
    }
    memcpy(out + 1, answers->boot, DEIS_FRAME_ID_BYTES);
    put_u64(out + 1 + DEIS_FRAME_ID_BYTES, answers->counter);
    return 1 + REF_BYTES;
}

static EVP_CIPHER_CTX *cipher_new(void)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

    must(ctx != NULL);
    return ctx;
}

/* --- sealing --- */

struct deis_frame_sealer {
    EVP_CIPHER_CTX *ctx; /* has the key */
    struct deis_frame_ref last;
    uint8_t head[NAME_AT + DEIS_FRAME_NAME_MAX];
    size_t head_len;
};

struct deis_frame_sealer *deis_frame_sealer_new(const struct deis_key *key, const char *name)
{
    struct deis_frame_sealer *s = deis_alloc(sizeof(*s));

    must(deis_str_is_label(deis_str(name)));
    size_t name_len = strlen(name);
    s->head[0] = VERSION;
    s->head[NAME_LEN_AT] = (uint8_t)name_len;
    memcpy(s->head + NAME_AT, name, name_len);
    s->head_len = NAME_AT + name_len;
    s->ctx = cipher_new();
    deis_frame_sealer_rekey(s, key);
    return s;
}

void deis_frame_sealer_rekey(struct deis_frame_sealer *s, const struct deis_key *key)
{
    uint8_t derived[32];

    deis_random(s->last.boot, sizeof(s->last.boot));
    memcpy(s->head + KEY_ID_AT, key->id, sizeof(key->id));
    memcpy(s->head + BOOT_AT, s->last.boot, sizeof(s->last.boot));
    deis_key_derive_for(key, PURPOSE, boot_str(s->last.boot), derived);
    must(EVP_EncryptInit_ex(s->ctx, EVP_aes_256_gcm(), NULL, derived, NULL) == 1);
    explicit_bzero(derived, sizeof(derived));
}

void deis_frame_sealer_free(struct deis_frame_sealer *s)
{
    if (s) {
        EVP_CIPHER_CTX_free(s->ctx);
        free(s);
    }
}

size_t deis_frame_head_size(const struct deis_frame_sealer *s)
{
    return s->head_len;
}

size_t deis_frame_overhead(const struct deis_frame_sealer *s)
{
    return s->head_len + DEIS_FRAME_TAG_BYTES;
}

struct deis_frame_ref deis_frame_seal(struct deis_frame_sealer *s,
                                      const uint8_t token[DEIS_FRAME_ID_BYTES],
                                      const struct deis_frame_ref *answers, uint8_t *frame,
                                      size_t plain_len)
{
    uint8_t nonce[NONCE_BYTES];
    uint8_t tail[1 + REF_BYTES];
    uint8_t *body = frame + s->head_len;
    int n = 0;

    must(plain_len <= (size_t)DEIS_FRAME_MAX);
    s->last.counter++;
    memcpy(frame, s->head, s->head_len);
    put_u64(frame + COUNTER_AT, s->last.counter);
    memcpy(frame + TOKEN_AT, token, DEIS_FRAME_ID_BYTES);
    nonce_of(s->last.counter, nonce);
    size_t tail_len = aad_tail(answers, tail);
    must(EVP_EncryptInit_ex(s->ctx, NULL, NULL, NULL, nonce) == 1);
    must(EVP_EncryptUpdate(s->ctx, NULL, &n, frame, (int)s->head_len) == 1);
    must(EVP_EncryptUpdate(s->ctx, NULL, &n, tail, (int)tail_len) == 1);
    must(EVP_EncryptUpdate(s->ctx, body, &n, body, (int)plain_len) == 1);
    must(EVP_EncryptFinal_ex(s->ctx, body + plain_len, &n) == 1);
    must(EVP_CIPHER_CTX_ctrl(s->ctx, EVP_CTRL_AEAD_GET_TAG, DEIS_FRAME_TAG_BYTES,
                             body + plain_len) == 1);
    return s->last;
}

/* --- opening, common to both sides --- */

static int parse(const struct deis_keyring *keys, uint8_t *frame, size_t len,
                 struct deis_frame *ret, const struct deis_key **ret_key, struct deis_err *err)
{
    if (len > DEIS_FRAME_MAX) {
        return deis_err_set(err, DEIS_LIMIT, "frame has more than %d bytes", DEIS_FRAME_MAX);
    }
    if (len < NAME_AT + DEIS_FRAME_TAG_BYTES) {
        return deis_err_set(err, DEIS_PROTOCOL, "frame is too short");
    }
    if (frame[0] != VERSION) {
        return deis_err_set(err, DEIS_PROTOCOL, "frame has version %u, this is %d", frame[0],
                            VERSION);
    }
    *ret_key = deis_keyring_find(keys, frame + KEY_ID_AT);
    if (!*ret_key) {
        return deis_err_set(err, DEIS_DENIED, "frame was sealed with another cluster key");
    }
    size_t name_len = frame[NAME_LEN_AT];
    if (name_len > DEIS_FRAME_NAME_MAX || len < NAME_AT + name_len + DEIS_FRAME_TAG_BYTES ||
        !deis_str_is_label(deis_str_n((const char *)frame + NAME_AT, name_len))) {
        return deis_err_set(err, DEIS_PROTOCOL, "frame has no valid sender name");
    }
    memcpy(ret->ref.boot, frame + BOOT_AT, DEIS_FRAME_ID_BYTES);
    ret->ref.counter = get_u64(frame + COUNTER_AT);
    memcpy(ret->token, frame + TOKEN_AT, DEIS_FRAME_ID_BYTES);
    memcpy(ret->sender, frame + NAME_AT, name_len);
    ret->sender[name_len] = '\0';
    ret->body = frame + NAME_AT + name_len;
    ret->body_len = len - NAME_AT - name_len - DEIS_FRAME_TAG_BYTES;
    return 0;
}

static int open_body(EVP_CIPHER_CTX *ctx, const uint8_t key[32],
                     const struct deis_frame_ref *answers, const uint8_t *frame,
                     const struct deis_frame *f, struct deis_err *err)
{
    uint8_t nonce[NONCE_BYTES];
    uint8_t tail[1 + REF_BYTES];
    int n = 0;
    uint8_t *tag = f->body + f->body_len;

    nonce_of(f->ref.counter, nonce);
    size_t tail_len = aad_tail(answers, tail);
    must(EVP_DecryptInit_ex(ctx, NULL, NULL, key, nonce) == 1);
    must(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, DEIS_FRAME_TAG_BYTES, tag) == 1);
    if (EVP_DecryptUpdate(ctx, NULL, &n, frame, (int)(f->body - frame)) != 1 ||
        EVP_DecryptUpdate(ctx, NULL, &n, tail, (int)tail_len) != 1 ||
        EVP_DecryptUpdate(ctx, f->body, &n, f->body, (int)f->body_len) != 1 ||
        EVP_DecryptFinal_ex(ctx, tag, &n) != 1) {
        ERR_clear_error();
        return deis_err_set(err, DEIS_DENIED, "frame is not authentic");
    }
    return 0;
}

static EVP_CIPHER_CTX *open_cipher_new(void)
{
    EVP_CIPHER_CTX *ctx = cipher_new();

    must(EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, NULL, NULL) == 1);
    return ctx;
}

/* --- the server's side --- */

struct sender {
    uint8_t key[32];
    uint64_t highest;
    uint64_t seen[WINDOW / 64]; /* bit counter % WINDOW, for the WINDOW counters up to highest */
    uint64_t used_ms;
};

struct deis_frame_gate {
    struct deis_keyring keys;
    EVP_CIPHER_CTX *ctx;
    struct deis_map *senders; /* boot id -> struct sender */
    uint8_t current[DEIS_FRAME_ID_BYTES];
    uint8_t previous[DEIS_FRAME_ID_BYTES];
    uint64_t renewed_ms;
    uint64_t refused;
};

static void sender_free(void *value)
{
    explicit_bzero(value, sizeof(struct sender));
    free(value);
}

static bool sender_saw(const struct sender *s, uint64_t counter)
{
    if (counter > s->highest) {
        return false;
    }
    if (s->highest - counter >= WINDOW) {
        return true;
    }
    return (s->seen[counter % WINDOW / 64] >> (counter % 64) & 1) != 0;
}

/* The window's last counter becomes this one; those in between were not seen. */
static void sender_advance(struct sender *s, uint64_t counter)
{
    if (counter - s->highest >= WINDOW) {
        memset(s->seen, 0, sizeof(s->seen));
    } else {
        for (uint64_t c = s->highest + 1; c < counter; c++) {
            s->seen[c % WINDOW / 64] &= ~(1ULL << (c % 64));
        }
    }
    s->highest = counter;
}

static void sender_mark(struct sender *s, uint64_t counter)
{
    if (counter > s->highest) {
        sender_advance(s, counter);
    }
    s->seen[counter % WINDOW / 64] |= 1ULL << (counter % 64);
}

static void renew_token(struct deis_frame_gate *g, uint64_t now_ms)
{
    memcpy(g->previous, g->current, sizeof(g->previous));
    deis_random(g->current, sizeof(g->current));
    g->renewed_ms = now_ms;
}

struct deis_frame_gate *deis_frame_gate_new(const struct deis_key *key, uint64_t now_ms)
{
    struct deis_frame_gate *g = deis_alloc(sizeof(*g));

    g->keys.keys[g->keys.count++] = *key;
    g->ctx = open_cipher_new();
    g->senders = deis_map_new(sender_free);
    renew_token(g, now_ms);
    renew_token(g, now_ms);
    return g;
}

void deis_frame_gate_rekey(struct deis_frame_gate *g, const struct deis_keyring *keys)
{
    g->keys = *keys;
}

void deis_frame_gate_free(struct deis_frame_gate *g)
{
    if (g) {
        EVP_CIPHER_CTX_free(g->ctx);
        deis_map_free(g->senders);
        explicit_bzero(g, sizeof(*g));
        free(g);
    }
}

/* A sender may be forgotten when every token that its frames can carry has gone: what it sent
 * before is then refused by the token, no longer by the window. */
static void forget_idle(struct deis_frame_gate *g, uint64_t now_ms)
{
    size_t cursor = 0;
    struct deis_str boot;
    void *value = NULL;

    while (deis_map_next(g->senders, &cursor, &boot, &value)) {
        const struct sender *s = value;
        if (now_ms - s->used_ms > 2ULL * TOKEN_LIFE_MS) {
            uint8_t copy[DEIS_FRAME_ID_BYTES];
            memcpy(copy, boot.ptr, sizeof(copy));
            deis_map_remove(g->senders, boot_str(copy));
        }
    }
}

static void age(struct deis_frame_gate *g, uint64_t now_ms)
{
    uint64_t passed = now_ms - g->renewed_ms;

    if (passed < TOKEN_LIFE_MS) {
        return;
    }
    if (passed >= 2ULL * TOKEN_LIFE_MS) {
        renew_token(g, now_ms);
    }
    renew_token(g, now_ms);
    forget_idle(g, now_ms);
}

static bool token_is_ours(const struct deis_frame_gate *g, const uint8_t *token)
{
    return memcmp(token, g->current, DEIS_FRAME_ID_BYTES) == 0 ||
           memcmp(token, g->previous, DEIS_FRAME_ID_BYTES) == 0;
}

/* The sender of an authentic frame; NULL when there was no room, and all tokens are new now. */
static struct sender *sender_add(struct deis_frame_gate *g, const struct deis_frame *f,
                                 const uint8_t key[32], uint64_t now_ms)
{
    if (deis_map_count(g->senders) >= SENDERS_MAX) {
        deis_map_free(g->senders);
        g->senders = deis_map_new(sender_free);
        renew_token(g, now_ms);
        renew_token(g, now_ms);
        return NULL;
    }
    struct sender *s = deis_alloc(sizeof(*s));
    memcpy(s->key, key, sizeof(s->key));
    deis_map_set(g->senders, boot_str(f->ref.boot), s);
    return s;
}

static int gate_judge(struct deis_frame_gate *g, uint8_t *frame, size_t len, uint64_t now_ms,
                      struct deis_frame *ret, struct deis_err *err)
{
    uint8_t fresh_key[32];
    const struct deis_key *key = NULL;

    int r = parse(&g->keys, frame, len, ret, &key, err);
    if (r < 0) {
        return r;
    }
    struct sender *s = deis_map_get(g->senders, boot_str(ret->ref.boot));
    if (s && sender_saw(s, ret->ref.counter)) {
        return deis_err_set(err, DEIS_DENIED, "frame was seen before");
    }
    if (!s) {
        deis_key_derive_for(key, PURPOSE, boot_str(ret->ref.boot), fresh_key);
    }
    r = open_body(g->ctx, s ? s->key : fresh_key, NULL, frame, ret, err);
    if (r < 0) {
        return r;
    }
    if (!token_is_ours(g, ret->token)) {
        return deis_err_set(err, DEIS_CONFLICT, "frame is for another server or time");
    }
    if (!s) {
        s = sender_add(g, ret, fresh_key, now_ms);
    }
    if (!s) {
        return deis_err_set(err, DEIS_CONFLICT, "too many senders, all must be greeted again");
    }
    sender_mark(s, ret->ref.counter);
    s->used_ms = now_ms;
    return 0;
}

int deis_frame_gate_open(struct deis_frame_gate *g, uint8_t *frame, size_t len, uint64_t now_ms,
                         struct deis_frame *ret, struct deis_err *err)
{
    age(g, now_ms);
    int r = gate_judge(g, frame, len, now_ms, ret, err);
    if (r < 0 && r != DEIS_CONFLICT) {
        g->refused++;
    }
    return r;
}

const uint8_t *deis_frame_gate_token(const struct deis_frame_gate *g)
{
    return g->current;
}

uint64_t deis_frame_gate_refused(const struct deis_frame_gate *g)
{
    return g->refused;
}

size_t deis_frame_gate_senders(const struct deis_frame_gate *g)
{
    return deis_map_count(g->senders);
}

/* --- the client's side --- */

struct deis_frame_opener {
    struct deis_keyring keys;
    EVP_CIPHER_CTX *ctx;
    /* Whose key is derived: answers come from few servers. A boot id goes with one key. */
    uint8_t boot[DEIS_FRAME_ID_BYTES];
    uint8_t derived[32];
    bool has_derived;
};

struct deis_frame_opener *deis_frame_opener_new(const struct deis_key *key)
{
    struct deis_frame_opener *o = deis_alloc(sizeof(*o));

    o->keys.keys[o->keys.count++] = *key;
    o->ctx = open_cipher_new();
    return o;
}

void deis_frame_opener_rekey(struct deis_frame_opener *o, const struct deis_keyring *keys)
{
    o->keys = *keys;
    o->has_derived = false;
}

void deis_frame_opener_free(struct deis_frame_opener *o)
{
    if (o) {
        EVP_CIPHER_CTX_free(o->ctx);
        explicit_bzero(o, sizeof(*o));
        free(o);
    }
}

int deis_frame_open_answer(struct deis_frame_opener *o, const struct deis_frame_ref *request,
                           uint8_t *frame, size_t len, struct deis_frame *ret, struct deis_err *err)
{
    const struct deis_key *key = NULL;
    int r = parse(&o->keys, frame, len, ret, &key, err);
    if (r < 0) {
        return r;
    }
    if (!o->has_derived || memcmp(o->boot, ret->ref.boot, sizeof(o->boot)) != 0) {
        deis_key_derive_for(key, PURPOSE, boot_str(ret->ref.boot), o->derived);
        memcpy(o->boot, ret->ref.boot, sizeof(o->boot));
        o->has_derived = true;
    }
    return open_body(o->ctx, o->derived, request, frame, ret, err);
}
