/* SPDX-License-Identifier: MIT */
/* Names of images. Pure. */
#ifndef DEIS_BUILDER_IMAGE_NAME_H
#define DEIS_BUILDER_IMAGE_NAME_H

/* The name of an image in full, yours: with host, path and tag or digest, as the Docker Engine
 * completes a short one (distribution's reference.ParseNormalizedNamed). So it is never taken for
 * an id, of which the Engine takes the first digits. NULL: it ends where a name should follow. */
char *image_full_name(const char *reference);

#endif
