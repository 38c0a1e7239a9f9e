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

#include "lib/net/docker.h"

struct bases {
    const struct settings *settings;
    struct deis_docker *docker;
    struct deis_docker_transfer fetch; /* who hears of it, and who may end it */
    struct found_images found;
};

/* Write a Dockerfile anew, for images of this machine. */
int bases_resolve(struct bases *b, struct deis_str dockerfile, struct deis_buf *out,
                  struct deis_err *err) deis_must_check;
/* Remove those that were fetched for builds and that none has named for a while. */
void bases_sweep(const struct settings *s, struct deis_docker *docker);
void bases_clear(struct bases *b);

#endif
