/* SPDX-License-Identifier: MIT */
/*
 * What failed builds leave in the Engine: images of the steps that went well. The next attempt
 * begins with them, so they are kept for a while; <data>/layers/<build id> remembers them, since
 * nothing else has their names.
 */
#ifndef DEIS_BUILDER_LAYERS_H
#define DEIS_BUILDER_LAYERS_H

#include "builder/record.h"

#include "lib/net/docker.h"

/* Remember the layer of a build that failed, if it got to one. */
int layers_keep(const struct settings *s, const struct record *r,
                struct deis_err *err) deis_must_check;
/* Remove those that is_spent says true of. Returns how many of them could not be removed yet.
 * Blocking. */
unsigned layers_sweep(const struct settings *s, struct deis_docker *docker,
                      bool (*is_spent)(const char *app, uint64_t age_ms, void *arg), void *arg);

#endif
