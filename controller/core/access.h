/* SPDX-License-Identifier: MIT */
/* Who may do what: a route names a right, these functions judge it. Pure. thread: any */
#ifndef CONTROLLER_CORE_ACCESS_H
#define CONTROLLER_CORE_ACCESS_H

#include <stdbool.h>

enum access_right {
    ACCESS_ANYONE,     /* also without a token; a bad token counts as none */
    ACCESS_USER,       /* any valid token */
    ACCESS_ADMIN,      /* a superuser */
    ACCESS_APP_USE,    /* owner, collaborator, superuser */
    ACCESS_APP_OWN,    /* owner, superuser */
    ACCESS_APP_REVOKE, /* as ACCESS_APP_OWN, and the collaborator who is named in the path */
    ACCESS_HOOK,       /* who knows the builder's key */
};

struct access_caller {
    bool known; /* a valid token of an active user */
    bool admin;
    bool builder; /* sent the builder's key */
};

struct access_relation {
    bool owner;
    bool collaborator;
    bool self; /* the user named in the path is the caller */
};

enum access_verdict {
    ACCESS_OK,
    ACCESS_UNKNOWN,   /* 401: nobody is authenticated */
    ACCESS_FORBIDDEN, /* 403 */
};

/* Is the right one on an app, so that access_judge_app() has the last word? */
bool access_is_app(enum access_right right);
/* What can be said before the addressed object is looked up. */
enum access_verdict access_judge_route(enum access_right right, const struct access_caller *caller);
enum access_verdict access_judge_app(enum access_right right, const struct access_caller *caller,
                                     const struct access_relation *relation);

#endif
