/* SPDX-License-Identifier: MIT */
/* routing/<app>: the documents that routers follow. thread: workers */
#ifndef CONTROLLER_ROUTINGS_H
#define CONTROLLER_ROUTINGS_H

#include "controller/store.h"

/* routing/<app> as it was read; doc NULL: there is none. */
struct routing_kept {
    json_t *doc;
    int64_t revision;
};

/* What is kept for the app, an empty document with revision 0 when there is none. *ret is yours. */
int routings_get(struct ctl *ctl, const char *app, json_t **ret, int64_t *ret_revision,
                 struct deis_err *err) deis_must_check;
/* Put doc in the place of the one of that revision, or remove it when it says nothing; a guard of
 * the change. */
void routings_put(struct change *c, const char *app, const json_t *doc, int64_t revision);
/*
 * The whitelist that comes with a release's config, in the transaction that makes the release: in
 * effect when the release is, and taken back with it. app_doc, kept: the app and its routing as
 * they were read; config: the config's document when it is new, else NULL.
 */
int routings_follow_release(struct ctl *ctl, struct change *c, const json_t *app_doc,
                            const struct routing_kept *kept, const json_t *release, json_t *config,
                            struct deis_err *err) deis_must_check;

#endif
