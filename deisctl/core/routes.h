/* SPDX-License-Identifier: MIT */
/* What a router says about its routes (/routes), for people and for programs. Pure. */
#ifndef DEISCTL_CORE_ROUTES_H
#define DEISCTL_CORE_ROUTES_H

#include "deisctl/core/table.h"

#include "lib/wire/json.h"

/*
 * Hosts in the order of their names, each with its app and the app's units:
 * [{"host","app","wanted","units":[{"unit","address","state","in_flight"}]}]. only: a host or an
 * app, NULL for all. Yours; NULL: DEIS_PROTOCOL, the document is not a router's.
 */
json_t *routes_read(struct deis_str text, const char *only, struct deis_err *err);
/* A row for each host and unit. */
void routes_tabulate(const json_t *routes, struct table *t);

#endif
