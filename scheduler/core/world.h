/* SPDX-License-Identifier: MIT */
/*
 * What the engine knows: a parsed mirror of the keys in etcd that its decisions rest on. Pure:
 * changes come in with the time at which they were seen (monotonic, in ms), so ages never depend on
 * the clocks of other machines. thread: one owner
 */
#ifndef SCHEDULER_CORE_WORLD_H
#define SCHEDULER_CORE_WORLD_H

#include "lib/model/model.h"

/* deis_map_next() with a typed value: WORLD_EACH(world->units, struct world_unit, unit) { ... } */
#define WORLD_EACH(map, type, var)                                                                 \
    for (size_t var##_at_ = 0, var##_on_ = 1; var##_on_; var##_on_ = 0)                            \
        for (type *var = NULL; (var = world_next_(map, &var##_at_)) != NULL;)

struct world_formation {
    struct deis_formation doc;
    uint64_t since_ms; /* when this generation was first seen */
};

struct world_unit {
    struct deis_unit doc;
    int64_t create_revision;
    int64_t mod_revision;
    uint64_t since_ms; /* when its present machine and desired state were first seen */
};

struct world_state {
    struct deis_unit_state doc;
    uint64_t since_ms; /* when its present state (not `ready`) was first seen */
};

enum world_verdict { WORLD_VERDICT_NONE, WORLD_VERDICT_LOST, WORLD_VERDICT_CORDONED };

struct world_machine {
    char *id;
    bool known;        /* machines/<id> is there */
    bool present;      /* its presence key is there */
    uint64_t since_ms; /* when `present` was first seen as it is */
    struct deis_machine doc;
    enum world_verdict verdict;
    int64_t verdict_revision; /* mod revision of the verdict, 0 = none */
};

struct world_rollout {
    struct deis_rollout doc;
    int64_t mod_revision;
    uint64_t since_ms; /* when this generation was first seen */
};

struct world {
    struct deis_map *formations; /* by app: struct world_formation */
    struct deis_map *unreadable; /* apps whose formation is there and breaks its rules */
    struct deis_map *units;      /* by unit: struct world_unit */
    struct deis_map *states;     /* by "<machine>/<unit>": struct world_state */
    struct deis_map *machines;   /* by id: struct world_machine */
    struct deis_map *rollouts;   /* by app: struct world_rollout */
    struct deis_map *drained;    /* by "<router>/<unit>": int64_t mod revision */
    struct deis_map *routers;    /* by instance */
    uint64_t routers_gone_ms;    /* when the last of them left; 0 = there never was one */
};

struct world *world_new(void);
void world_free(struct world *w); /* NULL is fine */

/* One change of a key below formations/, units/, states/, machines/, verdicts/, rollouts/, drained/
 * or services/router/; other keys are ignored. value is not read when deleted. DEIS_INVALID: the
 * document breaks its rules; what was known before stays. */
int world_apply(struct world *w, const char *key, struct deis_str value, bool deleted,
                int64_t create_revision, int64_t mod_revision, uint64_t now_ms,
                struct deis_err *err) deis_must_check;

/* NULL = absent; borrowed until the next change. */
struct world_unit *world_unit(const struct world *w, const char *unit);
/* State that the unit's own machine reports; what other machines say about it does not count. */
struct world_state *world_state_of(const struct world *w, const struct world_unit *unit);
struct world_machine *world_machine(const struct world *w, const char *id);

/* Is the app to be forgotten: is there no formation, not even one that can't be read? */
bool world_is_gone(const struct world *w, const char *app);

void *world_next_(const struct deis_map *map, size_t *cursor);

#endif
