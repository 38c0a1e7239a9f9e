/* SPDX-License-Identifier: MIT */
/*
 * A builder in a small world of its own: a private mount namespace with a passwd file that has the
 * user "git" and a root-owned folder for the program (sshd insists on it), an etcd, a stand-in for
 * the controller, the Docker Engine of this machine, and the registry-proxy if it was built.
 * Failures end the test.
 */
#ifndef DEIS_TESTS_BUILDER_WORLD_H
#define DEIS_TESTS_BUILDER_WORLD_H

#include "tests/integration/builder/stand_in.h"
#include "tests/support/etcd_server.h"

#include "lib/etcd/etcd.h"
#include "lib/net/docker.h"

#define WORLD_DIR    "/mnt"
#define WORLD_DATA   WORLD_DIR "/data"
#define WORLD_ROUTER "127.0.0.9"                /* who connects from here tells the client first */
#define WORLD_BASE   "deis-test-builder/base:1" /* has /bin/busybox only */
#define WORLD_LABEL  "deis.test.builder"        /* of it and of what is made from it */

/* The user ada may use these. Odd names: others' apps may be on the same Engine. */
#define WORLD_APP   "itest-builder"
#define WORLD_APP_2 "itest-builder-2"

struct world {
    struct test_etcd etcd_server;
    struct deis_etcd *etcd;
    struct deis_docker *docker;
    struct stand_in *controller;
    struct deis_key key;
    char fingerprint[64];
    char public_key[256];
    char registry[32];
    char bus[48];
    uint16_t ssh_port;
    pid_t builder;
    int lock;           /* the images have the same names in every run: one at a time */
    pid_t registry_pid; /* 0: there is none, images can't be pushed */
};

/* false, with "SKIP <reason>" printed, when this machine or account lacks what is needed. */
bool world_possible(void);
void world_open(struct world *w);
void world_close(struct world *w);
void world_start_builder(struct world *w); /* and wait until it takes connections */
void world_stop_builder(struct world *w);  /* by SIGTERM, and wait */
/* With all its children, by SIGKILL, as a container ends. */
void world_kill_builder(struct world *w);

/* SIGKILL to the processes of the builder whose command line begins with this word; returns how
 * many. */
size_t world_kill_program(const char *program);

/* --- clients --- */
/* Run a program (argv NULL-terminated) in folder and return its exit status; out gets what it says.
 */
int world_run(const char *folder, struct deis_buf *out, const char *const *argv);
/* The same; another status than 0 ends the test. */
void world_must_run(const char *folder, const char *const *argv);
/* The same for git with these words. */
#define world_git(folder, out, ...)                                                                \
    world_run(folder, out, (const char *const[]){ "git", __VA_ARGS__, NULL })

/* Start git in a process group of its own; read its output with world_read_until(), end it with
 * world_finish(). */
struct world_client {
    pid_t pid;
    int fd;
    struct deis_buf out;
};
struct world_client world_spawn(const char *folder, const char *const *argv);
/* Wait until it has said text. */
void world_read_until(struct world_client *c, const char *text);
int world_finish(struct world_client *c); /* exit status; out stays until world_client_clear() */
void world_client_clear(struct world_client *c);

/* Has an app's repository objects that no push has been judged for? */
bool world_has_quarantine(const char *app);
/* A new repository in WORLD_DIR/<name> with the remote "deis" for app. */
void world_new_repo(const struct world *w, const char *name, const char *app);
/* Write files (path, contents, ..., NULL) and commit them. */
void world_commit(const char *name, ...) __attribute__((sentinel));
/* The id of a branch in the builder's repository of app, "" when it is not there. Static. */
const char *world_ref(const char *app, const char *branch);
/* How many images of the Engine, with all those of single steps too, have this label
 * ("deis.app=blog"). */
size_t world_images(const struct world *w, const char *label, bool all);
/* Remove them all. */
void world_remove_images(const struct world *w, const char *label);
/* Pull from the registry as an agent does. */
int world_pull(const struct world *w, const char *image, struct deis_err *err);
/* Make the image <name>:1 with nothing but /bin/busybox, and an instruction ("ONBUILD ...") or "".
 */
void world_import(const char *name, const char *change);
/* The registry goes away, or comes back at its address. */
void world_stop_registry(struct world *w);
void world_start_registry(struct world *w);
/* The stand-in goes away, or comes back. */
void world_stop_controller(struct world *w);
void world_start_controller(struct world *w);
/* How many records of builds under way there are. */
size_t world_records(void);
/* The id of one of them, which is also that of its operation; "" when there is none. Static. */
const char *world_record(void);
/* Wait (30 s) until holds(arg). */
void world_await(const char *what, bool (*holds)(void *arg), void *arg);

#endif
