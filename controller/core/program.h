/* SPDX-License-Identifier: MIT */
/* What of a command may be told: its program, never its arguments, which may be secrets. Pure.
 * thread: any */
#ifndef CONTROLLER_CORE_PROGRAM_H
#define CONTROLLER_CORE_PROGRAM_H

#include "lib/base/str.h"

#define PROGRAM_MAX 64

/* The first word of a command behind variables that it sets, without folders: "rake" of
 * "KEY=x bin/rake db:migrate". Empty when that is no plain name. */
void program_of(const char *command, char out[PROGRAM_MAX + 1]);

#endif
