/* SPDX-License-Identifier: MIT */
/*
 * Settings of the builder. The daemon gets them as every service does; the short-lived roles, which
 * sshd starts with next to no environment, read them from a file that the daemon keeps up to date.
 */
#ifndef DEIS_BUILDER_SETTINGS_H
#define DEIS_BUILDER_SETTINGS_H

#include "lib/conf/conf.h"

struct settings {
    char *etcd;
    char *cluster_key;
    char *instance;
    char *ssh;
    char *proxy_from;
    char *data;
    char *docker;
    char *registry;
    char *controller_bus;
    char *sshd;
    char *git;
    uint64_t build_timeout_ms;
    uint64_t build_memory;
    uint32_t build_processes;
    uint64_t context_max;
    uint64_t output_max;
    uint64_t push_max;
    uint32_t builds_max;
    uint32_t images_kept;
    uint64_t base_idle_ms;
    uint64_t push_timeout_ms;
};

extern const struct deis_conf_row settings_rows[];
extern const size_t settings_row_count;

/* Write all rows to path as JSON, at once or not at all. thread: one owner */
int settings_save(const struct settings *s, const char *path, struct deis_err *err) deis_must_check;
/* Read what settings_save() wrote. *ret is cleared on failure. */
int settings_load(const char *path, struct settings *ret, struct deis_err *err) deis_must_check;
void settings_clear(struct settings *s);

#endif
