/* SPDX-License-Identifier: MIT */
/*
 * The roles of the one program. self is its absolute path, argv[0] the role's name; each returns an
 * exit status.
 */
#ifndef DEIS_BUILDER_ROLES_H
#define DEIS_BUILDER_ROLES_H

#include "lib/base/err.h"

int serve_main(const char *self, int argc, char **argv);
int keys_main(const char *self, int argc, char **argv);
int session_main(const char *self, int argc, char **argv);
int away_main(const char *self, int argc, char **argv);
int pre_receive_main(void);

/* Say on stderr how a role is called; returns 2. */
int role_usage(const char *usage);

/* What session gives to git and git to its hook. */
#define ENV_SETTINGS "DEIS_BUILDER_SETTINGS"
#define ENV_USER     "DEIS_BUILDER_USER"
#define ENV_APP      "DEIS_BUILDER_APP"
#define ENV_PEER     "DEIS_BUILDER_PEER"   /* the client's address, for the log */
#define ENV_CLIENT   "DEIS_BUILDER_CLIENT" /* number of a descriptor that leads to the client */

#endif
