/* SPDX-License-Identifier: MIT */
/* Changes of apps as a test makes them: some at once, and what came of them. */
#ifndef DEIS_TESTS_CALLS_H
#define DEIS_TESTS_CALLS_H

#include "tests/integration/controller/harness.h"

#include <pthread.h>

void create_app(const struct controller *c, const char *token, const char *id);
void pause_ms(long ms);
/* Wait until the key is there, or gone. */
void await_key(struct world *w, const char *key, bool there);
/* Versions of an app's releases are 1 .. expected, newest first. */
void check_releases(const struct controller *c, const char *token, const char *app,
                    size_t expected);

/* A POST on a thread of its own. */
struct call {
    pthread_t thread;
    const struct controller *controller;
    const char *token;
    const char *path;
    char body[128];
    int status; /* 0: the connection was lost */
    char detail[512];
};

/* path and token must stay until its end. */
void call_start(struct call *c, const struct controller *controller, const char *token,
                const char *path, const char *body);
/* Waits for the answer; its status. */
int call_end(struct call *c);

#endif
