/* SPDX-License-Identifier: MIT */
/* What the owner of a watch was last told about each key, and so what is news to it. Pure. */
#ifndef DEIS_ETCD_WATCH_MIRROR_H
#define DEIS_ETCD_WATCH_MIRROR_H

#include "lib/base/map.h"

struct deis_etcd_mirror {
    struct deis_map *keys;
    unsigned listing; /* number of the list that was begun last */
    bool reset;       /* another history: revisions of before mean nothing */
};

void deis_etcd_mirror_init(struct deis_etcd_mirror *m);
void deis_etcd_mirror_clear(struct deis_etcd_mirror *m);
void deis_etcd_mirror_begin_list(struct deis_etcd_mirror *m);
/* True: the owner does not know this revision of the key yet. */
bool deis_etcd_mirror_put(struct deis_etcd_mirror *m, struct deis_str key, int64_t mod_revision);
/* True: the owner knew it. */
bool deis_etcd_mirror_remove(struct deis_etcd_mirror *m, struct deis_str key);
/* A key that the owner knew and that was not put since the list began, removed, yours; NULL: there
 * is none left. *cursor is 0 at first. */
char *deis_etcd_mirror_drop_unlisted(struct deis_etcd_mirror *m, size_t *cursor);

#endif
