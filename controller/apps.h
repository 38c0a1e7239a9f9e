/* SPDX-License-Identifier: MIT */
/*
 * The app as a whole: its documents as they stand, read together, and the rules for writing them.
 * The app's own document names its newest release, config and build. thread: workers
 */
#ifndef CONTROLLER_APPS_H
#define CONTROLLER_APPS_H

#include "controller/api.h"
#include "controller/core/operation.h"
#include "controller/core/plan.h"
#include "controller/core/release.h"
#include "controller/routings.h"

/* As the API shows it; a new reference. */
json_t *apps_show(struct ctl *ctl, json_t *doc);
/* A new app's document. structure may be NULL. */
json_t *apps_document(const struct release_origin *o, json_t *structure, const char *config_uuid);

/* Is the request's app being destroyed? Then nothing is added to it: answered, true. */
bool apps_refuse_destroyed(struct api *a);

/* A config document as kept: its values sealed for the app. maps: the four maps. Yours. */
json_t *config_seal(struct ctl *ctl, const struct release_origin *o, const json_t *maps);
/* The document with its values opened, as the API shows it: all four maps are there. Yours. */
int config_open(struct ctl *ctl, json_t *kept, json_t **ret, struct deis_err *err) deis_must_check;
/* The config of the newest release, opened. */
int config_current(struct ctl *ctl, const char *app, const json_t *app_doc, json_t **ret,
                   struct deis_err *err) deis_must_check;

/* All that a change of an app starts from. */
struct app_view {
    json_t *app;
    int64_t app_revision;
    uint32_t latest;
    json_t *config; /* opened */
    json_t *build;  /* NULL: none */
    bool running;   /* there is a formation */
    struct deis_formation formation;
    json_t *formation_doc;
    int64_t formation_revision;
    uint64_t generation;        /* the last one used */
    struct operation operation; /* under way; id NULL: none */
    int64_t operation_revision;
    struct routing_kept routing;
};

#define app_view_auto __attribute__((cleanup(app_view_clear)))
/* DEIS_NOT_FOUND: no such app. hint: the app's document as it was a moment ago, or NULL; when it
 * still names the same config and build one question to etcd is enough. */
int app_view_load(struct ctl *ctl, const char *app, const json_t *hint, struct app_view *ret,
                  struct deis_err *err) deis_must_check;
void app_view_clear(struct app_view *v);
/* One release; DEIS_NOT_FOUND. */
int app_release(struct ctl *ctl, const char *app, uint32_t version, json_t **ret,
                struct deis_err *err) deis_must_check;

#endif
