/* SPDX-License-Identifier: MIT */
/* Open addressing with linear probing; a removed slot stays marked until the next rehash, so that a
 * walk is not disturbed by removals. */
#include "lib/base/map.h"

#include <sys/random.h>

struct slot {
    char *key; /* NULL: never used since the last rehash; removed_key: removed */
    size_t key_len;
    uint64_t hash;
    void *value;
};

struct deis_map {
    struct slot *slots;
    size_t slot_count; /* a power of two, or 0 */
    size_t used;       /* live and removed */
    size_t live;
    void (*free_value)(void *value);
};

static char removed_key[1];
static uint64_t hash_key[2];

/* Before main(), so that no thread ever sees the key change. */
__attribute__((constructor)) static void init_hash_key(void)
{
    if (getrandom(hash_key, sizeof(hash_key), 0) != (ssize_t)sizeof(hash_key)) {
        abort();
    }
}

static uint64_t rotate(uint64_t x, unsigned bits)
{
    return (x << bits) | (x >> (64 - bits));
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

/* SipHash-1-3. */
uint64_t deis_hash(struct deis_str s)
{
    uint64_t v[4] = { hash_key[0] ^ UINT64_C(0x736f6d6570736575),
                      hash_key[1] ^ UINT64_C(0x646f72616e646f6d),
                      hash_key[0] ^ UINT64_C(0x6c7967656e657261),
                      hash_key[1] ^ UINT64_C(0x7465646279746573) };
    const char *p = s.ptr;
    size_t left = s.len;
    uint64_t word;

    for (; left >= sizeof(word); p += sizeof(word), left -= sizeof(word)) {
        memcpy(&word, p, sizeof(word));
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    word = (uint64_t)s.len << 56;
    for (size_t i = 0; i < left; i++) {
        word |= (uint64_t)(unsigned char)p[i] << (8 * i);
    }
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
    v[2] ^= 0xff;
    sip_round(v);
    sip_round(v);
    sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static bool is_live(const struct slot *slot)
{
    return slot->key && slot->key != removed_key;
}

struct deis_map *deis_map_new(void (*free_value)(void *value))
{
    struct deis_map *m = deis_alloc(sizeof(*m));
    m->free_value = free_value;
    return m;
}

void deis_map_free(struct deis_map *m)
{
    if (!m) {
        return;
    }
    for (size_t i = 0; i < m->slot_count; i++) {
        if (is_live(&m->slots[i])) {
            free(m->slots[i].key);
            if (m->free_value) {
                m->free_value(m->slots[i].value);
            }
        }
    }
    free(m->slots);
    free(m);
}

static struct slot *find(const struct deis_map *m, struct deis_str key, uint64_t hash)
{
    if (m->slot_count == 0) {
        return NULL;
    }
    size_t mask = m->slot_count - 1;
    for (size_t i = (size_t)hash & mask;; i = (i + 1) & mask) {
        struct slot *slot = &m->slots[i];
        if (!slot->key) {
            return NULL;
        }
        if (slot->key != removed_key && slot->hash == hash &&
            deis_str_eq(deis_str_n(slot->key, slot->key_len), key)) {
            return slot;
        }
    }
}

static void rehash(struct deis_map *m)
{
    size_t count = 8;
    while (count < m->live * 2 + 2) {
        count *= 2;
    }
    struct slot *slots = deis_alloc(count * sizeof(*slots));
    for (size_t i = 0; i < m->slot_count; i++) {
        if (!is_live(&m->slots[i])) {
            continue;
        }
        size_t at = (size_t)m->slots[i].hash & (count - 1);
        while (slots[at].key) {
            at = (at + 1) & (count - 1);
        }
        slots[at] = m->slots[i];
    }
    free(m->slots);
    m->slots = slots;
    m->slot_count = count;
    m->used = m->live;
}

void *deis_map_get(const struct deis_map *m, struct deis_str key)
{
    const struct slot *slot = find(m, key, deis_hash(key));
    return slot ? slot->value : NULL;
}

void deis_map_set(struct deis_map *m, struct deis_str key, void *value)
{
    uint64_t hash = deis_hash(key);
    struct slot *slot = find(m, key, hash);

    if (slot) {
        void *former = slot->value;
        slot->value = value;
        if (m->free_value && former != value) {
            m->free_value(former);
        }
        return;
    }
    /* A quarter always stays unused, so that a search for an absent key ends soon. */
    if (m->used + 1 > m->slot_count / 4 * 3) {
        rehash(m);
    }
    size_t mask = m->slot_count - 1;
    size_t at = (size_t)hash & mask;
    while (m->slots[at].key) {
        at = (at + 1) & mask;
    }
    m->slots[at] = (struct slot){ deis_str_dup(key), key.len, hash, value };
    m->used++;
    m->live++;
}

/* Forget the slot; its value is the caller's now. */
static void *release(struct deis_map *m, struct slot *slot)
{
    void *value = slot->value;
    free(slot->key);
    *slot = (struct slot){ .key = removed_key };
    m->live--;
    return value;
}

bool deis_map_remove(struct deis_map *m, struct deis_str key)
{
    struct slot *slot = find(m, key, deis_hash(key));
    if (!slot) {
        return false;
    }
    void *value = release(m, slot);
    if (m->free_value) {
        m->free_value(value);
    }
    return true;
}

void *deis_map_take(struct deis_map *m, struct deis_str key)
{
    struct slot *slot = find(m, key, deis_hash(key));
    return slot ? release(m, slot) : NULL;
}

size_t deis_map_count(const struct deis_map *m)
{
    return m->live;
}

bool deis_map_next(const struct deis_map *m, size_t *cursor, struct deis_str *ret_key,
                   void **ret_value)
{
    while (*cursor < m->slot_count) {
        const struct slot *slot = &m->slots[(*cursor)++];
        if (is_live(slot)) {
            if (ret_key) {
                *ret_key = deis_str_n(slot->key, slot->key_len);
            }
            if (ret_value) {
                *ret_value = slot->value;
            }
            return true;
        }
    }
    return false;
}
