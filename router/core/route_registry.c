/* SPDX-License-Identifier: MIT */
#include "router/core/route_table.h"

#include "lib/base/buf.h"
#include "lib/wire/url.h"

#include <arpa/inet.h>

struct route_registry {
    struct deis_map *endpoints; /* "unit address proxy_from" -> endpoint, one ref each */
    struct deis_map *stats;     /* app -> stats, one ref each */
    uint32_t *free_slots;
    size_t free_count;
    uint32_t slots;
    bool marked;
    uint64_t (*tag)(const char *unit, void *arg);
    void *tag_arg;
};

bool route_address_parse(struct deis_str text, uint8_t ip[16], bool *ret_v6, uint16_t *ret_port)
{
    struct deis_str host;
    char name[64];

    if (deis_addr_split(text, &host, ret_port, NULL) < 0 || host.len >= sizeof(name) ||
        *ret_port == 0) {
        return false;
    }
    memcpy(name, host.ptr, host.len);
    name[host.len] = '\0';
    if (inet_pton(AF_INET, name, ip) == 1) {
        *ret_v6 = false;
        return true;
    }
    *ret_v6 = true;
    return inet_pton(AF_INET6, name, ip) == 1;
}

static uint64_t plain_tag(const char *unit, void *arg)
{
    return deis_hash(deis_str(unit));
}

static void endpoint_free(struct route_endpoint *e)
{
    free(e->unit);
    free(e->address);
    free(e->proxy_from);
    free(e);
}

static void on_free_endpoint(void *value)
{
    endpoint_free(value);
}

static void on_free_stats(void *value)
{
    route_stats_unref(value);
}

struct route_registry *route_registry_new(void)
{
    struct route_registry *r = deis_alloc(sizeof(*r));

    r->endpoints = deis_map_new(on_free_endpoint);
    r->stats = deis_map_new(on_free_stats);
    r->tag = plain_tag;
    return r;
}

void route_registry_set_tagger(struct route_registry *r,
                               uint64_t (*tag)(const char *unit, void *arg), void *arg)
{
    r->tag = tag;
    r->tag_arg = arg;
}

void route_registry_free(struct route_registry *r)
{
    if (!r) {
        return;
    }
    deis_map_free(r->endpoints);
    deis_map_free(r->stats);
    free(r->free_slots);
    free(r);
}

struct route_endpoint *route_registry_endpoint(struct route_registry *r, const char *unit,
                                               const char *address, const char *proxy_from)
{
    uint8_t ip[16] = { 0 };
    bool v6;
    uint16_t port;

    if (!route_address_parse(deis_str(address), ip, &v6, &port)) {
        return NULL;
    }
    deis_autofree char *key =
        deis_asprintf("%s %s %s", unit, address, proxy_from ? proxy_from : "");
    struct route_endpoint *e = deis_map_get(r->endpoints, deis_str(key));
    if (!e) {
        e = deis_alloc(sizeof(*e));
        atomic_init(&e->refs, 1);
        e->unit = deis_strdup(unit);
        e->address = deis_strdup(address);
        e->proxy_from = proxy_from ? deis_strdup(proxy_from) : NULL;
        memcpy(e->ip, ip, sizeof(ip));
        e->v6 = v6;
        e->port = port;
        e->slot = r->free_count > 0 ? r->free_slots[--r->free_count] : r->slots++;
        deis_map_set(r->endpoints, deis_str(key), e);
    }
    route_endpoint_ref(e);
    return e;
}

void route_registry_tag(struct route_registry *r, struct route_endpoint *e)
{
    if (e->tag == 0) {
        e->tag = r->tag(e->unit, r->tag_arg);
    }
}

static struct route_stats *stats_new(void)
{
    struct route_stats *s = aligned_alloc(ROUTE_CACHE_LINE, sizeof(*s));

    if (!s) {
        abort(); /* as all that runs out of memory */
    }
    memset(s, 0, sizeof(*s));
    atomic_init(&s->refs, 1);
    return s;
}

struct route_stats *route_registry_stats(struct route_registry *r, const char *app)
{
    struct route_stats *s = deis_map_get(r->stats, deis_str(app));

    if (!s) {
        s = stats_new();
        deis_map_set(r->stats, deis_str(app), s);
    }
    atomic_fetch_add(&s->refs, 1);
    return s;
}

void route_registry_mark(struct route_registry *r)
{
    r->marked = true;
}

bool route_registry_sweep(struct route_registry *r)
{
    size_t cursor = 0;
    struct deis_str key;
    void *value;
    bool clean = true;

    if (!r->marked) {
        return true;
    }
    while (deis_map_next(r->endpoints, &cursor, &key, &value)) {
        struct route_endpoint *e = value;
        if (atomic_load(&e->refs) == 1 && atomic_load(&e->in_flight) == 0) {
            r->free_slots = deis_realloc_array(r->free_slots, r->free_count + 1, sizeof(uint32_t));
            r->free_slots[r->free_count++] = e->slot;
            deis_map_remove(r->endpoints, key);
        } else if (atomic_load(&e->retired)) {
            clean = false;
        }
    }
    cursor = 0;
    while (deis_map_next(r->stats, &cursor, &key, &value)) {
        if (atomic_load(&((struct route_stats *)value)->refs) == 1) {
            deis_map_remove(r->stats, key);
        }
    }
    r->marked = !clean;
    return clean;
}

uint32_t route_registry_slots(const struct route_registry *r)
{
    return r->slots;
}

int route_registry_in_flight(const struct route_registry *r, const char *unit)
{
    size_t cursor = 0;
    struct deis_str key;
    void *value;
    int sum = 0;

    while (deis_map_next(r->endpoints, &cursor, &key, &value)) {
        struct route_endpoint *e = value;
        if (strcmp(e->unit, unit) == 0) {
            sum += atomic_load(&e->in_flight);
        }
    }
    return sum;
}
