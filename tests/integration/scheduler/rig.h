/* SPDX-License-Identifier: MIT */
/*
 * A scheduler (the real program) between a real etcd, the real Docker Engine and a logger played by
 * this test. Everything that the scheduler makes carries a machine id and a network of this
 * process. Failures and waits beyond their deadline end the test.
 */
#ifndef TESTS_SCHEDULER_RIG_H
#define TESTS_SCHEDULER_RIG_H

#include "tests/support/etcd_server.h"

#include "lib/model/model.h"
#include "lib/net/bus.h"
#include "lib/net/docker.h"

#define RIG_WAIT_MS 120000
#define RIG_OPTIONS 4 /* words */

struct rig;

/* NULL, after printing why, when this machine lacks something. */
struct rig *rig_new(const char *test);
void rig_free(struct rig *r);

/* --- the programs --- */
void rig_scheduler_start(struct rig *r);
/* Start it anew with more options; they are borrowed. */
void rig_scheduler_options(struct rig *r, const char *const options[RIG_OPTIONS]);
void rig_scheduler_kill(struct rig *r); /* SIGKILL */
void rig_etcd_kill(struct rig *r);
void rig_etcd_start(struct rig *r);
/* Both while it is not running: keep its data, and put back what was kept. */
void rig_etcd_backup(struct rig *r);
void rig_etcd_restore(struct rig *r);
/* A client, to read what etcd holds at this moment. */
struct deis_etcd *rig_etcd(struct rig *r);
void rig_logger(struct rig *r, bool on);

/* Another one on the same data, while it runs; the wait status of its end. */
int rig_scheduler_second(struct rig *r);
/* The file in which it keeps the units of its machine; yours. */
char *rig_saved_units(struct rig *r);
/* While the scheduler does not run: the places up to which logs were handed over are lost. */
void rig_forget_log_places(struct rig *r);

/* --- what should run --- */
/* Units of type web (routable, script run by sh with PORT set) and worker (not routable). */
struct rig_formation {
    const char *app;
    unsigned generation;
    unsigned release;
    unsigned web;
    unsigned worker;
    const char *script;
    const char *health;        /* path, or NULL */
    const char *config;        /* value of the variable CONFIG, or NULL */
    const char *image;         /* NULL: rig_image() */
    unsigned grace_ms;         /* 0: 300, for scripts that do not heed SIGTERM */
    unsigned start_timeout_ms; /* 0: as long as a wait of this rig */
};

void rig_formation(struct rig *r, const struct rig_formation *f);
void rig_no_formation(struct rig *r, const char *app);

/* --- what is --- */
/* Wait until the condition holds: it is asked after every change in etcd and every line of log. */
void rig_wait(struct rig *r, const char *what, bool (*holds)(struct rig *r, void *arg), void *arg);
void rig_wait_rollout(struct rig *r, const char *app, unsigned generation,
                      enum deis_rollout_state state);
/* The reason of the app's rollout; yours. And the unit that it names. */
char *rig_reason(struct rig *r, const char *app);
char *rig_blamed(struct rig *r, const char *app);
/* State of a unit by app and "web.1", of the highest release that has one; false = none. Clear it.
 */
bool rig_state(struct rig *r, const char *app, const char *process, struct deis_unit_state *ret);
size_t rig_count_states(struct rig *r, const char *app, unsigned release);
/* Body of GET / at a unit, yours. */
char *rig_get(struct rig *r, const char *app, const char *process);

/* --- lines that the logger keeps --- */
size_t rig_count_lines(struct rig *r, const char *app);
/* The n-th line of an app, "web.1 text", as it came; yours. */
char *rig_line(struct rig *r, const char *app, size_t n);
uint64_t rig_lost_bytes(struct rig *r);

/* --- tools --- */
struct deis_docker *rig_docker(struct rig *r);
const char *rig_image(struct rig *r);
const char *rig_key_file(struct rig *r);
const char *rig_label(struct rig *r); /* of components that the scheduler watches over */
/* A name that no other process of this test uses; yours. */
char *rig_unique(const char *name);
/* A request to the scheduler. */
int rig_call(struct rig *r, const char *method, const ProtobufCMessage *request,
             const ProtobufCMessageDescriptor *answer, ProtobufCMessage **ret,
             struct deis_err *err);
/* Sealed environment with one variable, for agent.run; yours. */
char *rig_seal(struct rig *r, const char *app, const char *name, const char *value);
/* Number of containers of the rig's machine, running or not. */
size_t rig_count_containers(struct rig *r);

#endif
