/* SPDX-License-Identifier: MIT */
/* What to do next when a request failed. thread: any */
#ifndef CLIENT_CORE_HINT_H
#define CLIENT_CORE_HINT_H

#include "lib/base/buf.h"

struct hint_facts {
    int status;             /* of the answer; 0 when there was none */
    enum deis_code failure; /* why there was none */
    const char *method;
    const char *controller;
    bool verifies; /* the controller's certificate has to be one that this machine trusts */
    const char *username;
    const char *app;            /* that the command is about, or NULL */
    bool app_guessed;           /* from the folder's name: no -a and no git remote */
    struct deis_str request_id; /* of the answer, or NONE */
    struct deis_str retry_after;
};

/* One line each, or nothing. */
void hint_add(const struct hint_facts *f, struct deis_buf *out);

#endif
