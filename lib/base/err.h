/* SPDX-License-Identifier: MIT */
/*
 * How a failure travels: a negative code as the return value, and a text for people in a struct
 * that the caller owns and passes as the last parameter. Messages are lower case, name the failure
 * first, quote the subject in single quotes and end without a full stop. Whoever handles a failure
 * logs it; whoever passes it on adds context with deis_err_wrap() and does not log.
 */
#ifndef DEIS_BASE_ERR_H
#define DEIS_BASE_ERR_H

#include "lib/base/attr.h"

enum deis_code {
    DEIS_OK = 0,
    DEIS_INVALID = -1,     /* the input breaks a rule; the message names field and rule */
    DEIS_NOT_FOUND = -2,   /* what was named is not there */
    DEIS_CONFLICT = -3,    /* it changed meanwhile, exists already, or somebody holds it */
    DEIS_DENIED = -4,      /* the caller may not */
    DEIS_LIMIT = -5,       /* larger or more than allowed */
    DEIS_TIMEOUT = -6,     /* no answer in time; the outcome is unknown */
    DEIS_UNAVAILABLE = -7, /* a part that is needed can't be reached; nothing was done */
    DEIS_PROTOCOL = -8,    /* a peer sent something that its protocol does not allow */
    DEIS_SYSTEM = -9,      /* a system call failed */
    DEIS_INTERNAL = -10,   /* our bug */
    DEIS_CANCELLED = -11,  /* given up on request */
};

struct deis_err {
    enum deis_code code;
    int errnum; /* of a failed system call; 0: it was something else */
    char msg[512];
};

#define DEIS_ERR_INIT                                                                              \
    {                                                                                              \
        DEIS_OK, 0, ""                                                                             \
    }

/* Fill err (may be NULL) and return the code. thread: any */
int deis_err_set(struct deis_err *err, enum deis_code code, const char *format, ...)
    deis_printf(3, 4);

/* As deis_err_set() with ": <text of errno>" appended; the code is DEIS_SYSTEM, or DEIS_NOT_FOUND
 * for ENOENT, DEIS_DENIED for EACCES and EPERM, DEIS_LIMIT for ENOSPC, EDQUOT, EMFILE and ENFILE.
 */
int deis_err_errno(struct deis_err *err, int errnum, const char *format, ...) deis_printf(3, 4);

/* Put "context: " in front of err's message; returns err->code. */
int deis_err_wrap(struct deis_err *err, const char *format, ...) deis_printf(2, 3);

/* Is it that a disk has no room, or a quota is used up? */
bool deis_err_is_disk_full(const struct deis_err *err);

/* "not found" and so on: a constant. */
const char *deis_code_name(enum deis_code code);

/* The HTTP status that tells a client about this failure: 400, 404, 409, 403, 413, 503, 502, 500.
 */
int deis_code_http_status(enum deis_code code);

#endif
