/* SPDX-License-Identifier: MIT */
/*
 * The words and options of one command: -aX, -a X, --app X, --app=X, clusters (-io), prefixes of
 * long options that fit one only, in any order among the words. thread: one owner
 */
#ifndef CLIENT_CORE_OPTIONS_H
#define CLIENT_CORE_OPTIONS_H

#include "client/core/command.h"

#include "lib/base/buf.h"

struct options {
    const struct command *command;
    const char **words; /* array yours, texts borrowed; NULL at the end */
    size_t word_count;
    bool given[OPTION_COUNT];
    const char *values[OPTION_COUNT]; /* borrowed; NULL = absent or empty */
    const char **many;                /* all values of the option that may be repeated; as words */
    size_t many_count;
};

enum options_result {
    OPTIONS_OK,
    OPTIONS_HELP,  /* -h or --help was among them */
    OPTIONS_WRONG, /* note has a line that says why, or nothing; the usage is to be shown */
};

/* args is NULL-terminated. Clear what is returned in any case. */
enum options_result options_parse(const struct command *command, const char *const *args,
                                  struct options *ret, struct deis_buf *note);
void options_clear(struct options *o);
/* The value of an option, or def when it is absent or empty. */
const char *options_get(const struct options *o, enum option_id id, const char *def);

#endif
