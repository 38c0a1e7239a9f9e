/* SPDX-License-Identifier: MIT */
/* One-off commands as the API knows them: waited for, detached, or attached (session.c). */
#include "controller/api.h"
#include "controller/core/container.h"
#include "controller/oneoff.h"
#include "controller/rollouts.h"
#include "controller/waits.h"

#include "lib/base/clock.h"
#include "lib/wire/run_frame.h"

#include <unistd.h>

#define OUTPUT_MAX  ((size_t)8 << 20)
#define POLL_MS     5000
#define AWAY_MAX_MS 30000 /* how long an agent may be silent */
#define RETRY_MS    500   /* after a call that failed, be it at once */
#define RETRY_S     5     /* when too many requests wait */

static struct oneoff oneoff_of(struct api *a, Deis__RunMode mode, const char *command)
{
    struct oneoff o = { .ctl = a->ctl,
                        .app = deis_strdup(a->app_id),
                        .user = deis_strdup(a->user),
                        .unbounded = a->caller.admin,
                        .command = deis_strdup(command),
                        .source = deis_strdup(a->source),
                        .mode = mode };

    snprintf(o.request, sizeof(o.request), "%s", a->id);
    return o;
}

/* Could it not be started, or not be followed? What may run all the same stays on record: the
 * agent tells its end, oneoff_look_after() asks for it. */
static void answer_failure(struct api *a, const struct oneoff *o, bool may_run,
                           const struct deis_err *err)
{
    if (!o->recorded) {
        api_error(a, err);
        return;
    }
    if (!may_run) {
        oneoff_ended(o->ctl, o->app, o->num, NULL);
    }
    api_detail(a, 503, "%s", err->msg);
}

/* --- waited for --- */

/* Collect the output until the command ends. */
static int follow(const struct oneoff *o, struct deis_buf *output, int *ret_code,
                  struct deis_err *err)
{
    struct ctl *ctl = o->ctl;
    settings_auto struct settings s = { 0 };
    uint64_t heard = deis_now_ms();
    uint64_t offset = 0;
    char id[DEIS_KEY_MAX];

    settings_get(ctl->settings, &s);
    snprintf(id, sizeof(id), "%s", o->id);
    uint64_t until = heard + s.run_timeout_ms + AWAY_MAX_MS;
    while (deis_now_ms() < until && !rollouts_cancelled(ctl->rollouts)) {
        Deis__RunOutput request = DEIS__RUN_OUTPUT__INIT;
        ProtobufCMessage *msg = NULL;
        request.id = id;
        request.offset = offset;
        request.wait_ms = POLL_MS;
        int r = deis_bus_call_sync(ctl->bus, o->bus, "agent.run_output", NULL, &request.base,
                                   &deis__run_chunk__descriptor, POLL_MS + 5000, &msg, err);
        if (r == DEIS_NOT_FOUND || r == DEIS_CANCELLED ||
            (r < 0 && deis_now_ms() - heard > AWAY_MAX_MS)) {
            return r;
        }
        if (r < 0) {
            usleep(RETRY_MS * 1000);
            continue;
        }
        const Deis__RunChunk *chunk = (const Deis__RunChunk *)(const void *)msg;
        heard = deis_now_ms();
        offset += chunk->data.len;
        deis_buf_add(output, chunk->data.data, chunk->data.len);
        bool ended = chunk->ended;
        *ret_code = chunk->exit_code;
        protobuf_c_message_free_unpacked(msg, NULL);
        if (ended) {
            return DEIS_OK;
        }
    }
    return rollouts_cancelled(ctl->rollouts)
               ? deis_err_set(err, DEIS_CANCELLED,
                              "The controller is being stopped. %s goes on: its output is in the "
                              "log",
                              o->process)
               : deis_err_set(err, DEIS_TIMEOUT, "the command did not end in time");
}

/* [exit code, "output"], as text: the output may hold any bytes. */
static void answer_output(struct api *a, int code, struct deis_str output)
{
    struct deis_buf body = DEIS_BUF_INIT(OUTPUT_MAX * 7);
    size_t len;

    deis_buf_addf(&body, "[%d, \"", code);
    deis_buf_add_json_escaped(&body, output);
    deis_buf_add_cstr(&body, "\"]");
    char *text = deis_buf_take(&body, &len);
    api_text(a, 200, "text/plain", text, len);
}

