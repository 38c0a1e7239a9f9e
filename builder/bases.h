/* SPDX-License-Identifier: MIT */
/*
 * The images that Dockerfiles name: looked up for the pusher, fetched when the machine lacks them.
 * One of an app, in the platform's registry, is none that a Dockerfile may name; nor is an id,
 * which the Engine would take for any image it has. Blocking. thread: one owner
 */
#ifndef DEIS_BUILDER_BASES_H
#define DEIS_BUILDER_BASES_H

#include "builder/core/found_images.h"
#include "builder/settings.h"
#include "builder/tree_tar.h"

#include "lib/net/docker.h"

struct bases {
    const struct settings *settings;
    struct deis_docker *docker;
    struct deis_docker_transfer fetch; /* who hears of it, and who may end it */
    const char *last;                  /* instruction of ours behind the pusher's */
    struct found_images found;
};

/* Write the Dockerfile of a tree anew, for images of this machine. *ret_name, static, is the path
 * in the tree of the one that the Engine is to follow: the pusher's stays as it is if that can be.
 */
int bases_resolve(struct bases *b, struct tree_tar *tree, const char **ret_name,
                  struct deis_err *err) deis_must_check;
/* Remove those that were fetched for builds and that none has named for a while. */
void bases_sweep(const struct settings *s, struct deis_docker *docker);
void bases_clear(struct bases *b);

#endif
