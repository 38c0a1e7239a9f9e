/* SPDX-License-Identifier: MIT */
/* What the parts of this process share: made in main.c, outlives all of them. */
#ifndef SCHEDULER_CONTEXT_H
#define SCHEDULER_CONTEXT_H

#include "scheduler/settings.h"

#include "lib/etcd/etcd.h"
#include "lib/model/directory.h"
#include "lib/net/bus.h"
#include "lib/net/docker.h"

struct context {
    const struct settings *settings;
    struct deis_loop *loop;
    struct deis_etcd *etcd;
    struct deis_docker *docker;
    struct deis_directory *directory;
    struct deis_bus_client *bus;
    struct deis_keys *keys;
    char *machine; /* id of this machine */
};

#endif
