/* SPDX-License-Identifier: MIT */
#include "controller/busapi.h"

#include "build.pb-c.h"
#include "controller/carry.h"
#include "controller/core/names.h"
#include "controller/core/sshkey.h"
#include "controller/deploy.h"

#include "lib/net/log.h"

#define WAIT_MAX_MS        25000
#define ELSEWHERE_MS       500 /* until a caller asks again about what another controller carries */
#define DEPLOY_PATIENCE_MS 60000
#define PROCFILE_MAX       60

/* One call on its way through a worker. */
struct call {
    struct ctl *ctl;
    struct deis_bus_call *bus;
    const ProtobufCMessage *msg;
    void (*answer)(struct call *c);
};

static void call_fail(struct call *c, enum deis_code code, const char *text)
{
    struct deis_err err;

    deis_err_set(&err, code, "%s", text);
    deis_bus_fail(c->bus, &err);
}

static void work(void *arg)
{
    struct call *c = arg;

    if (settings_await(c->ctl->settings)) {
        c->answer(c);
    } else {
        call_fail(c, DEIS_UNAVAILABLE, "the platform's settings could not be read yet");
    }
    free(c);
}

static void dispatch(struct ctl *ctl, struct deis_bus_call *bus, const ProtobufCMessage *msg,
                     void (*answer)(struct call *c))
{
    struct deis_err err = DEIS_ERR_INIT;
    struct call *c = deis_alloc(sizeof(*c));

    *c = (struct call){ ctl, bus, msg, answer };
    if (deis_workers_run(ctl->requests, work, NULL, c, &err) < 0) {
        free(c);
        err.code = DEIS_UNAVAILABLE;
        deis_bus_fail(bus, &err);
    }
}

/* --- controller.key --- */

/* The earliest owner of the key: who adds somebody else's public key later gets nothing by it. */
static int find_key(struct ctl *ctl, const char *print, json_t **ret, struct deis_err *err)
{
    char prefix[DEIS_KEY_MAX], key[DEIS_KEY_MAX];
    deis_autojson json_t *owners = NULL;

    int r = store_names(ctl, deis_key(prefix, "keys/%s/", print), &owners, err);
    if (r < 0) {
        return r;
    }
    const char *first = json_string_value(json_array_get(owners, 0));
    if (!first) {
        return deis_err_set(err, DEIS_NOT_FOUND, "nobody has this key");
    }
    return store_get(ctl, deis_key(key, "keys/%s/%s", print, first), ret, NULL, err);
}

/* "SHA256:<base64>" as in the key's name in etcd. */
static bool print_of(const char *fingerprint, char out[48])
{
    const char *text = fingerprint + strlen("SHA256:");
    size_t i;

    if (strncmp(fingerprint, "SHA256:", strlen("SHA256:")) != 0) {
        return false;
    }
    for (i = 0; text[i] && i < 44; i++) {
        char c = text[i];
        bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '+' || c == '/';
        if (!fits) {
            return false;
        }
        out[i] = (char)(c == '+' ? '-' : c == '/' ? '_' : c);
    }
    out[i] = '\0';
    return i == 43 && text[i] == '\0';
}

static void answer_key(struct call *c)
{
    const Deis__KeyLookup *request = (const Deis__KeyLookup *)(const void *)c->msg;
    Deis__KeyOwner answer = DEIS__KEY_OWNER__INIT;
    struct deis_err err = DEIS_ERR_INIT;
    deis_autobuf struct deis_buf blob = DEIS_BUF_INIT(SSHKEY_TEXT_MAX);
    deis_autofree char *plain = NULL;
    deis_autojson json_t *doc = NULL;
    char print[48];

    if (!print_of(request->fingerprint, print)) {
        call_fail(c, DEIS_INVALID, "fingerprint is not of the form SHA256:...");
        return;
    }
    int r = find_key(c->ctl, print, &doc, &err);
    if (r == DEIS_OK) {
        const char *public = json_string_value(json_object_get(doc, "public"));
        r = sshkey_parse(public ? public : "", &blob, &plain, &err);
    }
    const char *owner = json_string_value(json_object_get(doc, "owner"));
    if (r < 0 || !owner) {
        deis_bus_fail(c->bus, &err);
        return;
    }
    deis_autofree char *user = deis_strdup(owner);
    answer.user = user;
    answer.public_key = plain;
    deis_bus_reply(c->bus, &answer.base);
}

