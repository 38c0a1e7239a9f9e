/* SPDX-License-Identifier: MIT */
#include "tests/integration/builder/stand_in.h"

#include "build.pb-c.h"
#include "tests/support/test.h"

#include "lib/net/bus.h"

#include <pthread.h>

struct stand_in {
    struct deis_loop *loop;
    struct deis_bus_server *server;
    struct deis_bus_method methods[3];
    pthread_t thread;
    const char *fingerprint;
    const char *public_key;

    pthread_mutex_t lock; /* of what follows */
    const char *fail_reason;
    bool hold;
    char operation[64];
    struct stand_in_deploy last;
    char client[64];
};

static void on_key(struct deis_bus_call *call, const ProtobufCMessage *msg, void *arg)
{
    const struct stand_in *c = arg;
    const Deis__KeyLookup *request = (const Deis__KeyLookup *)(const void *)msg;
    Deis__KeyOwner owner = DEIS__KEY_OWNER__INIT;
    struct deis_err err = DEIS_ERR_INIT;
    deis_autofree char *key = deis_strdup(c->public_key);
    char user[] = "ada";

    if (strcmp(request->fingerprint, c->fingerprint) != 0) {
        deis_err_set(&err, DEIS_NOT_FOUND, "no such key");
        deis_bus_fail(call, &err);
        return;
    }
    owner.user = user;
    owner.public_key = key;
    deis_bus_reply(call, &owner.base);
}

static void on_authorize(struct deis_bus_call *call, const ProtobufCMessage *msg, void *arg)
{
    const Deis__Authorize *request = (const Deis__Authorize *)(const void *)msg;
    Deis__Authorized answer = DEIS__AUTHORIZED__INIT;
    struct deis_err err = DEIS_ERR_INIT;
    struct stand_in *c = arg;

    pthread_mutex_lock(&c->lock);
    snprintf(c->client, sizeof(c->client), "%s", request->client);
    pthread_mutex_unlock(&c->lock);
    if (strcmp(request->user, "ada") != 0 || (strcmp(request->app, "itest-builder") != 0 &&
                                              strcmp(request->app, "itest-builder-2") != 0)) {
        deis_err_set(&err, DEIS_DENIED, "no such app");
        deis_bus_fail(call, &err);
        return;
    }
    deis_autofree char *host = deis_asprintf("%s.example.com", request->app);
    answer.host = host;
    deis_bus_reply(call, &answer.base);
}

static void keep(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%s", text);
}

/* Returns how often this operation was asked for. */
static unsigned note_deploy(struct stand_in *c, const Deis__Deploy *d)
{
    if (strcmp(c->operation, d->operation) != 0) {
        keep(c->operation, sizeof(c->operation), d->operation);
        keep(c->last.app, sizeof(c->last.app), d->app);
        keep(c->last.user, sizeof(c->last.user), d->user);
        keep(c->last.sha, sizeof(c->last.sha), d->sha);
        keep(c->last.image, sizeof(c->last.image), d->image);
        c->last.procfile[0] = '\0';
        for (size_t i = 0; i < d->n_procfile; i++) {
            size_t len = strlen(c->last.procfile);
            snprintf(c->last.procfile + len, sizeof(c->last.procfile) - len, "%s%s=%s",
                     i ? "," : "", d->procfile[i]->name, d->procfile[i]->command);
        }
        c->last.calls = 0;
    }
    return ++c->last.calls;
}

static void fill_status(struct stand_in *c, unsigned calls, Deis__DeployStatus *status)
{
    static char *progress[] = { "web.1 is starting" };
    static char *log[] = { "listening on nothing", "giving up" };

    if (calls == 1) {
        status->n_progress = 1;
        status->progress = progress;
    }
    status->state = "running";
    if (calls == 1 || c->hold) {
        return;
    }
    if (c->fail_reason) {
        status->state = "failed";
        status->reason = deis_strdup(c->fail_reason);
        status->n_log = DEIS_COUNT(log);
        status->log = log;
        return;
    }
    status->state = "done";
    status->version = ++c->last.releases;
    status->url = "http://blog.example.com:8080";
}

static void on_deploy(struct deis_bus_call *call, const ProtobufCMessage *msg, void *arg)
{
    struct stand_in *c = arg;
    Deis__DeployStatus status = DEIS__DEPLOY_STATUS__INIT;

    pthread_mutex_lock(&c->lock);
    fill_status(c, note_deploy(c, (const Deis__Deploy *)(const void *)msg), &status);
    pthread_mutex_unlock(&c->lock);
    deis_bus_reply(call, &status.base);
    if (strcmp(status.state, "failed") == 0) {
        free(status.reason);
    }
}

static void *run(void *arg)
{
    struct stand_in *c = arg;

    deis_loop_run(c->loop);
    return NULL;
}

struct stand_in *stand_in_start(const char *address, const struct deis_key *key,
                                const char *fingerprint, const char *public_key)
{
    struct stand_in *c = deis_alloc(sizeof(*c));
    struct deis_err err = DEIS_ERR_INIT;

    c->fingerprint = fingerprint;
    c->public_key = public_key;
    c->methods[0] =
        (struct deis_bus_method){ "controller.key", &deis__key_lookup__descriptor, on_key, true };
    c->methods[1] = (struct deis_bus_method){ "controller.authorize", &deis__authorize__descriptor,
                                              on_authorize, true };
    c->methods[2] =
        (struct deis_bus_method){ "controller.deploy", &deis__deploy__descriptor, on_deploy, true };
    pthread_mutex_init(&c->lock, NULL);
    c->loop = deis_loop_new();
    c->server = deis_bus_server_new(c->loop, address, key, "controller", c->methods,
                                    DEIS_COUNT(c->methods), c, &err);
    if (!c->server) {
        fail_msg("stand-in: %s", err.msg);
    }
    assert_int_equal(pthread_create(&c->thread, NULL, run, c), 0);
    return c;
}

void stand_in_stop(struct stand_in *c)
{
    deis_loop_stop(c->loop);
    pthread_join(c->thread, NULL);
    deis_bus_server_free(c->server);
    deis_loop_free(c->loop);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

void stand_in_fail_deploys(struct stand_in *c, const char *reason)
{
    pthread_mutex_lock(&c->lock);
    c->fail_reason = reason;
    pthread_mutex_unlock(&c->lock);
}

void stand_in_hold_deploys(struct stand_in *c, bool hold)
{
    pthread_mutex_lock(&c->lock);
    c->hold = hold;
    pthread_mutex_unlock(&c->lock);
}

struct stand_in_deploy stand_in_last(struct stand_in *c)
{
    pthread_mutex_lock(&c->lock);
    struct stand_in_deploy last = c->last;
    pthread_mutex_unlock(&c->lock);
    return last;
}

void stand_in_client(struct stand_in *c, char out[64])
{
    pthread_mutex_lock(&c->lock);
    memcpy(out, c->client, sizeof(c->client));
    pthread_mutex_unlock(&c->lock);
}
