/* SPDX-License-Identifier: MIT */
#include "controller/pages.h"

#include "lib/base/map.h"

#include <pthread.h>

struct entry {
    char *stamp;
    char *text;
    size_t bytes; /* of both and the name */
    size_t rows;
};

struct pages {
    pthread_mutex_t lock;
    struct deis_map *entries;
    size_t bytes_max;
    size_t bytes;
};

static void entry_free(void *value)
{
    struct entry *e = value;

    free(e->stamp);
    free(e->text);
    free(e);
}

struct pages *pages_new(size_t bytes)
{
    struct pages *p = deis_alloc(sizeof(*p));

    pthread_mutex_init(&p->lock, NULL);
    p->entries = deis_map_new(entry_free);
    p->bytes_max = bytes;
    return p;
}

void pages_free(struct pages *p)
{
    if (p) {
        deis_map_free(p->entries);
        pthread_mutex_destroy(&p->lock);
        free(p);
    }
}

bool pages_has(struct pages *p, const char *name)
{
    pthread_mutex_lock(&p->lock);
    bool there = deis_map_get(p->entries, deis_str(name)) != NULL;
    pthread_mutex_unlock(&p->lock);
    return there;
}

char *pages_get(struct pages *p, const char *name, struct deis_str stamp, size_t *ret_rows)
{
    char *text = NULL;

    pthread_mutex_lock(&p->lock);
    const struct entry *e = deis_map_get(p->entries, deis_str(name));
    if (e && deis_str_eq(deis_str(e->stamp), stamp)) {
        text = deis_strdup(e->text);
        if (ret_rows) {
            *ret_rows = e->rows;
        }
    }
    pthread_mutex_unlock(&p->lock);
    return text;
}

static void forget(struct pages *p, const char *name)
{
    const struct entry *e = deis_map_get(p->entries, deis_str(name));

    if (e) {
        p->bytes -= e->bytes;
        deis_map_remove(p->entries, deis_str(name));
    }
}

void pages_put(struct pages *p, const char *name, struct deis_str stamp, size_t rows,
               const char *text)
{
    size_t bytes = strlen(name) + stamp.len + strlen(text);

    pthread_mutex_lock(&p->lock);
    forget(p, name);
    bool kept = stamp.len > 0 && bytes <= p->bytes_max / 8;
    if (kept && p->bytes + bytes > p->bytes_max) {
        deis_map_free(p->entries);
        p->entries = deis_map_new(entry_free);
        p->bytes = 0;
    }
    if (kept) {
        struct entry *e = deis_alloc(sizeof(*e));
        *e = (struct entry){ deis_str_dup(stamp), deis_strdup(text), bytes, rows };
        deis_map_set(p->entries, deis_str(name), e);
        p->bytes += bytes;
    }
    pthread_mutex_unlock(&p->lock);
}
