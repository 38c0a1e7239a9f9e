/* SPDX-License-Identifier: MIT */
#include "lib/etcd/watch_mirror.h"

struct known {
    int64_t mod_revision;
    unsigned listing; /* the list that had it last */
};

void deis_etcd_mirror_init(struct deis_etcd_mirror *m)
{
    *m = (struct deis_etcd_mirror){ .keys = deis_map_new(free) };
}

void deis_etcd_mirror_clear(struct deis_etcd_mirror *m)
{
    deis_map_free(m->keys);
    *m = (struct deis_etcd_mirror){ 0 };
}

void deis_etcd_mirror_begin_list(struct deis_etcd_mirror *m)
{
    m->listing++;
}

bool deis_etcd_mirror_put(struct deis_etcd_mirror *m, struct deis_str key, int64_t mod_revision)
{
    struct known *k = deis_map_get(m->keys, key);

    if (!k) {
        k = deis_alloc(sizeof(*k));
        deis_map_set(m->keys, key, k);
    }
    bool known = k->mod_revision == mod_revision && !m->reset;
    k->listing = m->listing;
    k->mod_revision = mod_revision;
    return !known;
}

bool deis_etcd_mirror_remove(struct deis_etcd_mirror *m, struct deis_str key)
{
    return deis_map_remove(m->keys, key);
}

char *deis_etcd_mirror_drop_unlisted(struct deis_etcd_mirror *m, size_t *cursor)
{
    struct deis_str key;
    void *value;

    while (deis_map_next(m->keys, cursor, &key, &value)) {
        if (((const struct known *)value)->listing != m->listing) {
            char *name = deis_str_dup(key);
            deis_map_remove(m->keys, deis_str(name));
            return name;
        }
    }
    return NULL;
}
