/* SPDX-License-Identifier: MIT */
/*
 * The ACME client, uacme, as a child process: no shell, a folder of its own, output kept short,
 * ended when it takes too long. Its hook is this very program, which passes what it is told to the
 * parent over a socket that it inherits. Blocking. thread: a worker
 */
#ifndef CONTROLLER_ACME_CLIENT_H
#define CONTROLLER_ACME_CLIENT_H

#include "controller/core/autocert.h"

enum { ACME_WORDS_MAX = 6 };

struct acme_client {
    const char *program;
    const char *dir; /* mode 0700, exists */
    const char *directory;
    /* A challenge begins or ends. False: it is declined. */
    bool (*on_hook)(const struct autocert_hook *h, void *arg);
    /* Asked about once a second: false gives up. */
    bool (*go_on)(void *arg);
    void *arg;
};

/* Run it with these words, NULL at the end. DEIS_INVALID: it failed, err says what it said last;
 * DEIS_CANCELLED; DEIS_TIMEOUT; DEIS_SYSTEM, DEIS_NOT_FOUND: it could not be started. */
int acme_client_run(const struct acme_client *c, const char *const *words,
                    struct deis_err *err) deis_must_check;

/* Was this process started as the hook? Then it does that, and *ret_status is its exit status. */
bool acme_hook_main(int argc, char **argv, int *ret_status);

#endif
