/* SPDX-License-Identifier: MIT */
/*
 * Which images of an app stay in the Engine: that of the formation, and those of its newest
 * releases, so that a rollback to one of them needs no pull. The registry has them all. Pure.
 */
#ifndef DEIS_BUILDER_IMAGE_KEEP_H
#define DEIS_BUILDER_IMAGE_KEEP_H

#include "lib/wire/json.h"

/* The images, by digest, of the newest releases, `count` different ones at most: an array of texts,
 * yours. releases: documents, oldest first; builds: documents by uuid. */
json_t *image_keep_newest(const json_t *releases, const json_t *builds, size_t count);
/* Of the Engine's rows about images of one app those without a name that is in `kept`. Yours. */
json_t *image_keep_spent(const json_t *images, const json_t *kept);

#endif
