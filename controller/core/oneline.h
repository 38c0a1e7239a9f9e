/* SPDX-License-Identifier: MIT */
/* Texts of users on one line of a log, so that none passes for a line of its own. Pure.
 * thread: any */
#ifndef CONTROLLER_CORE_ONELINE_H
#define CONTROLLER_CORE_ONELINE_H

#include "lib/base/buf.h"

/* UTF-8 text with its line ends as "\n" and other control characters but tabs as "\x1b". What
 * would be longer than max bytes is cut between characters and ends with "...". Yours. */
char *oneline(struct deis_str text, size_t max);

#endif
