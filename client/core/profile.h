/* SPDX-License-Identifier: MIT */
/* The saved login: $HOME/.deis/<profile>.json. thread: any */
#ifndef CLIENT_CORE_PROFILE_H
#define CLIENT_CORE_PROFILE_H

#include "lib/base/buf.h"

#define PROFILE_LIMIT_DEFAULT 100
#define PROFILE_SSH_PORT      2222

struct profile {
    char *username;
    char *controller; /* as typed, with its scheme */
    char *token;
    bool ssl_verify;
    long response_limit;
    uint16_t ssh_port; /* where the controller's platform takes pushes */
};

/* DEIS_INVALID with the place when it is no JSON object of this shape. */
int profile_parse(struct deis_str text, struct profile *ret, struct deis_err *err) deis_must_check;
char *profile_format(const struct profile *p); /* yours */
void profile_clear(struct profile *p);
/* "<home>/.deis/<name>.json", yours; name NULL or empty = client. DEIS_INVALID for a name with '/'.
 */
int profile_path(const char *home, const char *name, char **ret,
                 struct deis_err *err) deis_must_check;

/* A controller as typed, with "http://" in front when it has no scheme; yours. */
int profile_controller(const char *typed, char **ret, struct deis_err *err) deis_must_check;
/* "http://host:port" of a saved controller: what requests start with; yours, NULL if it is no URL.
 */
char *profile_base_url(const char *controller);
/* Host of a saved controller without its port; yours, NULL if it is no URL. */
char *profile_host(const char *controller);

#endif
