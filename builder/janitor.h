/* SPDX-License-Identifier: MIT */
/*
 * Puts right what is left over: builds that were killed, repositories and images of apps that are
 * gone. Blocking, for a worker thread.
 */
#ifndef DEIS_BUILDER_JANITOR_H
#define DEIS_BUILDER_JANITOR_H

#include "builder/settings.h"

#include "lib/etcd/etcd.h"
#include "lib/net/docker.h"

struct janitor {
    const struct settings *settings;
    struct deis_etcd *etcd;
    struct deis_docker *docker;
};

/*
 * One round over all records and repositories. An app under push is left alone; an app is gone only
 * when etcd has just said so. Returns how many things are left to do: come again then.
 */
unsigned janitor_round(const struct janitor *j);

#endif
