/* SPDX-License-Identifier: MIT */
#include "router/core/route_hosts.h"

#include "lib/base/attr.h"
#include "lib/base/map.h"

#include <stdatomic.h>

enum {
    GROUP_NAMES = 64, /* of a group, on average, at most */
    SLOTS_MIN = 4,
    NAMES_MIN = 64, /* bytes */
};

struct host_slot {
    uint32_t hash;
    uint32_t name; /* offset from the group's names */
    uint32_t number;
    uint32_t len; /* 0: free */
};

/* A hash table that is half empty at least, and the names behind it. */
struct host_group {
    atomic_uint refs;
    uint32_t count;
    uint32_t mask; /* slots - 1 */
    uint32_t names_len;
    uint32_t names_cap;
    struct host_slot slots[];
};

struct route_hosts {
    atomic_uint refs;
    uint32_t mask; /* groups - 1 */
    size_t count;
    size_t wildcards; /* names that begin with "*." */
    struct host_group **groups;
};

static char *names_of(const struct host_group *g)
{
    return (char *)(uintptr_t)(g->slots + g->mask + 1);
}

static struct deis_str slot_name(const struct host_group *g, const struct host_slot *s)
{
    return (struct deis_str){ names_of(g) + s->name, s->len };
}

static size_t at_least(size_t size, size_t wanted)
{
    while (size < wanted) {
        size *= 2;
    }
    return size;
}

/* With room for so many hosts, and bytes of names. */
static struct host_group *group_new(size_t hosts, size_t names)
{
    size_t slots = at_least(SLOTS_MIN, hosts * 2);
    size_t cap = at_least(NAMES_MIN, names);
    struct host_group *g = deis_alloc(sizeof(*g) + slots * sizeof(g->slots[0]) + cap);

    atomic_init(&g->refs, 1);
    g->mask = (uint32_t)slots - 1;
    g->names_cap = (uint32_t)cap;
    return g;
}

static void group_unref(struct host_group *g)
{
    if (atomic_fetch_sub(&g->refs, 1) == 1) {
        free(g);
    }
}

/* The slot of the host, or the free one where it belongs. */
static struct host_slot *group_find(struct host_group *g, struct deis_str host, uint32_t hash)
{
    size_t i = hash & g->mask;

    for (;;) {
        struct host_slot *s = &g->slots[i];
        if (s->len == 0 || (s->hash == hash && s->len == host.len &&
                            memcmp(names_of(g) + s->name, host.ptr, host.len) == 0)) {
            return s;
        }
        i = (i + 1) & g->mask;
    }
}

static void group_put(struct host_group *g, struct host_slot *s, struct deis_str host,
                      uint32_t hash, uint32_t number)
{
    memcpy(names_of(g) + g->names_len, host.ptr, host.len);
    *s = (struct host_slot){ hash, g->names_len, number, (uint32_t)host.len };
    g->names_len += (uint32_t)host.len;
    g->count++;
}

/* In the place of a group: its hosts but for one (NULL: with all), and room for a name of this
 * length. */
static void group_renew(struct host_group **place, const struct host_slot *but, size_t room)
{
    struct host_group *old = *place;
    struct host_group *g = group_new(old->count + 1, old->names_len + room);

    for (size_t i = 0; i <= old->mask; i++) {
        const struct host_slot *s = &old->slots[i];
        if (s->len > 0 && s != but) {
            struct deis_str name = slot_name(old, s);
            group_put(g, group_find(g, name, s->hash), name, s->hash, s->number);
        }
    }
    *place = g;
    group_unref(old);
}

static struct host_group **group_of(const struct route_hosts *h, uint64_t hash)
{
    return &h->groups[(uint32_t)(hash >> 32) & h->mask];
}

struct route_hosts *route_hosts_new(size_t expected)
{
    struct route_hosts *h = deis_alloc(sizeof(*h));
    size_t count = at_least(1, (expected + GROUP_NAMES - 1) / GROUP_NAMES);

    atomic_init(&h->refs, 1);
    h->mask = (uint32_t)count - 1;
    h->groups = deis_realloc_array(NULL, count, sizeof(struct host_group *));
    for (size_t i = 0; i < count; i++) {
        h->groups[i] = group_new(expected / count, 0);
    }
    return h;
}

struct route_hosts *route_hosts_copy(const struct route_hosts *h)
{
    struct route_hosts *copy = deis_alloc(sizeof(*copy));

    atomic_init(&copy->refs, 1);
    copy->mask = h->mask;
    copy->count = h->count;
    copy->wildcards = h->wildcards;
    copy->groups = deis_realloc_array(NULL, (size_t)h->mask + 1, sizeof(struct host_group *));
    for (size_t i = 0; i <= h->mask; i++) {
        copy->groups[i] = h->groups[i];
        atomic_fetch_add_explicit(&h->groups[i]->refs, 1, memory_order_relaxed);
    }
    return copy;
}

struct route_hosts *route_hosts_ref(struct route_hosts *h)
{
    atomic_fetch_add_explicit(&h->refs, 1, memory_order_relaxed);
    return h;
}

static void groups_free(struct route_hosts *h)
{
    for (size_t i = 0; i <= h->mask; i++) {
        group_unref(h->groups[i]);
    }
    free(h->groups);
}

void route_hosts_unref(struct route_hosts *h)
{
    if (h && atomic_fetch_sub(&h->refs, 1) == 1) {
        groups_free(h);
        free(h);
    }
}

