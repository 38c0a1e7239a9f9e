/* SPDX-License-Identifier: MIT */
#include "controller/tokencache.h"

#include <pthread.h>

#define ENTRIES_MAX 1024 /* beyond: forget all, who comes again is read again */

struct tokencache {
    pthread_mutex_t lock;
    struct deis_map *users;
};

struct tokencache *tokencache_new(void)
{
    struct tokencache *c = deis_alloc(sizeof(*c));

    pthread_mutex_init(&c->lock, NULL);
    c->users = deis_map_new(free);
    return c;
}

void tokencache_free(struct tokencache *c)
{
    if (c) {
        deis_map_free(c->users);
        pthread_mutex_destroy(&c->lock);
        free(c);
    }
}

bool tokencache_get(struct tokencache *c, const char *hash, char ret_user[TOKENCACHE_USER_MAX])
{
    pthread_mutex_lock(&c->lock);
    const char *user = deis_map_get(c->users, deis_str(hash));
    if (user) {
        snprintf(ret_user, TOKENCACHE_USER_MAX, "%s", user);
    }
    pthread_mutex_unlock(&c->lock);
    return user != NULL;
}

void tokencache_put(struct tokencache *c, const char *hash, const char *user)
{
    pthread_mutex_lock(&c->lock);
    if (deis_map_count(c->users) >= ENTRIES_MAX) {
        deis_map_free(c->users);
        c->users = deis_map_new(free);
    }
    deis_map_set(c->users, deis_str(hash), deis_strdup(user));
    pthread_mutex_unlock(&c->lock);
}
