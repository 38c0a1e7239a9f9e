/* SPDX-License-Identifier: MIT */
/* Somebody at a keyboard, who runs the real deis command. All fails the test when it goes wrong. */
#ifndef DEIS_TESTS_CLIENT_PERSON_H
#define DEIS_TESTS_CLIENT_PERSON_H

#include "tests/integration/controller/harness.h"

#define OUT_MAX (1024 * 1024)
#define WAIT_MS 60000

/* A home with a profile, and a folder with a repository. */
struct person {
    struct world *w;
    const char *name;
    char *home;
    char *folder;
};

struct outcome {
    int status;
    struct deis_buf out;
    struct deis_buf err;
};

#define outcome_auto __attribute__((cleanup(outcome_clear)))
void outcome_clear(struct outcome *o);

/* One controller for all cases, and an administrator who registered first. */
int people_start(void **state);
int people_stop(void **state);

struct person person_new(struct world *w, const char *name);
struct person administrator(struct world *w);
void person_clear(struct person *p);
void person_register(const struct person *p);
void person_write(const char *folder, const char *name, const char *text, mode_t mode);

/* Start a program in the person's folder. */
pid_t person_spawn(const struct person *p, const char *const *argv, int in, int out, int err);
void person_run(const struct person *p, const char *input, const char *const *argv,
                struct outcome *ret);
/* A socket that listens, and a profile that names it as the controller. */
int person_listen(const struct person *p);
/* The connection of somebody whose head of a request has come, whole; -1: it ended before. */
int person_take_request(int listener, struct deis_buf *request);
/* Run it with a profile of a server that gives that answer once. *ret_request: yours. */
void person_run_scripted(const struct person *p, const char *answer, const char *const *argv,
                         struct outcome *ret, struct deis_buf *ret_request);
void person_works_(const struct person *p, const char *part, const char *const *argv);
void person_fails_(const struct person *p, const char *part, const char *const *argv);
void text_has(const struct deis_buf *b, const char *part);

#define RUN(p, o, ...)                                                                             \
    outcome_auto struct outcome o;                                                                 \
    person_run(p, "", (const char *const[]){ __VA_ARGS__, NULL }, &(o))

/* The command must succeed and print this (among else). */
#define WORKS(p, part, ...)                                                                        \
    person_works_(p, part, (const char *const[]){ "deis", __VA_ARGS__, NULL })
/* The command must end with status 1 and say this on stderr. */
#define FAILS(p, part, ...)                                                                        \
    person_fails_(p, part, (const char *const[]){ "deis", __VA_ARGS__, NULL })

#endif