static void on_key(struct deis_bus_call *bus, const ProtobufCMessage *msg, void *arg)
{
    dispatch(arg, bus, msg, answer_key);
}

/* --- controller.authorize --- */

static void answer_authorize(struct call *c)
{
    const Deis__Authorize *request = (const Deis__Authorize *)(const void *)c->msg;
    Deis__Authorized answer = DEIS__AUTHORIZED__INIT;
    settings_auto struct settings s = { 0 };
    struct deis_err err = DEIS_ERR_INIT;

    if (strcmp(request->action, "push") != 0 && strcmp(request->action, "fetch") != 0) {
        call_fail(c, DEIS_INVALID, "action must be push or fetch");
        return;
    }
    int r = auth_app_user(c->ctl, request->user, request->app, ACCESS_APP_USE, NULL, &err);
    if (r == DEIS_NOT_FOUND || r == DEIS_DENIED) {
        deis_err_set(&err, DEIS_DENIED, "no app of this name that %.30s may %s", request->user,
                     strcmp(request->action, "push") == 0 ? "push to" : "fetch from");
    }
    if (r == DEIS_OK || r == DEIS_NOT_FOUND || r == DEIS_DENIED) {
        deis_info(r == DEIS_OK ? "git access" : "git access refused", KV_S("user", request->user),
                  KV_S("app", request->app), KV_S("action", request->action),
                  KV_S("client", request->client));
    }
    if (r < 0) {
        deis_bus_fail(c->bus, &err);
        return;
    }
    settings_get(c->ctl->settings, &s);
    deis_autofree char *host = settings_host(&s, request->app);
    answer.host = host;
    deis_bus_reply(c->bus, &answer.base);
}

static void on_authorize(struct deis_bus_call *bus, const ProtobufCMessage *msg, void *arg)
{
    dispatch(arg, bus, msg, answer_authorize);
}

/* --- controller.deploy --- */

struct deploy_job {
    struct ctl *ctl;
    struct live *live;
    json_t *build;
    char *app;
    char *user;
    char operation[OPERATION_ID_MAX + 1];
};

static void job_free(struct deploy_job *job)
{
    live_unref(job->live);
    json_decref(job->build);
    free(job->app);
    free(job->user);
    free(job);
}

/* The store did not answer, or we stop: that is no end. Who asked hears "running" and asks again
 * with the same id, which begins the deploy or finds what came of it. */
static bool is_for_later(int r)
{
    return r == DEIS_CANCELLED || r == DEIS_UNAVAILABLE || r == DEIS_TIMEOUT;
}

static void deploy_work(void *arg)
{
    struct deploy_job *job = arg;
    struct outcome outcome = { 0 };
    struct deis_err err = DEIS_ERR_INIT;
    struct deploy_request req = { .ctl = job->ctl,
                                  .kind = "build",
                                  .app = job->app,
                                  .user = job->user,
                                  .request = job->operation,
                                  .patience_ms = DEPLOY_PATIENCE_MS,
                                  .prepare = deploy_prepare_build,
                                  .arg = job->build };

    snprintf(req.operation, sizeof(req.operation), "%s", job->operation);
    int r = deploy_run(&req, &outcome, &err);
    if (is_for_later(r)) {
        deis_info("deploy to be asked for again", KV_S("app", job->app), KV_S("id", job->operation),
                  KV_ERR(&err));
        live_drop(job->live);
    } else {
        if (r < 0) {
            outcome =
                (struct outcome){ .app = deis_strdup(job->app), .reason = deis_strdup(err.msg) };
        }
        live_end(job->live, &outcome);
    }
    outcome_clear(&outcome);
    job_free(job);
}

