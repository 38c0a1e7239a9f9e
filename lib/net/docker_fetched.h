/* SPDX-License-Identifier: MIT */
/*
 * Images that were fetched for somebody, and leave the machine again when nobody has asked for them
 * during some time: each is noted in a folder of the caller's. Images that came another way stay.
 * Blocking. thread: any
 */
#ifndef DEIS_NET_DOCKER_FETCHED_H
#define DEIS_NET_DOCKER_FETCHED_H

#include "lib/net/docker.h"

/* Have an image on the machine: as it is there, else pulled, and noted in folder (made if need be).
 * *ret_info (may be NULL), yours, is what the Engine tells of it. t may be NULL. */
int deis_fetched_get(struct deis_docker *d, const char *folder, const char *image,
                     const struct deis_docker_transfer *t, json_t **ret_info,
                     struct deis_err *err) deis_must_check;

/* Remove noted images that were not asked for, nor in a container, during kept_ms; *ret_removed
 * counts them. One whose name has become another image's is left. */
int deis_fetched_sweep(struct deis_docker *d, const char *folder, uint64_t kept_ms,
                       unsigned *ret_removed, struct deis_err *err) deis_must_check;

#endif
