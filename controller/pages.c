/* SPDX-License-Identifier: MIT */
#include "controller/pages.h"

#include "lib/base/str.h"

#include <pthread.h>

#define BYTES_MAX ((size_t)4 << 20) /* beyond: forget all */
#define TEXT_MAX  32768

struct entry {
    int64_t revision;
    size_t rows;
    char *text;
};

struct pages {
    pthread_mutex_t lock;
    struct deis_map *entries;
    size_t bytes; /* ever put since the table was emptied */
};

static void entry_free(void *value)
{
    struct entry *e = value;

    free(e->text);
    free(e);
}

struct pages *pages_new(void)
{
    struct pages *p = deis_alloc(sizeof(*p));

    pthread_mutex_init(&p->lock, NULL);
    p->entries = deis_map_new(entry_free);
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

bool pages_has(struct pages *p, const char *app)
{
    pthread_mutex_lock(&p->lock);
    bool there = deis_map_get(p->entries, deis_str(app)) != NULL;
    pthread_mutex_unlock(&p->lock);
    return there;
}

char *pages_get(struct pages *p, const char *app, int64_t revision, size_t *ret_rows)
{
    char *text = NULL;

    pthread_mutex_lock(&p->lock);
    const struct entry *e = deis_map_get(p->entries, deis_str(app));
    if (e && e->revision == revision) {
        text = deis_strdup(e->text);
        *ret_rows = e->rows;
    }
    pthread_mutex_unlock(&p->lock);
    return text;
}

void pages_put(struct pages *p, const char *app, int64_t revision, size_t rows, const char *text)
{
    size_t len = strlen(text);

    pthread_mutex_lock(&p->lock);
    if (p->bytes + len > BYTES_MAX) {
        deis_map_free(p->entries);
        p->entries = deis_map_new(entry_free);
        p->bytes = 0;
    }
    if (len <= TEXT_MAX) {
        struct entry *e = deis_alloc(sizeof(*e));
        *e = (struct entry){ .revision = revision, .rows = rows, .text = deis_strdup(text) };
        deis_map_set(p->entries, deis_str(app), e);
        p->bytes += len;
    } else {
        deis_map_remove(p->entries, deis_str(app));
    }
    pthread_mutex_unlock(&p->lock);
}
