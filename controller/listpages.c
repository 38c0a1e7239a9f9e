/* SPDX-License-Identifier: MIT */
#include "controller/listpages.h"

#include "lib/base/map.h"

#include <pthread.h>

#define BYTES_MAX ((size_t)1 << 20) /* beyond: forget all */
#define TEXT_MAX  65536             /* larger pages are written each time */

struct listpages {
    pthread_mutex_t lock;
    struct deis_map *pages; /* by key */
    size_t bytes;           /* ever put since the table was emptied */
};

void listpage_clear(struct listpage *p)
{
    free(p->text);
    free(p->revisions);
    *p = (struct listpage){ 0 };
}

static void page_free(void *value)
{
    listpage_clear(value);
    free(value);
}

static void copy(struct listpage *to, const struct listpage *from)
{
    *to = *from;
    to->text = deis_strdup(from->text);
    to->revisions = deis_realloc_array(NULL, from->count + 1, sizeof(*to->revisions));
    for (size_t i = 0; i < from->count; i++) {
        to->revisions[i] = from->revisions[i];
    }
}

struct listpages *listpages_new(void)
{
    struct listpages *l = deis_alloc(sizeof(*l));

    pthread_mutex_init(&l->lock, NULL);
    l->pages = deis_map_new(page_free);
    return l;
}

void listpages_free(struct listpages *l)
{
    if (l) {
        deis_map_free(l->pages);
        pthread_mutex_destroy(&l->lock);
        free(l);
    }
}

bool listpages_get(struct listpages *l, const char *key, const struct namelist *names,
                   struct listpage *ret)
{
    pthread_mutex_lock(&l->lock);
    const struct listpage *p = deis_map_get(l->pages, deis_str(key));
    bool there = p != NULL;
    for (size_t i = 0; there && i < NAMELIST_PARTS; i++) {
        there = p->parts[i] == names->parts[i].revision;
    }
    if (there) {
        copy(ret, p);
    }
    pthread_mutex_unlock(&l->lock);
    return there;
}

void listpages_put(struct listpages *l, const char *key, const struct listpage *p)
{
    size_t bytes = p->len + p->count * sizeof(*p->revisions);

    if (p->len > TEXT_MAX) {
        return;
    }
    pthread_mutex_lock(&l->lock);
    if (l->bytes + bytes > BYTES_MAX) {
        deis_map_free(l->pages);
        l->pages = deis_map_new(page_free);
        l->bytes = 0;
    }
    struct listpage *kept = deis_alloc(sizeof(*kept));
    copy(kept, p);
    deis_map_set(l->pages, deis_str(key), kept);
    l->bytes += bytes;
    pthread_mutex_unlock(&l->lock);
}
