/* SPDX-License-Identifier: MIT */
/*
 * A Dockerfile, taken apart and written anew for the Engine: one instruction a line, no comments,
 * and in the place of each image that it names the id of the one that we looked up. Nothing is
 * copied through that two readers could read in two ways, so that the Engine, which has the images
 * of all apps, never looks up a name for a pusher. Instructions keep their lines, for its messages.
 * Pure.
 *
 * What is read is the Dockerfile of the classic builder ("Dockerfile reference" of Docker 20.10).
 */
#ifndef DEIS_BUILDER_DOCKERFILE_H
#define DEIS_BUILDER_DOCKERFILE_H

#include "lib/base/buf.h"

#define DOCKERFILE_MAX_BYTES    (1u << 20)
#define DOCKERFILE_LINE_MAX     65000 /* bytes of an instruction: the Engine refuses 64 KiB */
#define DOCKERFILE_STAGES_MAX   100
#define DOCKERFILE_IMAGES_MAX   200      /* looked up, however often each */
#define DOCKERFILE_ARGS_MAX     100      /* before the first FROM */
#define DOCKERFILE_REFERENCE    256      /* bytes of an image's name */
#define DOCKERFILE_ID_LEN       71       /* "sha256:" and 64 hexadecimal digits */
#define DOCKERFILE_STAGE_PREFIX "stage." /* of each stage's name, which so is no image's id */

/* Look up an image by the name that the Dockerfile gives it, variables filled in: ret_id becomes
 * its id. Whatever it returns but DEIS_OK ends the work. */
typedef int (*dockerfile_find_fn)(const char *reference, char ret_id[DOCKERFILE_ID_LEN + 1],
                                  void *arg, struct deis_err *err);

/* DEIS_INVALID, DEIS_LIMIT: what is wrong in which line. */
int dockerfile_rewrite(struct deis_str text, dockerfile_find_fn find, void *arg,
                       struct deis_buf *out, struct deis_err *err) deis_must_check;

/* May an instruction that an image brings along (ONBUILD) run? Not when it could name an image. */
bool dockerfile_trigger_ok(struct deis_str trigger);

#endif
