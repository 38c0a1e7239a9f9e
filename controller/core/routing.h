/* SPDX-License-Identifier: MIT */
/*
 * An app's routing document as changes make it: {"settings": {}, "configWhitelist", "updated"}, see
 * lib/model/routing.h. Pure. thread: any
 */
#ifndef CONTROLLER_CORE_ROUTING_H
#define CONTROLLER_CORE_ROUTING_H

#include "controller/core/fields.h"

/* The document of an app for which nothing is set. */
json_t *routing_empty(void);
/* doc with the settings of change (null removes one); a whitelist may be {"add": [], "remove": []}.
 * Yours. Faults go to f, then NULL. */
json_t *routing_merge(const json_t *doc, json_t *change, struct fields *f);
/* The names that change has, with commas, cut short when they are many. Yours. */
char *routing_names(json_t *change);
/* doc with what a config's DEIS_WHITELIST says; text NULL or empty: nothing. Yours. DEIS_INVALID
 * (NULL) names the entry that is none. */
json_t *routing_with_config(const json_t *doc, const char *text, struct deis_err *err);
/* As the API shows it. */
json_t *routing_show(const char *app, const json_t *doc);
/* Does it say nothing? */
bool routing_is_empty(const json_t *doc);

#endif
