/* SPDX-License-Identifier: MIT */
/* The settings of the scheduler: flags, environment, help. */
#ifndef SCHEDULER_SETTINGS_H
#define SCHEDULER_SETTINGS_H

#include "lib/conf/conf.h"

struct settings {
    char *etcd;
    char *cluster_key;
    char *instance;
    char *bus;
    char *data_dir;
    char *machine_id;
    char *metadata;
    char *address;
    char *docker_socket;
    char *docker_root;
    char *network;
    char *registry;
    char *components;
    uint64_t image_idle_ms;
    uint32_t pids_limit;
    bool engine;
};

extern const struct deis_conf_row settings_rows[];
extern const size_t settings_count;

#endif
