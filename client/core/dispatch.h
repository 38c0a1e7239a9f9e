/* SPDX-License-Identifier: MIT */
/* What the words of the command line ask for. thread: any */
#ifndef CLIENT_CORE_DISPATCH_H
#define CLIENT_CORE_DISPATCH_H

#include "client/core/command.h"

enum dispatch_kind {
    DISPATCH_COMMAND,    /* command, with args */
    DISPATCH_HELP,       /* the main help */
    DISPATCH_GROUP_HELP, /* of group */
    DISPATCH_VERSION,
    DISPATCH_PLUGIN,  /* program deis-<group>, with args; when there is none: unknown */
    DISPATCH_UNKNOWN, /* a verb that its group does not have */
    DISPATCH_NOTHING, /* no words at all */
    DISPATCH_OPTION,  /* an option where the command belongs */
};

struct dispatch {
    enum dispatch_kind kind;
    const struct command *command;
    char *group;
    const char *
        *args;  /* after the command; NULL-terminated, array yours, texts borrowed or of verb */
    char *verb; /* of a plugin, or NULL */
};

/* words: the command line without the program's name, NULL-terminated. */
void dispatch_resolve(const char *const *words, struct dispatch *ret);
void dispatch_clear(struct dispatch *d);

#endif
