/* SPDX-License-Identifier: MIT */
#include "controller/namelists.h"

#include "lib/base/map.h"

#include <pthread.h>

#define BYTES_MAX ((size_t)1 << 20) /* beyond: forget all */
#define TEXT_MAX  65536             /* longer lists are read each time */

struct namelists {
    pthread_mutex_t lock;
    struct deis_map *lists; /* by who */
    size_t bytes;           /* ever put since the table was emptied */
};

void namelist_clear(struct namelist *l)
{
    free(l->text);
    *l = (struct namelist){ 0 };
}

static void list_free(void *value)
{
    namelist_clear(value);
    free(value);
}

json_t *namelist_slice(const struct namelist *l, size_t first, size_t count)
{
    json_t *out = json_array();
    struct deis_str rest = deis_str(l->text);
    struct deis_str name;

    for (size_t i = 0; i < first + count && i < l->count && deis_str_split(&rest, '\n', &name);
         i++) {
        if (i >= first) {
            json_array_append_new(out, json_stringn(name.ptr, name.len));
        }
    }
    return out;
}

struct namelists *namelists_new(void)
{
    struct namelists *n = deis_alloc(sizeof(*n));

    pthread_mutex_init(&n->lock, NULL);
    n->lists = deis_map_new(list_free);
    return n;
}

void namelists_free(struct namelists *n)
{
    if (n) {
        deis_map_free(n->lists);
        pthread_mutex_destroy(&n->lock);
        free(n);
    }
}

bool namelists_since(struct namelists *n, const char *who, int64_t ret[NAMELIST_PARTS])
{
    pthread_mutex_lock(&n->lock);
    const struct namelist *l = deis_map_get(n->lists, deis_str(who));
    for (size_t i = 0; i < NAMELIST_PARTS; i++) {
        ret[i] = l ? l->parts[i].revision : 0;
    }
    pthread_mutex_unlock(&n->lock);
    return l != NULL;
}

static void copy(struct namelist *to, const struct namelist *from)
{
    *to = *from;
    to->text = deis_strdup(from->text);
}

/* Another thread may have put a list meanwhile: a later one is as good, an earlier one is not. */
static bool part_holds(const struct namelist *l, size_t part, int64_t since,
                       const struct deis_etcd_range *changes)
{
    return l->parts[part].revision == 0 ||
           (l->parts[part].revision >= since && changes->count == 0 &&
            changes->total == l->parts[part].keys);
}

bool namelists_get(struct namelists *n, const char *who, const int64_t since[NAMELIST_PARTS],
                   const struct deis_etcd_range changes[NAMELIST_PARTS], struct namelist *ret)
{
    pthread_mutex_lock(&n->lock);
    const struct namelist *l = deis_map_get(n->lists, deis_str(who));
    bool holds = l != NULL;
    for (size_t i = 0; holds && i < NAMELIST_PARTS; i++) {
        holds = part_holds(l, i, since[i], &changes[i]);
    }
    if (holds) {
        copy(ret, l);
    }
    pthread_mutex_unlock(&n->lock);
    return holds;
}

void namelists_put(struct namelists *n, const char *who, const struct namelist *l)
{
    size_t len = strlen(l->text);

    pthread_mutex_lock(&n->lock);
    if (n->bytes + len > BYTES_MAX) {
        deis_map_free(n->lists);
        n->lists = deis_map_new(list_free);
        n->bytes = 0;
    }
    if (len <= TEXT_MAX) {
        struct namelist *kept = deis_alloc(sizeof(*kept));
        copy(kept, l);
        deis_map_set(n->lists, deis_str(who), kept);
        n->bytes += len;
    } else {
        deis_map_remove(n->lists, deis_str(who));
    }
    pthread_mutex_unlock(&n->lock);
}
