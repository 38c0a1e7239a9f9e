/* SPDX-License-Identifier: MIT */
#include "controller/memo.h"

#include <pthread.h>

struct memo {
    pthread_mutex_t lock;
    struct deis_map *texts;
    size_t entries;
};

struct memo *memo_new(size_t entries)
{
    struct memo *m = deis_alloc(sizeof(*m));

    pthread_mutex_init(&m->lock, NULL);
    m->texts = deis_map_new(free);
    m->entries = entries;
    return m;
}

void memo_free(struct memo *m)
{
    if (m) {
        deis_map_free(m->texts);
        pthread_mutex_destroy(&m->lock);
        free(m);
    }
}

bool memo_get(struct memo *m, const char *name, char ret[MEMO_TEXT_MAX])
{
    pthread_mutex_lock(&m->lock);
    const char *text = deis_map_get(m->texts, deis_str(name));
    if (text) {
        snprintf(ret, MEMO_TEXT_MAX, "%s", text);
    }
    pthread_mutex_unlock(&m->lock);
    return text != NULL;
}

void memo_put(struct memo *m, const char *name, const char *text)
{
    if (strlen(text) >= MEMO_TEXT_MAX) {
        return;
    }
    pthread_mutex_lock(&m->lock);
    if (deis_map_count(m->texts) >= m->entries) {
        deis_map_free(m->texts);
        m->texts = deis_map_new(free);
    }
    deis_map_set(m->texts, deis_str(name), deis_strdup(text));
    pthread_mutex_unlock(&m->lock);
}
