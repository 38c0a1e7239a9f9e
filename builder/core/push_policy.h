/* SPDX-License-Identifier: MIT */
/* Which ref updates deploy: exactly one, of master or main. Pure. */
#ifndef DEIS_BUILDER_PUSH_POLICY_H
#define DEIS_BUILDER_PUSH_POLICY_H

#include "lib/base/str.h"

#define PUSH_POLICY_INPUT_MAX 65536

struct push_update {
    char commit[41];    /* full id, NUL-terminated */
    char old[41];       /* what the branch named before, all zeros when it did not exist */
    const char *branch; /* full name of the ref; static */
    bool first;         /* the branch did not exist */
};

/*
 * lines: what git gives a pre-receive hook, "<old id> <new id> <ref>\n" for each ref. DEIS_DENIED
 * with a text for the pusher when the push is one that must not deploy: several refs, another
 * branch, a tag, a deletion. DEIS_PROTOCOL when git would not write such lines.
 */
int push_policy_check(struct deis_str lines, struct push_update *ret,
                      struct deis_err *err) deis_must_check;

#endif
