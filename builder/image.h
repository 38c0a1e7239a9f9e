/* SPDX-License-Identifier: MIT */
/*
 * Images that builds made: pushed to the registry, removed from there and from the Docker Engine by
 * their labels, so that never another one goes that has the same tag. Blocking. thread: any
 */
#ifndef DEIS_BUILDER_IMAGE_H
#define DEIS_BUILDER_IMAGE_H

#include "builder/record.h"

#include "lib/net/docker.h"

#define IMAGE_LABEL_APP   "deis.app"
#define IMAGE_LABEL_BUILD "deis.build"
/* The address of the registry that it is for: another platform's images may be on the Engine. */
#define IMAGE_LABEL_REGISTRY "deis.registry"

/* Push what is tagged <registry>/<app>:<tag>. *ret_image, yours, is the reference by digest. */
int image_push(const struct settings *s, struct deis_docker *docker, const char *app,
               const char *tag, char **ret_image, struct deis_err *err) deis_must_check;
/* Is an image of the Engine's list one that this platform's builds made? One without the label of
 * its registry, from before there was one, is. */
bool image_is_ours(const struct settings *s, const json_t *image);
/* Remove the image of one build, wherever it got to. Nothing there is success. */
int image_forget_build(const struct settings *s, struct deis_docker *docker, const struct record *r,
                       struct deis_err *err) deis_must_check;
/* Remove an image that a step of a failed build came to, with what it alone is made of. One that
 * has a name, or that something else needs, stays: that is success too. */
int image_forget_layer(struct deis_docker *docker, const char *id,
                       struct deis_err *err) deis_must_check;
/* Remove an image of the Engine's list, with the names that are the app's; one that has others
 * stays. DEIS_CONFLICT: a container uses it. */
int image_forget(const struct settings *s, struct deis_docker *docker, const char *app,
                 const json_t *image, struct deis_err *err) deis_must_check;
/* Remove from the Engine what was built for an app, references of exactly this app only. */
int image_forget_app(const struct settings *s, struct deis_docker *docker, const char *app,
                     struct deis_err *err) deis_must_check;

#endif