/* The build that a request describes; NULL with err. */
static json_t *build_of(const Deis__Deploy *request, struct deis_err *err)
{
    deis_autojson json_t *procfile = json_object();

    for (size_t i = 0; i < request->n_procfile && i <= PROCFILE_MAX; i++) {
        const Deis__ProcessType *p = request->procfile[i];
        json_object_set_new(procfile, p->name, json_string(p->command));
    }
    deis_autojson json_t *body =
        json_pack("{s:s, s:s, s:O, s:s}", "image", request->image, "sha", request->sha, "procfile",
                  procfile, "dockerfile", request->dockerfile ? "true" : "");
    struct fields f;
    fields_init(&f, body);
    deis_autojson json_t *content = body ? build_parse(&f) : NULL;
    if (!content) {
        deis_autojson json_t *errors = fields_take_errors(&f);
        deis_autofree char *text = deis_json_dump(errors);
        deis_err_set(err, DEIS_INVALID, "the build is refused: %s", text);
        fields_clear(&f);
        return NULL;
    }
    fields_clear(&f);
    return deploy_new_build(request->app, request->user, content);
}

/* Begin the deploy on a thread of its own. */
static int start_deploy(struct ctl *ctl, const Deis__Deploy *request, struct live *live,
                        struct deis_err *err)
{
    struct deploy_job *job;
    deis_autojson json_t *build = NULL;
    bool unused;
    int r = auth_app_user(ctl, request->user, request->app, ACCESS_APP_USE, NULL, err);

    if (r == DEIS_OK && !(build = build_of(request, err))) {
        r = DEIS_INVALID;
    }
    if (r < 0) {
        return r;
    }
    job = deis_alloc(sizeof(*job));
    job->ctl = ctl;
    job->live = live_get(ctl->lives, request->operation, &unused);
    job->build = DEIS_TAKE(build);
    job->app = deis_strdup(request->app);
    job->user = deis_strdup(request->user);
    snprintf(job->operation, sizeof(job->operation), "%s", request->operation);
    r = deis_workers_run(ctl->operations, deploy_work, NULL, job, err);
    if (r < 0) {
        job_free(job);
    }
    return r;
}

static void reply_status(struct call *c, const Deis__Deploy *request, const char *state,
                         char **progress, const struct outcome *o)
{
    Deis__DeployStatus answer = DEIS__DEPLOY_STATUS__INIT;
    settings_auto struct settings s = { 0 };
    deis_autofree char *word = deis_strdup(state);
    deis_autofree char *url = NULL;

    answer.state = word;
    for (answer.n_progress = 0; progress && progress[answer.n_progress];) {
        answer.n_progress++;
    }
    answer.progress = progress;
    if (o && o->done) {
        settings_get(c->ctl->settings, &s);
        url = settings_url(&s, request->app);
        answer.url = url;
        answer.version = o->version;
    } else if (o) {
        answer.reason = o->reason;
        for (answer.n_log = 0; o->log && o->log[answer.n_log];) {
            answer.n_log++;
        }
        answer.log = o->log;
    }
    deis_bus_reply(c->bus, &answer.base);
}

static void on_live(const struct live_status *status, void *arg)
{
    struct call *c = arg;
    const Deis__Deploy *request = (const Deis__Deploy *)(const void *)c->msg;
    const char *state = !status->ended ? "running" : status->outcome.done ? "done" : "failed";

    reply_status(c, request, state, status->progress, status->ended ? &status->outcome : NULL);
    free(c);
}