/* Twice as many groups. */
static void hosts_grow(struct route_hosts *h)
{
    struct route_hosts *more = route_hosts_new(((size_t)h->mask + 1) * 2 * GROUP_NAMES);
    struct deis_str host;
    uint32_t number;
    size_t cursor = 0;

    while (route_hosts_next(h, &cursor, &host, &number)) {
        (void)route_hosts_add(more, host, number);
    }
    groups_free(h);
    h->mask = more->mask;
    h->groups = more->groups;
    free(more);
}

bool route_hosts_add(struct route_hosts *h, struct deis_str host, uint32_t number)
{
    uint64_t hash = deis_hash(host);

    if (host.len == 0 || host.len > ROUTE_HOST_MAX) {
        return false;
    }
    if (h->count >= ((size_t)h->mask + 1) * GROUP_NAMES) {
        hosts_grow(h);
    }
    struct host_group **g = group_of(h, hash);
    struct host_slot *s = group_find(*g, host, (uint32_t)hash);
    if (s->len > 0) {
        return false;
    }
    if (atomic_load(&(*g)->refs) > 1 || ((size_t)(*g)->count + 1) * 2 > (size_t)(*g)->mask + 1 ||
        (*g)->names_len + host.len > (*g)->names_cap) {
        group_renew(g, NULL, host.len);
        s = group_find(*g, host, (uint32_t)hash);
    }
    group_put(*g, s, host, (uint32_t)hash, number);
    h->count++;
    h->wildcards += deis_str_starts(host, "*.");
    return true;
}

void route_hosts_remove(struct route_hosts *h, struct deis_str host)
{
    uint64_t hash = deis_hash(host);
    struct host_group **g = group_of(h, hash);
    const struct host_slot *s = group_find(*g, host, (uint32_t)hash);

    if (s->len > 0) {
        h->count--;
        h->wildcards -= deis_str_starts(host, "*.");
        group_renew(g, s, 0);
    }
}

void route_hosts_set(struct route_hosts *h, struct deis_str host, uint32_t number)
{
    uint32_t now;

    if (!route_hosts_get(h, host, &now) || now != number) {
        route_hosts_remove(h, host);
        (void)route_hosts_add(h, host, number);
    }
}

static const struct host_slot *find(const struct route_hosts *h, struct deis_str host)
{
    uint64_t hash = deis_hash(host);

    return group_find(*group_of(h, hash), host, (uint32_t)hash);
}

bool route_hosts_get(const struct route_hosts *h, struct deis_str host, uint32_t *ret_number)
{
    const struct host_slot *s = find(h, host);

    *ret_number = s->number;
    return s->len > 0;
}

/* That of the wildcard one label above. */
static bool find_wildcard(const struct route_hosts *h, struct deis_str host, uint32_t *ret_number)
{
    char name[ROUTE_HOST_MAX + 1];
    ptrdiff_t dot = deis_str_find(host, '.');

    if (dot <= 0 || host.len > ROUTE_HOST_MAX) {
        return false;
    }
    struct deis_str parent = deis_str_skip(host, (size_t)dot);
    name[0] = '*';
    memcpy(name + 1, parent.ptr, parent.len);
    return route_hosts_get(h, (struct deis_str){ name, parent.len + 1 }, ret_number);
}

bool route_hosts_find(const struct route_hosts *h, struct deis_str host, uint32_t *ret_number)
{
    return route_hosts_get(h, host, ret_number) ||
           (h->wildcards > 0 && find_wildcard(h, host, ret_number));
}

size_t route_hosts_count(const struct route_hosts *h)
{
    return h->count;
}

bool route_hosts_next(const struct route_hosts *h, size_t *cursor, struct deis_str *ret_host,
                      uint32_t *ret_number)
{
    size_t group = *cursor >> 32;
    size_t slot = *cursor & UINT32_MAX;

    for (; group <= h->mask; group++, slot = 0) {
        const struct host_group *g = h->groups[group];
        for (; slot <= g->mask; slot++) {
            const struct host_slot *s = &g->slots[slot];
            if (s->len > 0) {
                *ret_host = slot_name(g, s);
                *ret_number = s->number;
                *cursor = group << 32 | (slot + 1);
                return true;
            }
        }
    }
    *cursor = group << 32;
    return false;
}

static bool share_most(const struct route_hosts *a, const struct route_hosts *b)
{
    size_t differ = 0;

    if (a->mask != b->mask) {
        return false;
    }
    for (size_t i = 0; i <= a->mask; i++) {
        differ += a->groups[i] != b->groups[i];
    }
    return differ <= a->mask / 2 + 1;
}

/* Hosts of a that b has otherwise: with a's number, or as gone. */
static void group_changes(struct host_group *a, struct host_group *b, bool gone,
                          void (*each)(struct deis_str host, const uint32_t *number, void *arg),
                          void *arg)
{
    for (size_t i = 0; i <= a->mask; i++) {
        const struct host_slot *s = &a->slots[i];
        if (s->len == 0) {
            continue;
        }
        struct deis_str host = slot_name(a, s);
        const struct host_slot *other = group_find(b, host, s->hash);
        if (gone && other->len == 0) {
            each(host, NULL, arg);
        } else if (!gone && (other->len == 0 || other->number != s->number)) {
            each(host, &s->number, arg);
        }
    }
}

bool route_hosts_changes(const struct route_hosts *from, const struct route_hosts *to,
                         void (*each)(struct deis_str host, const uint32_t *number, void *arg),
                         void *arg)
{
    if (!share_most(from, to)) {
        return false;
    }
    for (size_t i = 0; i <= from->mask; i++) {
        if (from->groups[i] != to->groups[i]) {
            group_changes(from->groups[i], to->groups[i], true, each, arg);
            group_changes(to->groups[i], from->groups[i], false, each, arg);
        }
    }
    return true;
}