static void run_to_end(struct api *a, const char *command)
{
    struct oneoff o = oneoff_of(a, DEIS__RUN_MODE__RUN_COLLECTED, command);
    deis_autobuf struct deis_buf output = DEIS_BUF_INIT(OUTPUT_MAX);
    struct deis_err err = DEIS_ERR_INIT;
    int code = 0;

    int r = oneoff_start(&o, &err);
    bool may_run = oneoff_may_run(r);
    if (r == DEIS_OK) {
        r = follow(&o, &output, &code, &err);
        may_run = r != DEIS_NOT_FOUND;
    }
    if (r == DEIS_OK) {
        oneoff_ended(o.ctl, o.app, o.num, &code);
        answer_output(a, code, deis_buf_str(&output));
    } else {
        answer_failure(a, &o, may_run, &err);
    }
    oneoff_clear(&o);
}

/* --- detached --- */

static void run_detached(struct api *a, const char *command)
{
    struct oneoff o = oneoff_of(a, DEIS__RUN_MODE__RUN_DETACHED, command);
    struct deis_err err = DEIS_ERR_INIT;
    char key[DEIS_KEY_MAX];
    json_t *doc = NULL;

    int r = oneoff_start(&o, &err);
    if (r < 0) {
        answer_failure(a, &o, oneoff_may_run(r), &err);
    } else if (store_get(a->ctl, deis_key(key, "apps/%s/runs/%010u", o.app, o.num), &doc, NULL,
                         &err) < 0) {
        api_error(a, &err);
    } else {
        container_of_run(doc, false);
        api_json(a, 201, doc);
    }
    oneoff_clear(&o);
}

/* --- attached --- */

/* The command comes with the first frame; what can be said without it is said as HTTP. */
static void begin_session(struct api *a)
{
    struct deis_err err = DEIS_ERR_INIT;

    if (oneoff_check(a->ctl, a->app_id, &err) < 0) {
        api_error(a, &err);
    } else {
        api_session(a);
    }
}

void handle_apps_run(struct api *a)
{
    struct deis_err err = DEIS_ERR_INIT;
    struct fields f;

    if (a->upgrade) {
        begin_session(a);
        return;
    }
    fields_init(&f, a->body);
    deis_autofree char *command = fields_text(&f, "command", FIELD_REQUIRED, DEIS_RUN_COMMAND_MAX);
    const json_t *detach = json_object_get(a->body, "detach");
    if (detach && !json_is_boolean(detach)) {
        fields_error(&f, "detach", "Must be true or false.");
    }
    if (!command || fields_failed(&f)) {
        api_invalid(a, &f);
    } else if (waits_enter(a->ctl->waits, a->user, 0, &err) < 0) {
        a->retry_after_s = RETRY_S;
        api_detail(a, 503, "%s", err.msg);
    } else {
        (json_is_true(detach) ? run_detached : run_to_end)(a, command);
        waits_leave(a->ctl->waits, a->user);
    }
    fields_clear(&f);
}

/* --- stopped --- */

void handle_containers_stop(struct api *a)
{
    const char *type = api_param(a, "type");
    uint32_t num = (uint32_t)strtoul(api_param(a, "num"), NULL, 10);
    struct deis_err err = DEIS_ERR_INIT;
    change_auto struct change c = { 0 };
    deis_autojson json_t *doc = NULL;
    char key[DEIS_KEY_MAX];

    if (strcmp(type, "run") != 0) {
        api_detail(a, 400, "Only one-off commands can be stopped. Scale '%s' down instead", type);
        return;
    }
    int r =
        store_get(a->ctl, deis_key(key, "apps/%s/runs/%010u", a->app_id, num), &doc, NULL, &err);
    if (r < 0) {
        api_error(a, &err);
        return;
    }
    api_change(a, &c, "app.stop", "app/%s/run.%u", a->app_id, num);
    deis_etcd_if_exists(c.txn, key);
    if (!api_commit(a, &c)) {
        return;
    }
    r = oneoff_stop(a->ctl, a->app_id, num, &err);
    if (r == DEIS_OK || r == DEIS_NOT_FOUND) { /* has ended already */
        api_empty(a, 204);
    } else {
        api_detail(a, 503, "The machine of run.%u does not answer, try again: %s", num, err.msg);
    }
}
