/* SPDX-License-Identifier: MIT */
/* A unit as the API shows it: a container. Pure. thread: any */
#ifndef CONTROLLER_CORE_CONTAINER_H
#define CONTROLLER_CORE_CONTAINER_H

#include "lib/model/model.h"

/* state: what the agent says, or NULL. since: used for the times when it says nothing. */
json_t *container_document(const struct deis_unit *unit, const struct deis_unit_state *state,
                           const char *owner, const char *since);
/* What a document has besides where details are asked for: the machine (its id; NULL = none),
 * readiness, ends. state may be NULL. */
void container_add_detail(json_t *doc, const char *machine, const struct deis_unit_state *state);
/* A one-off command's record, made to what the API shows of it. */
void container_of_run(json_t *doc, bool detail);
/* The API's word for what the agent reports; state may be NULL. */
const char *container_state(const struct deis_unit *unit, const struct deis_unit_state *state);
/* A UUID that belongs to this text for ever. */
void container_uuid(const char *text, char out[37]);

#endif
