/* SPDX-License-Identifier: MIT */
/* Procfile: a YAML map of process type to command. Pure. */
#ifndef DEIS_BUILDER_PROCFILE_H
#define DEIS_BUILDER_PROCFILE_H

#include "lib/base/str.h"

#define PROCFILE_MAX_BYTES   65536
#define PROCFILE_MAX_TYPES   64
#define PROCFILE_COMMAND_MAX 16384

struct procfile_type {
    char *name;
    char *command;
};

struct procfile {
    struct procfile_type *types; /* in the order of the file */
    size_t count;
};

/*
 * DEIS_INVALID names line and rule: not a map, a type that is no process type name or stands twice,
 * a command that is no text or empty, anchors, tags and aliases, more than one document. DEIS_LIMIT
 * beyond the limits above. An empty file is an empty map. ret is cleared on failure.
 */
int procfile_parse(struct deis_str text, struct procfile *ret,
                   struct deis_err *err) deis_must_check;
void procfile_clear(struct procfile *p);

#endif
