/* SPDX-License-Identifier: MIT */
/*
 * The documents in etcd that more than one service reads, and their keys. docs/STATE.md explains
 * each field. Pure: JSON text in, struct out and back. Parsing is strict about types, ignores
 * unknown members. thread: any
 */
#ifndef DEIS_MODEL_MODEL_H
#define DEIS_MODEL_MODEL_H

#include "lib/base/buf.h"
#include "lib/base/map.h"
#include "lib/wire/json.h"

#define DEIS_KEY_MAX  512
#define DEIS_NAME_MAX 200 /* of a unit, an app, a machine: two of them fit in a key */

/* Keys: the text is written to out (of DEIS_KEY_MAX bytes) and out returned. Parts must be valid
 * names. */
char *deis_key(char out[DEIS_KEY_MAX], const char *format, ...)
    deis_printf(2, 3); /* "/deis/" + format */
/* If key starts with "/deis/" + prefix: the rest, else NONE. */
struct deis_str deis_key_below(const char *key, const char *prefix);

/* NULL-terminated array of texts, or NULL. */
void deis_strv_free(char **v);
char **deis_strv_copy(char *const *v);
bool deis_strv_eq(char *const *a, char *const *b);

struct deis_health {
    char *path; /* NULL = no HTTP check: the port must accept */
    uint64_t delay_ms;
    uint64_t timeout_ms;
};

struct deis_process {
    char *type;
    uint32_t count;
    char **entrypoint; /* NULL = the image's */
    char **command;    /* NULL = the image's */
    uint64_t memory_bytes;
    uint32_t cpu_shares;
    json_t *tags; /* object of texts, or NULL */
    bool routable;
    json_t *restarts; /* object "all" or number -> counter, or NULL */
};

struct deis_formation {
    char *app;
    uint64_t generation;
    char *operation;
    uint32_t release;
    char *image;
    char *env; /* sealed */
    uint64_t grace_ms;
    uint64_t start_timeout_ms;
    struct deis_health health;
    struct deis_process *processes;
    size_t process_count;
};

int deis_formation_parse(struct deis_str text, struct deis_formation *ret,
                         struct deis_err *err) deis_must_check;
char *deis_formation_format(const struct deis_formation *f); /* yours */
void deis_formation_clear(struct deis_formation *f);

enum deis_desired { DEIS_DESIRED_RUN, DEIS_DESIRED_DRAIN, DEIS_DESIRED_STOP };

struct deis_unit {
    char *unit;
    char *app;
    uint32_t release;
    char *type;
    uint32_t num;
    char *machine;
    enum deis_desired desired;
    int64_t epoch;
    char *image;
    char *env; /* sealed */
    char **entrypoint;
    char **command;
    uint64_t memory_bytes;
    uint32_t cpu_shares;
    bool routable;
    uint64_t grace_ms;
    uint64_t start_timeout_ms;
    struct deis_health health;
};

int deis_unit_parse(struct deis_str text, struct deis_unit *ret,
                    struct deis_err *err) deis_must_check;
char *deis_unit_format(const struct deis_unit *u);
void deis_unit_clear(struct deis_unit *u);

enum deis_state {
    DEIS_STATE_CREATED,
    DEIS_STATE_STARTING,
    DEIS_STATE_UP,
    DEIS_STATE_CRASHED,
    DEIS_STATE_STOPPING,
    DEIS_STATE_ERROR,
};

const char *deis_state_name(enum deis_state s);

struct deis_unit_state {
    char *unit;
    char *app;
    char *type;
    uint32_t num;
    uint32_t release;
    char *machine;
    enum deis_state state;
    bool ready;
    char *address;   /* "172.18.0.5:5000", or "" when it has no port */
    char *container; /* Docker id, or "" */
    uint32_t exits;
    int32_t exit_code; /* of the last end; 0 when there was none */
    bool exit_oom;
    char *exit_error;    /* the Engine's text, or "" */
    uint64_t exit_at_ms; /* 0 = never ended */
    char *reason;        /* for people, or "" */
    uint64_t since_ms;
};

int deis_unit_state_parse(struct deis_str text, struct deis_unit_state *ret,
                          struct deis_err *err) deis_must_check;
char *deis_unit_state_format(const struct deis_unit_state *s);
void deis_unit_state_clear(struct deis_unit_state *s);

enum deis_rollout_state { DEIS_ROLLOUT_RUNNING, DEIS_ROLLOUT_DONE, DEIS_ROLLOUT_FAILED };

struct deis_rollout {
    char *app;
    uint64_t generation;
    char *operation;
    enum deis_rollout_state state;
    uint32_t ready;
    uint32_t wanted;
    char *reason;
    char *unit;
    char *machine;
    int64_t settled; /* units with a create revision up to this belong to the last rollout that was
                        done */
};

int deis_rollout_parse(struct deis_str text, struct deis_rollout *ret,
                       struct deis_err *err) deis_must_check;
char *deis_rollout_format(const struct deis_rollout *r);
void deis_rollout_clear(struct deis_rollout *r);

struct deis_machine {
    char *id;
    char *hostname;
    char *address;    /* where other machines reach it */
    char *bus;        /* "tcp://127.0.0.1:7004" of its agent */
    json_t *metadata; /* object of texts */
    uint32_t cpus;
    uint64_t memory_bytes;
};

int deis_machine_parse(struct deis_str text, struct deis_machine *ret,
                       struct deis_err *err) deis_must_check;
char *deis_machine_format(const struct deis_machine *m);
void deis_machine_clear(struct deis_machine *m);

struct deis_service {
    char *http; /* "127.0.0.1:8000", or NULL */
    char *bus;
    char *ssh;
    char *proxy_from; /* ranges whose connections to `ssh` begin with a PROXY header */
    char **
        keys; /* ids of the cluster keys that it holds, first the one that it seals with; or NULL */
};

int deis_service_parse(struct deis_str text, struct deis_service *ret,
                       struct deis_err *err) deis_must_check;
char *deis_service_format(const struct deis_service *s);
void deis_service_clear(struct deis_service *s);

#endif
