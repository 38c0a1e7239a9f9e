/* SPDX-License-Identifier: MIT */
/* OpenSSH's server, one process for a connection: host keys, configuration, start. */
#ifndef DEIS_BUILDER_SSHD_H
#define DEIS_BUILDER_SSHD_H

#include "builder/settings.h"

#include <sys/types.h>

/* Make the host keys that are missing (<data>/ssh, kept for ever) and write sshd_config. self is
 * the program that sshd calls for keys and sessions: it and all folders above must belong to root.
 * Blocks for a moment. thread: main, before the loop runs */
int sshd_prepare(const struct settings *s, const char *self, const char *settings_path,
                 struct deis_err *err) deis_must_check;
/* Start one for a connection, which stays the caller's to close. client is the address behind it,
 * which sessions find in ENV_PEER. The child gets SIGTERM when we end. The caller reaps it. thread:
 * loop */
int sshd_start(const struct settings *s, int connection, const char *client, pid_t *ret_pid,
               struct deis_err *err) deis_must_check;

#endif
