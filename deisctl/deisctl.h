/* SPDX-License-Identifier: MIT */
/* What the commands of deisctl share. Each returns 0, or a negative deis_code with err filled. */
#ifndef DEISCTL_DEISCTL_H
#define DEISCTL_DEISCTL_H

#include "lib/etcd/etcd.h"

int command_config(struct deis_etcd *etcd, int argc, char **argv, struct deis_err *err);
/* key:list, key:add, key:activate, key:retire, key:rotate. */
int command_keys(struct deis_etcd *etcd, int argc, char **argv, struct deis_err *err);
int command_list(struct deis_etcd *etcd, int argc, char **argv, struct deis_err *err);
int command_machines(struct deis_etcd *etcd, int argc, char **argv, struct deis_err *err);
/* Asks a router at its private port; etcd is not used. */
int command_router_routes(struct deis_etcd *etcd, int argc, char **argv, struct deis_err *err);
/* Talks to a router's control socket; etcd is not used. */
int command_router_set(struct deis_etcd *etcd, int argc, char **argv, struct deis_err *err);
int command_status(struct deis_etcd *etcd, int argc, char **argv, struct deis_err *err);
int command_users_bootstrap(struct deis_etcd *etcd, int argc, char **argv, struct deis_err *err);

#endif
