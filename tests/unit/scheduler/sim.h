/* SPDX-License-Identifier: MIT */
/*
 * A small etcd in memory in front of a world: documents go in as text, plans are carried out under
 * their guards, and time passes when the test says so.
 */
#ifndef TESTS_SCHEDULER_SIM_H
#define TESTS_SCHEDULER_SIM_H

#include "scheduler/core/plan.h"

struct sim;

struct sim *sim_new(void);
void sim_free(struct sim *s);
const struct world *sim_world(const struct sim *s);
void sim_pass(struct sim *s, uint64_t ms);

/* value NULL deletes. key without "/deis/". */
void sim_put(struct sim *s, const char *key, const char *value);
void sim_delete(struct sim *s, const char *key);
/* A machine with these tags (JSON object), present. */
void sim_machine(struct sim *s, const char *id, const char *tags);
/* A formation of web (routable) and worker processes; release, and with it the contents, as given.
 */
void sim_formation(struct sim *s, const char *app, unsigned generation, unsigned release,
                   unsigned web, unsigned worker);
/* What the agent of the unit's machine says about it. */
void sim_state(struct sim *s, const char *unit, const char *state, bool ready, unsigned exits);

/* Make one plan and carry it out; the number of its actions. All guards must hold. */
size_t sim_step(struct sim *s);
/* How long the plan may wait if nothing happens, in ms. */
uint64_t sim_sleep(struct sim *s);
/* Step until a plan is empty (asserts that it soon is), agents do nothing meanwhile. */
void sim_settle(struct sim *s);
/* Settle while agents obey: running units become up and ready, stopped ones lose their state. */
void sim_converge(struct sim *s);

/* Units of an app, "type.num" of a release, that are desired like this. */
size_t sim_count(const struct sim *s, const char *app, unsigned release, enum deis_desired desired);
/* Id of the unit, desired run, or else any; NULL when there is none. */
const char *sim_unit(const struct sim *s, const char *app, unsigned release, const char *type,
                     unsigned num);
const struct deis_rollout *sim_rollout(const struct sim *s, const char *app);

#endif
