/* SPDX-License-Identifier: MIT */
#include "builder/control.h"

#include "build.pb-c.h"

#include "lib/base/clock.h"
#include "lib/net/bus.h"

#include <time.h>

#define CALL_MS       5000
#define POLL_MS       10000 /* the controller answers after this at the latest */
#define POLL_SLACK_MS 5000
#define PATIENCE_MS   60000 /* how long the controller may be away */
#define RETRY_MS      200
#define RETRY_MAX_MS  2000
#define DEPLOY_MS     1800000 /* half an hour */

struct control {
    char *settings_path;
    struct deis_keys *keys;
    struct deis_bus_sync *bus;
};

int control_open(const char *settings_path, struct control **ret, struct deis_err *err)
{
    struct settings s;
    struct control *c = NULL;
    struct deis_keyring ring;

    int rc = settings_load(settings_path, &s, err);
    if (rc < 0) {
        return rc;
    }
    c = deis_alloc(sizeof(*c));
    c->keys = deis_keys_open(s.cluster_key, err);
    settings_clear(&s);
    if (!c->keys) {
        free(c);
        return err->code;
    }
    c->settings_path = deis_strdup(settings_path);
    deis_keys_get(c->keys, &ring);
    c->bus = deis_bus_sync_new(&ring.keys[0], "builder");
    deis_bus_sync_follow(c->bus, c->keys);
    deis_keyring_clear(&ring);
    *ret = c;
    return DEIS_OK;
}

void control_free(struct control *c)
{
    if (!c) {
        return;
    }
    deis_bus_sync_free(c->bus);
    deis_keys_free(c->keys);
    free(c->settings_path);
    free(c);
}

struct method {
    const char *name;
    const ProtobufCMessageDescriptor *answer;
    uint64_t timeout_ms;
};

static int call(struct control *c, const struct method *m, const ProtobufCMessage *request,
                ProtobufCMessage **ret, struct deis_err *err)
{
    struct settings s;

    int rc = settings_load(c->settings_path, &s, err);
    if (rc < 0) {
        return rc;
    }
    rc = deis_bus_call_sync(c->bus, s.controller_bus, m->name, NULL, request, m->answer,
                            m->timeout_ms, ret, err);
    settings_clear(&s);
    return rc;
}

static void sleep_ms(uint64_t ms)
{
    struct timespec t = { (time_t)(ms / 1000), (long)(ms % 1000) * 1000000 };

    nanosleep(&t, NULL);
}

int control_key(struct control *c, const char *fingerprint, uint64_t timeout_ms, char **ret_user,
                char **ret_key, struct deis_err *err)
{
    const struct method method = { "controller.key", &deis__key_owner__descriptor, timeout_ms };
    Deis__KeyLookup request = DEIS__KEY_LOOKUP__INIT;
    ProtobufCMessage *answer = NULL;
    deis_autofree char *text = deis_strdup(fingerprint);

    request.fingerprint = text;
    int rc = call(c, &method, &request.base, &answer, err);
    if (rc < 0) {
        return rc;
    }
    const Deis__KeyOwner *owner = (const Deis__KeyOwner *)(const void *)answer;
    *ret_user = deis_strdup(owner->user);
    *ret_key = deis_strdup(owner->public_key);
    protobuf_c_message_free_unpacked(answer, NULL);
    return DEIS_OK;
}

int control_authorize(struct control *c, const char *user, const char *app, const char *action,
                      const char *client, void (*on_wait)(void), struct deis_err *err)
{
    static const struct method method = { "controller.authorize", &deis__authorized__descriptor,
                                          CALL_MS };
    Deis__Authorize request = DEIS__AUTHORIZE__INIT;
    ProtobufCMessage *answer = NULL;
    deis_autofree char *user_text = deis_strdup(user);
    deis_autofree char *app_text = deis_strdup(app);
    deis_autofree char *action_text = deis_strdup(action);
    deis_autofree char *client_text = deis_strdup(client);
    uint64_t deadline = deis_now_ms() + PATIENCE_MS;

    request.user = user_text;
    request.app = app_text;
    request.action = action_text;
    request.client = client_text;
    for (unsigned attempt = 0;; attempt++) {
        int rc = call(c, &method, &request.base, &answer, err);
        if (rc == DEIS_OK) {
            break;
        }
        bool away = rc == DEIS_UNAVAILABLE || rc == DEIS_TIMEOUT;
        if (!away || deis_now_ms() >= deadline) {
            return rc;
        }
        if (attempt == 0) {
            on_wait();
        }
        sleep_ms(deis_backoff_ms(attempt, RETRY_MS, RETRY_MAX_MS));
    }
    protobuf_c_message_free_unpacked(answer, NULL);
    return DEIS_OK;
}