/* Answer when there is news, without a thread that waits for it. live: NULL = "running", soon. */
static void reply_later(const struct call *c, struct live *live)
{
    const Deis__Deploy *request = (const Deis__Deploy *)(const void *)c->msg;
    uint64_t wait_ms = request->wait_ms < WAIT_MAX_MS ? request->wait_ms : WAIT_MAX_MS;
    struct call *later = deis_alloc(sizeof(*later));

    *later = *c;
    lives_tell(c->ctl->lives, live, request->seen, live ? wait_ms : ELSEWHERE_MS, on_live, later);
}

/* The operation is known to etcd, though not carried here. False: it is not. */
static bool reply_stored(struct call *c, const Deis__Deploy *request, bool *ret_failed)
{
    struct outcome outcome = { 0 };
    struct deis_err err = DEIS_ERR_INIT;
    deis_autojson json_t *doc = NULL;
    char key[DEIS_KEY_MAX];
    int r = carry_outcome(c->ctl, request->operation, &outcome, &err);

    *ret_failed = false;
    if (r == DEIS_OK) {
        bool same = strcmp(outcome.app, request->app) == 0;
        if (same) {
            reply_status(c, request, outcome.done ? "done" : "failed", NULL, &outcome);
        } else {
            call_fail(c, DEIS_CONFLICT, "the operation id belongs to another app");
        }
        outcome_clear(&outcome);
        return true;
    }
    if (r == DEIS_NOT_FOUND) {
        r = store_get(c->ctl, deis_key(key, "operations/%s", request->app), &doc, NULL, &err);
    }
    const char *id = json_string_value(json_object_get(doc, "id"));
    if (r == DEIS_OK && id && strcmp(id, request->operation) == 0) {
        reply_later(c, NULL); /* another controller carries it: the caller asks again */
        return true;
    }
    *ret_failed = r < 0 && r != DEIS_NOT_FOUND;
    if (*ret_failed) {
        deis_bus_fail(c->bus, &err);
    }
    return false;
}

static void answer_deploy(struct call *c)
{
    const Deis__Deploy *request = (const Deis__Deploy *)(const void *)c->msg;
    struct deis_err err = DEIS_ERR_INIT;
    bool failed = false;
    bool fresh = false;

    if (!operation_id_fits(request->operation) || !deis_str_is_label(deis_str(request->app)) ||
        !names_is_user(request->user)) {
        call_fail(c, DEIS_INVALID, "operation, app or user is not a valid name");
        return;
    }
    struct live *live = live_find(c->ctl->lives, request->operation);
    if (!live && (reply_stored(c, request, &failed) || failed)) {
        return;
    }
    if (!live) {
        live = live_get(c->ctl->lives, request->operation, &fresh);
    }
    if (!live) {
        call_fail(c, DEIS_UNAVAILABLE, "too many operations are under way");
        return;
    }
    if (fresh && start_deploy(c->ctl, request, live, &err) < 0) {
        live_drop(live);
        live_unref(live);
        deis_bus_fail(c->bus, &err);
        return;
    }
    reply_later(c, live);
    live_unref(live);
}

static void on_deploy(struct deis_bus_call *bus, const ProtobufCMessage *msg, void *arg)
{
    dispatch(arg, bus, msg, answer_deploy);
}

struct deis_bus_server *busapi_start(struct ctl *ctl, const char *address, struct deis_err *err)
{
    static const struct deis_bus_method methods[] = {
        { "controller.key", &deis__key_lookup__descriptor, on_key },
        { "controller.authorize", &deis__authorize__descriptor, on_authorize },
        { "controller.deploy", &deis__deploy__descriptor, on_deploy },
    };

    struct deis_keyring ring;

    deis_keys_get(ctl->keys, &ring);
    struct deis_bus_server *bus = deis_bus_server_new(
        ctl->loop, address, &ring.keys[0], "controller", methods, DEIS_COUNT(methods), ctl, err);
    deis_keyring_clear(&ring);
    if (bus) {
        deis_bus_server_follow(bus, ctl->keys);
    }
    return bus;
}
