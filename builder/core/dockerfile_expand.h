/* SPDX-License-Identifier: MIT */
/* Variables and quotes in a word of a Dockerfile ("Environment replacement"). Pure. */
#ifndef DEIS_BUILDER_DOCKERFILE_EXPAND_H
#define DEIS_BUILDER_DOCKERFILE_EXPAND_H

#include "lib/base/buf.h"

struct dockerfile_vars {
    char escape;                                         /* '\\' or '`' */
    const char *(*get)(struct deis_str name, void *arg); /* NULL: it is not set */
    void *arg;
};

/* $name, ${name}, ${name:-word}, ${name-word}, ${name:+word}, ${name+word}; quotes and escapes go.
 * DEIS_INVALID: anything else behind '$', a quote or brace that is not closed. DEIS_LIMIT: out is
 * full. */
int dockerfile_expand(struct deis_str word, const struct dockerfile_vars *vars,
                      struct deis_buf *out, struct deis_err *err) deis_must_check;

#endif