/* Pass on what is new; 1 when the deploy is over well, 0 when it goes on, negative when it failed.
 */
static int take_status(const struct control_deploy *d, const Deis__DeployStatus *status,
                       uint32_t *seen, struct control_deployed *ret, struct deis_err *err)
{
    for (size_t i = 0; i < status->n_progress; i++) {
        d->on_line(status->progress[i], d->arg);
    }
    *seen += (uint32_t)status->n_progress;
    if (strcmp(status->state, "done") == 0) {
        ret->version = status->version;
        ret->url = deis_strdup(status->url);
        return 1;
    }
    if (strcmp(status->state, "failed") == 0) {
        for (size_t i = 0; i < status->n_log; i++) {
            d->on_line(status->log[i], d->arg);
        }
        return deis_err_set(err, DEIS_CONFLICT, "%s", status->reason);
    }
    return 0;
}

/* Calls until the outcome is known; request holds all but `seen`. */
static int follow(struct control *c, const struct control_deploy *d, Deis__Deploy *request,
                  struct control_deployed *ret, struct deis_err *err)
{
    static const struct method method = { "controller.deploy", &deis__deploy_status__descriptor,
                                          POLL_MS + POLL_SLACK_MS };
    uint64_t end = deis_now_ms() + DEPLOY_MS;
    uint64_t heard = deis_now_ms();
    unsigned attempt = 0;

    for (;;) {
        ProtobufCMessage *answer = NULL;
        uint64_t now = deis_now_ms();
        if (d->give_up(d->arg)) {
            return deis_err_set(err, DEIS_CANCELLED, "interrupted");
        }
        if (now >= end || now - heard >= PATIENCE_MS) {
            return deis_err_set(err, DEIS_TIMEOUT,
                                "the controller does not say how the deploy ended");
        }
        int rc = call(c, &method, &request->base, &answer, err);
        if (rc == DEIS_UNAVAILABLE || rc == DEIS_TIMEOUT) {
            sleep_ms(deis_backoff_ms(attempt++, RETRY_MS, RETRY_MAX_MS));
            continue;
        }
        if (rc < 0) {
            return rc;
        }
        heard = deis_now_ms();
        attempt = 0;
        rc = take_status(d, (const Deis__DeployStatus *)(const void *)answer, &request->seen, ret,
                         err);
        protobuf_c_message_free_unpacked(answer, NULL);
        if (rc != 0) {
            return rc > 0 ? DEIS_OK : rc;
        }
    }
}

int control_deploy(struct control *c, const struct control_deploy *d, struct control_deployed *ret,
                   struct deis_err *err)
{
    Deis__Deploy request = DEIS__DEPLOY__INIT;
    deis_autofree char *operation = deis_strdup(d->operation);
    deis_autofree char *user = deis_strdup(d->user);
    deis_autofree char *app = deis_strdup(d->app);
    deis_autofree char *commit = deis_strdup(d->commit);
    deis_autofree char *image = deis_strdup(d->image);
    deis_autofree Deis__ProcessType *types =
        deis_realloc_array(NULL, d->procfile->count + 1, sizeof(*types));
    deis_autofree Deis__ProcessType **list =
        deis_realloc_array(NULL, d->procfile->count + 1, sizeof(Deis__ProcessType *));

    for (size_t i = 0; i < d->procfile->count; i++) {
        deis__process_type__init(&types[i]);
        types[i].name = d->procfile->types[i].name;
        types[i].command = d->procfile->types[i].command;
        list[i] = &types[i];
    }
    request.operation = operation;
    request.user = user;
    request.app = app;
    request.sha = commit;
    request.image = image;
    request.n_procfile = d->procfile->count;
    request.procfile = list;
    request.dockerfile = true;
    request.wait_ms = POLL_MS;
    return follow(c, d, &request, ret, err);
}
