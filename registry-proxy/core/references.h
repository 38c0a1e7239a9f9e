/* SPDX-License-Identifier: MIT */
/* Which images the builds of the apps name. In doubt one more is named than is meant. Pure. */
#ifndef REGISTRY_CORE_REFERENCES_H
#define REGISTRY_CORE_REFERENCES_H

#include "lib/base/map.h"
#include "lib/wire/json.h"

struct references;

struct references *references_new(void);
void references_free(struct references *r); /* NULL is fine */

/* A document apps/<app>/builds/<uuid>: "image", and "sha" for an image that has no tag. */
void references_add_build(struct references *r, const json_t *build);
void references_add_digest(struct references *r, struct deis_str hex);

bool references_name_digest(const struct references *r, struct deis_str hex);
/* A tag of this name, in whatever repository. */
bool references_name_tag(const struct references *r, struct deis_str tag);

#endif
