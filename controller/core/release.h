/* SPDX-License-Identifier: MIT */
/*
 * Builds and releases, as the JSON objects that the API shows and etcd keeps. Pure. thread: any
 */
#ifndef CONTROLLER_CORE_RELEASE_H
#define CONTROLLER_CORE_RELEASE_H

#include "controller/core/fields.h"

/* Who makes something, and when: the members that all documents share. */
struct release_origin {
    const char *uuid;
    const char *app;
    const char *owner;
    const char *now; /* in the layout of the API */
};

/* {"image", "sha", "procfile", "dockerfile"} of a request; NULL when f has faults. */
json_t *build_parse(struct fields *f);
/* The document of a build: content (as from build_parse()) with its origin. */
json_t *build_document(const struct release_origin *o, json_t *content);
/* Process types: is `type` one that this build can run? "cmd" always is. */
bool build_has_type(const json_t *build, const char *type);
/* Reference that the image is pulled by; registry: "127.0.0.1:5555". Yours. */
char *build_image(const json_t *build, const char *registry);
char *build_summary(const char *user, const json_t *build);

/* build may be NULL. summary is copied. */
json_t *release_document(const struct release_origin *o, uint32_t version, const char *config_uuid,
                         const char *build_uuid, const char *summary);
/* Version that a rollback goes to: `wanted` as in the request (NULL, null and 0: the one before
 * latest). DEIS_INVALID with the API's text. */
int release_rollback_target(const json_t *wanted, uint32_t latest, uint32_t *ret,
                            struct deis_err *err) deis_must_check;

#endif
