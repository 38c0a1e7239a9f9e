/* SPDX-License-Identifier: MIT */
/* Help texts, made from the table of commands. thread: any */
#ifndef CLIENT_CORE_HELP_H
#define CLIENT_CORE_HELP_H

#include "client/core/command.h"

#include "lib/base/buf.h"

#define HELP_USAGE "Usage: deis <command> [<args>...]\n"

void help_main(struct deis_buf *out);
void help_group(struct deis_str group, struct deis_buf *out);
void help_command(const struct command *c, struct deis_buf *out);
/* The "Usage: ..." line of a command. */
void help_usage(const struct command *c, struct deis_buf *out);

#endif
