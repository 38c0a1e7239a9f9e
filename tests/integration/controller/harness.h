/* SPDX-License-Identifier: MIT */
/* A real controller with a real etcd and a fake platform around it, and calls of its API. */
#ifndef DEIS_TESTS_HARNESS_H
#define DEIS_TESTS_HARNESS_H

#include "tests/integration/controller/fake_platform.h"
#include "tests/support/etcd_server.h"
#include "tests/support/program.h"

#include "lib/etcd/etcd.h"
#include "lib/net/httpc.h"
#include "lib/wire/json.h"

struct controller {
    struct program program;
    char name[16];
    char base[64]; /* "http://127.0.0.1:port" */
    char bus[64];
};

struct world {
    struct test_etcd etcd_server;
    struct deis_etcd *etcd;
    char *folder;
    char *key_file;
    struct fake_platform *platform;
    struct controller first;
    struct controller second; /* started by the tests that need it */
};

void world_start(struct world *w);
void world_stop(struct world *w);
void controller_start(struct world *w, struct controller *c, const char *name);

struct answer {
    int status;
    char *text;   /* body */
    json_t *json; /* NULL when it is none */
    char reason[64];
    char *headers;
};

void answer_clear(struct answer *a);
#define answer_auto __attribute__((cleanup(answer_clear)))
/* body: JSON text, or NULL. token: or NULL. Does not fail on any status, but when nothing answers.
 */
struct answer api(const struct controller *c, const char *method, const char *path,
                  const char *token, const char *body);
/* Just the status. */
int api_status(const struct controller *c, const char *method, const char *path, const char *token,
               const char *body);
/* Register and log in; the token, yours. */
char *api_user(const struct controller *c, const char *name, const char *password);
/* A member of an answer's object, as text; "" when absent. */
const char *text_of(const json_t *obj, const char *name);
/* Is the key there? */
bool key_exists(struct world *w, const char *key);

#endif
