/* SPDX-License-Identifier: MIT */
/*
 * Changes of what an app runs, as durable operations: operations/<app> holds all that is needed to
 * carry one on, and is the lock; whoever carries it waits for the engine, then writes the release
 * or takes the formation back, in one transaction with the outcome. thread: workers
 */
#ifndef CONTROLLER_DEPLOY_H
#define CONTROLLER_DEPLOY_H

#include "controller/apps.h"
#include "controller/live.h"

/* What a change comes to, given the app as it stands. All owned. */
struct deploy_plan {
    bool nothing;       /* it is so already: no operation */
    bool has_formation; /* formation is to be rolled out */
    bool remove;        /* the app has no build any more: nothing is to run */
    struct deis_formation formation;
    json_t *release; /* documents to write; NULL = none */
    json_t *config;
    json_t *build;
    json_t *structure;
    char *summary; /* a line for the app's log, or NULL */
};

struct deploy_request {
    struct ctl *ctl;
    const char *kind; /* "build", "config", ... */
    const char *app;
    const char *user;
    const json_t *hint;                   /* the app's document as it was just read, or NULL */
    const char *request;                  /* id, for the audit */
    const char *source;                   /* address that it came from, for the audit, or NULL */
    char operation[OPERATION_ID_MAX + 1]; /* id given by the caller, or "" */
    uint64_t patience_ms;                 /* how long to wait for another operation to end */
    bool holds_request;                   /* the thread is one of those that serve requests */
    /* Fill *plan (zeroed) from the app as it stands; called again when that changes meanwhile. A
     * failure ends the request. */
    int (*prepare)(const struct deploy_request *req, const struct app_view *view,
                   struct deploy_plan *plan, struct deis_err *err);
    void *arg;
};

/* Do it and wait for its end. 0: *ret says how it ended (clear it). DEIS_CONFLICT: another
 * operation is under way, the text says which. DEIS_CANCELLED: this process stops, another one
 * carries it on. Other failures: nothing was begun. */
int deploy_run(struct deploy_request *req, struct outcome *ret,
               struct deis_err *err) deis_must_check;
/* Likewise for destroying the app; prepare is not used, nor is another operation waited for. When
 * as many requests wait as may, this one does not: *ret says done once it is certain that the app
 * goes. */
int deploy_destroy(struct deploy_request *req, struct outcome *ret,
                   struct deis_err *err) deis_must_check;

/* A release of this config and build as a plan: what prepare functions of config, build and
 * rollback have in common. config: opened maps; its document goes to the plan when new_config.
 * build may be NULL; its document goes to the plan when new_build. */
struct deploy_release {
    const json_t *config;
    const char *config_uuid;
    json_t *build;
    bool new_build;
    const char *summary;
};

int deploy_plan_release(const struct deploy_request *req, const struct app_view *view,
                        const struct deploy_release *rel, struct deploy_plan *plan,
                        struct deis_err *err) deis_must_check;
/* The formation of the app's newest release with another structure. */
int deploy_plan_structure(const struct deploy_request *req, const struct app_view *view,
                          json_t *structure, struct deploy_plan *plan,
                          struct deis_err *err) deis_must_check;

/* A new build's document. */
json_t *deploy_new_build(const char *app, const char *user, json_t *content);
/* prepare of a build; arg is its document. */
int deploy_prepare_build(const struct deploy_request *req, const struct app_view *view,
                         struct deploy_plan *plan, struct deis_err *err) deis_must_check;

/* For handlers: a request about their app, and the answer to one that did not come to a good end.
 */
struct deploy_request deploy_request_of(struct api *a, const char *kind, uint64_t patience_ms);
void deploy_answer_failure(struct api *a, int r, const struct outcome *o,
                           const struct deis_err *err);

/* Carry an operation that is written on a thread of its own; if none is free, deploy_resume() does
 * it later. Takes what op holds, and the reference to live. */
void deploy_hand_on(struct ctl *ctl, struct operation *op, struct live *live);

/* Look for operations that nobody carries, take them over, and tidy up what is old. */
void deploy_resume(struct ctl *ctl);

#endif
