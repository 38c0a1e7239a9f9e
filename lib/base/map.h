/* SPDX-License-Identifier: MIT */
/*
 * Hash map from text to a pointer. Keys are copied. Hashing is keyed per process (SipHash), so a
 * peer can't choose keys that collide. thread: one owner
 */
#ifndef DEIS_BASE_MAP_H
#define DEIS_BASE_MAP_H

#include "lib/base/str.h"

struct deis_map;

/* free_value may be NULL: values are then borrowed. */
struct deis_map *deis_map_new(void (*free_value)(void *value));
void deis_map_free(struct deis_map *m);                            /* NULL is fine */
void *deis_map_get(const struct deis_map *m, struct deis_str key); /* NULL = absent; borrowed */
void deis_map_set(struct deis_map *m, struct deis_str key, void *value); /* frees a former value */
bool deis_map_remove(struct deis_map *m, struct deis_str key);           /* frees the value */
void *deis_map_take(struct deis_map *m, struct deis_str key);            /* out of the map, yours */
size_t deis_map_count(const struct deis_map *m);
/* Walk in unspecified order. Start with *cursor = 0; false at the end. The current entry may be
 * removed during the walk; nothing may be added. */
bool deis_map_next(const struct deis_map *m, size_t *cursor, struct deis_str *ret_key,
                   void **ret_value);
/* 64-bit keyed hash, also for other tables. Stable within the process only. */
uint64_t deis_hash(struct deis_str s);

#endif
