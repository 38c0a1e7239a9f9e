/* SPDX-License-Identifier: MIT */
/* Shared by the parts of the agent only: agent*.c. */
#ifndef SCHEDULER_AGENT_PRIV_H
#define SCHEDULER_AGENT_PRIV_H

#include "scheduler/agent.h"
#include "scheduler/probe.h"
#include "scheduler/report.h"

#define AGENT_TAILS      64
#define AGENT_TAIL_LINES 50
#define AGENT_TAIL_BYTES (64 * 1024)

struct agent_tail {
    char *unit;
    char *lines;
};

struct agent {
    const struct context *ctx;
    struct runtime *rt;
    struct logship *logs;
    struct report *report;
    struct deis_workers *jobs;  /* Docker calls */
    struct deis_workers *pulls; /* those that may take minutes */
    struct deis_workers *disk;  /* the saved file, one at a time */
    struct deis_etcd_watch *watch;
    struct deis_docker_events *events;
    struct deis_map *units; /* by id: struct agent_unit */
    /* agent_sweep.c */
    struct deis_timer *sweep_timer;
    bool sweeping;
    bool sweep_again;
    /* agent_images.c */
    struct deis_timer *images_timer;
    bool images_swept; /* a sweep is under way */
    /* agent_saved.c */
    char *saved_path;
    struct deis_timer *saved_timer;
    bool saving;
    bool save_again;
    /* what is known of etcd */
    bool synced;      /* units/ was listed: what it does not name may go */
    int64_t revision; /* highest seen, also before a restart */
    int64_t latest;   /* last seen by this process */
    bool held;        /* etcd went back in time, maybe before a restart: nothing that it does not
                       * know is stopped */
    bool stopping;
    void (*on_container)(const json_t *container, void *arg);
    void *on_container_arg;
    struct agent_tail tails[AGENT_TAILS]; /* of removed units, a ring */
    size_t next_tail;
};

struct agent_unit {
    struct agent *agent;
    struct deis_unit doc;
    char *text;           /* the document as etcd has it */
    int64_t mod_revision; /* of it, or that was seen at most before a restart */
    struct unit_fsm fsm;
    struct deis_timer *timer;
    struct probe *probe;
    bool listed;  /* etcd has it, on this machine */
    bool leaving; /* a watch said that it is gone; acted on when the mirror is consistent */
};

/* --- agent_unit.c --- */

/* Now. */
struct unit_time agent_time(void);
/* Take a unit in. known may be NULL. The text is copied; DEIS_INVALID when it is no unit. */
int agent_unit_add(struct agent *a, struct deis_str text, const struct deis_unit_state *known,
                   struct agent_unit **ret, struct deis_err *err) deis_must_check;
/* Another version of its document, unless an earlier engine has written it after a later one. */
int agent_unit_update(struct agent_unit *u, struct deis_str text, int64_t mod_revision,
                      struct deis_err *err) deis_must_check;
/* Nobody wants it any more: stop, remove, forget. May free u at once. */
void agent_unit_drop(struct agent_unit *u);
/* Do what is due. May free u. */
void agent_unit_pump(struct agent_unit *u);
void agent_unit_free(void *u);

/* --- agent_sweep.c: compare with what the Engine runs --- */

/* List soon; repeated calls are one. */
void agent_sweep(struct agent *a);
void agent_sweep_start(struct agent *a);
void agent_sweep_stop(struct agent *a);

/* --- agent_images.c --- */

void agent_images_start(struct agent *a);
void agent_images_stop(struct agent *a);

/* --- agent_tails.c --- */

void agent_tails_keep(struct agent *a, const char *unit, struct deis_str lines);
void agent_tails_free(struct agent *a);

/* --- agent_saved.c --- */

void agent_saved_start(struct agent *a); /* loads what was saved */
void agent_saved_stop(struct agent *a);  /* writes what has changed */
void agent_saved_touch(struct agent *a);

#endif
