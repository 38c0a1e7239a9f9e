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

struct janitor_left {
    unsigned builds;
    unsigned apps;
};

/* Is a build of this app not settled yet? */
bool janitor_has_record(const struct settings *s, const char *app);
/*
 * One round over the records of builds, and with_apps over all repositories too, which may also
 * start a repacking. What a push has under its lock is left alone; an app is gone only when etcd
 * has just said so. *left counts what could not be done yet: come again for that.
 */
void janitor_round(const struct janitor *j, bool with_apps, struct janitor_left *left);

#endif
