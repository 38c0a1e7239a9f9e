/* SPDX-License-Identifier: MIT */
/*
 * The one template of every container that the agent makes: few rights, bounded, nothing of the
 * host. Pure. thread: any
 */
#ifndef SCHEDULER_CORE_CONTAINER_SPEC_H
#define SCHEDULER_CORE_CONTAINER_SPEC_H

#include "lib/model/model.h"

#define CONTAINER_PORT_DEFAULT 5000

struct container_spec {
    const char *image;
    char *const *entrypoint; /* NULL = the image's */
    char *const *command;    /* NULL = the image's */
    const json_t *env;       /* object of texts */
    uint16_t port;           /* PORT for the process when env has none; 0 = not set */
    uint64_t memory_bytes;   /* 0 = no limit; swap is never added */
    uint32_t cpu_shares;     /* 0 = the Engine's default */
    uint32_t pids_limit;
    const char *network;
    bool init;            /* a small init reaps what the process leaves behind */
    const json_t *labels; /* object of texts */
    /* A one-off that somebody is attached to: stdin, which ends with the attachment, and no log. */
    bool attached;
    bool tty;
    const char *term; /* TERM for the process when env has none; NULL = not set */
};

/* Body of POST /containers/create; yours. */
json_t *container_spec_body(const struct container_spec *s);
/* Port that a process is expected on: PORT of env (1 to 65535), else the lowest TCP port that the
 * image exposes, else 5000. image is the answer of GET /images/<name>/json, or NULL. */
uint16_t container_spec_port(const json_t *env, const json_t *image);
/* Address on a network from GET /containers/<id>/json, or NULL; borrowed. */
const char *container_spec_address(const json_t *container, const char *network);

#endif
