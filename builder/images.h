/* SPDX-License-Identifier: MIT */
/*
 * Images of old releases leave the Engine: so many different ones as the setting imagesKept says
 * stay of each app (builder/core/image_keep.h). An app that is being pushed or changed is left for
 * the next time. Blocking, for a worker thread.
 */
#ifndef DEIS_BUILDER_IMAGES_H
#define DEIS_BUILDER_IMAGES_H

#include "builder/janitor.h"

void images_tidy(const struct janitor *j);

#endif
