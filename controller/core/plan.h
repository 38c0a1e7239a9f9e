/* SPDX-License-Identifier: MIT */
/*
 * What should run: structure (count of each process type), scaling rules, and the formation that
 * follows from a build, a config and a structure. Pure. thread: any
 */
#ifndef CONTROLLER_CORE_PLAN_H
#define CONTROLLER_CORE_PLAN_H

#include "lib/model/model.h"

#define PLAN_COUNT_MAX 1000 /* processes of one type */

/* Counts of a scale request, checked: object type -> integer. DEIS_INVALID with the API's text. */
int plan_parse_scale(json_t *request, json_t **ret, struct deis_err *err) deis_must_check;
/* Does the build know all types of the request? */
int plan_check_types(json_t *request, const json_t *build, struct deis_err *err) deis_must_check;
/* structure with the request applied: types at 0 that the request does not name disappear. Yours.
 */
json_t *plan_scale(json_t *structure, json_t *request);
/* The structure that a deploy of build uses: the app's own, or the default for an empty one. Yours.
 */
json_t *plan_structure(json_t *structure, const json_t *build);

/* The environment of an app's processes as JSON text: config values, DEIS_APP, DEIS_RELEASE,
 * GIT_SHA. */
char *plan_env(const json_t *config, const char *app, uint32_t version, const json_t *build);

struct plan_input {
    const char *app;
    uint32_t version;
    const json_t *build;
    const json_t *config; /* the four maps, values opened */
    json_t *structure;
    const char *image;
    const char *env; /* sealed */
    const char *operation;
    uint64_t generation;
    uint64_t start_timeout_ms; /* unless DEIS_DEPLOY_TIMEOUT says otherwise */
    uint64_t grace_ms;
    /* What runs now, or NULL: of the same release its env and restart counters are kept, so that
     * units that need not change stay as they are. */
    const struct deis_formation *current;
};

/* *ret is yours (deis_formation_clear). DEIS_INVALID: a limit can't be read. */
int plan_formation(const struct plan_input *in, struct deis_formation *ret,
                   struct deis_err *err) deis_must_check;
/* Raise the restart counters of all processes (type NULL), a type, or one of its numbers (0 = all).
 * Returns how many running processes that concerns. */
uint32_t plan_restart(struct deis_formation *f, const char *type, uint32_t num);

#endif
