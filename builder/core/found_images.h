/* SPDX-License-Identifier: MIT */
/* The images that were found for a Dockerfile: names and ids, and what the Engine says of them put
 * back into the words of the pusher. Pure. */
#ifndef DEIS_BUILDER_FOUND_IMAGES_H
#define DEIS_BUILDER_FOUND_IMAGES_H

#include "builder/core/dockerfile.h"

struct found_image;

/* Zero it to start. */
struct found_images {
    struct found_image *items;
    size_t count;
};

/* The id of one that was added; NULL: none. Borrowed. */
const char *found_images_id(const struct found_images *f, const char *reference);
/* id: of DOCKERFILE_ID_LEN bytes. */
void found_images_add(struct found_images *f, const char *reference, const char *id);
/* Append text, a piece of the Engine's output. Where it tells of a step that names images they have
 * their names again, and stages those that the pusher gave them. */
void found_images_show(const struct found_images *f, struct deis_str text, struct deis_buf *out);
void found_images_clear(struct found_images *f);

#endif
