/* SPDX-License-Identifier: MIT */
/* One-off commands: started and followed at the agent of a live machine. */
#include "controller/applog.h"
#include "controller/apps.h"
#include "controller/rollouts.h"
#include "run.pb-c.h"

#include "lib/base/clock.h"
#include "lib/net/log.h"

#define COMMAND_MAX  65536
#define OUTPUT_MAX   ((size_t)8 << 20)
#define POLL_MS      5000
#define NUMBER_TRIES 20
#define RUNS_KEPT    50
#define SEALED_MAX   524288
#define AWAY_MAX_MS  30000 /* how long an agent may be silent */

/* bash where the image has it, else the plain shell. */
#define SHELL_LINE                                                                                 \
    "if command -v bash >/dev/null 2>&1; then exec bash -c \"$0\"; else exec sh -c \"$0\"; fi"

struct run {
    struct api *api;
    struct app_view view;
    const char *command;
    uint32_t num;
    char id[DEIS_KEY_MAX];
    char process[32];
    char bus[DEIS_KEY_MAX]; /* of the agent */
    struct deis_buf output;
    int exit_code;
};

/* One key below machines/: a machine's address goes to buses, and when its presence key follows (in
 * the order of keys) to live. */
static void sort_machine(const struct deis_etcd_kv *kv, const json_t *closed, json_t *buses,
                         json_t *live)
{
    static const char presence[] = "/presence";
    struct deis_str name = deis_key_below(kv->key, "machines/");
    struct deis_machine m;

    if (deis_str_ends(name, presence)) {
        deis_autofree char *id = deis_str_dup(deis_str_first(name, name.len - strlen(presence)));
        json_t *bus = json_object_get(buses, id);
        if (bus && !json_object_get(closed, id)) {
            json_array_append(live, bus);
        }
    } else if (deis_machine_parse(kv->value, &m, NULL) == DEIS_OK) {
        json_object_set_new(buses, m.id, json_string(m.bus));
        deis_machine_clear(&m);
    }
}

/* Bus address of a machine that is there and takes work; spread by chance. DEIS_NOT_FOUND: none. */
static int choose_machine(struct ctl *ctl, char out[DEIS_KEY_MAX], struct deis_err *err)
{
    deis_autorange struct deis_etcd_range machines = { 0 };
    deis_autorange struct deis_etcd_range verdicts = { 0 };
    deis_autojson json_t *closed = json_object();
    deis_autojson json_t *buses = json_object();
    deis_autojson json_t *live = json_array();
    uint32_t random;

    int r = deis_etcd_list(ctl->etcd, "/deis/machines/", 0, &machines, err);
    if (r == DEIS_OK) {
        r = deis_etcd_list_keys(ctl->etcd, "/deis/verdicts/", &verdicts, err);
    }
    if (r < 0) {
        return r;
    }
    for (size_t i = 0; i < verdicts.count; i++) {
        struct deis_str id = deis_key_below(verdicts.kvs[i].key, "verdicts/");
        json_object_set_new(closed, id.ptr, json_true());
    }
    for (size_t i = 0; i < machines.count; i++) {
        sort_machine(&machines.kvs[i], closed, buses, live);
    }
    if (json_array_size(live) == 0) {
        return deis_err_set(err, DEIS_NOT_FOUND, "no machine is there to run the command");
    }
    deis_random(&random, sizeof(random));
    snprintf(out, DEIS_KEY_MAX, "%s",
             json_string_value(json_array_get(live, random % json_array_size(live))));
    return DEIS_OK;
}

/* Record the run under the next number. */
static int take_number(struct run *run, struct deis_err *err)
{
    struct api *a = run->api;
    char prefix[DEIS_KEY_MAX], key[DEIS_KEY_MAX], uuid[37], now[32], release[16];

    deis_uuid(uuid);
    store_now(now);
    snprintf(release, sizeof(release), "v%u", run->view.latest);
    for (unsigned i = 0; i < NUMBER_TRIES; i++) {
        deis_autorange struct deis_etcd_range range = { 0 };
        change_auto struct change c = { 0 };
        int r = deis_etcd_list_keys(a->ctl->etcd, deis_key(prefix, "apps/%s/runs/", a->app_id),
                                    &range, err);
        if (r < 0) {
            return r;
        }
        const char *last = range.count > 0 ? range.kvs[range.count - 1].key + strlen(prefix) : "0";
        run->num = (uint32_t)strtoul(last, NULL, 10) + 1;
        deis_autojson json_t *doc =
            json_pack("{s:s, s:s, s:s, s:s, s:I, s:s, s:s, s:s, s:s}", "owner", a->user, "app",
                      a->app_id, "release", release, "type", "run", "num", (json_int_t)run->num,
                      "state", "up", "created", now, "updated", now, "uuid", uuid);
        api_change(a, &c, "app.run", "app/%s/run.%u", a->app_id, run->num);
        deis_etcd_if_absent(c.txn, deis_key(key, "apps/%s/runs/%010u", a->app_id, run->num));
        change_put(&c, key, doc);
        for (size_t old = 0; range.count > RUNS_KEPT && old < range.count - RUNS_KEPT && old < 50;
             old++) {
            deis_etcd_then_delete(c.txn, range.kvs[old].key);
        }
        deis_etcd_if_exists(c.txn, deis_key(key, "apps/%s", a->app_id));
        r = change_commit(a->ctl, &c, err);
        if (r != DEIS_CONFLICT) {
            return r;
        }
    }
    return deis_err_set(err, DEIS_CONFLICT, "too many commands are started at once, try again");
}

/* The record after the end. A failure is only logged: the caller has the result. */
static void record_end(struct run *run)
{
    struct deis_err err = DEIS_ERR_INIT;
    struct api *a = run->api;
    deis_autojson json_t *doc = NULL;
    char key[DEIS_KEY_MAX], now[32];
    int64_t revision;

    int r = store_get(a->ctl, deis_key(key, "apps/%s/runs/%010u", a->app_id, run->num), &doc,
                      &revision, &err);
    if (r == DEIS_OK) {
        deis_autotxn struct deis_etcd_txn *txn = deis_etcd_txn_new();
        store_now(now);
        json_object_set_new(doc, "state", json_string("down"));
        json_object_set_new(doc, "updated", json_string(now));
        deis_autofree char *text = deis_json_dump(doc);
        deis_etcd_if_mod(txn, key, revision);
        deis_etcd_then_put(txn, key, deis_str(text), 0);
        r = deis_etcd_commit(a->ctl->etcd, txn, NULL, NULL, &err);
    }
    if (r < 0) {
        deis_info("end of a run not recorded", KV_S("run", run->id), KV_ERR(&err));
    }
}

static int seal_env(struct run *run, struct deis_buf *out)
{
    struct api *a = run->api;
    char place[DEIS_KEY_MAX];
    char *env = plan_env(run->view.config, a->app_id, run->view.latest, run->view.build);

    snprintf(place, sizeof(place), "env/%s", a->app_id);
    deis_keys_seal(a->ctl->keys, deis_str(place), deis_str(env), out);
    explicit_bzero(env, strlen(env));
    free(env);
    return deis_buf_failed(out) ? DEIS_LIMIT : DEIS_OK;
}

/* How the command is wrapped: a buildpack image brings its own runner. */
static size_t fill_command(const struct run *run, char *entrypoint[2], char *command[2])
{
    const json_t *build = run->view.build;
    bool buildpack = json_string_length(json_object_get(build, "sha")) > 0 &&
                     json_string_length(json_object_get(build, "dockerfile")) == 0 &&
                     json_object_size(json_object_get(build, "procfile")) > 0;

    if (buildpack) {
        entrypoint[0] = deis_strdup("/runner/init");
        entrypoint[1] = NULL;
        command[0] = deis_strdup(run->command);
        command[1] = NULL;
        return 1;
    }
    entrypoint[0] = deis_strdup("/bin/sh");
    entrypoint[1] = deis_strdup("-c");
    command[0] = deis_strdup(SHELL_LINE);
    command[1] = deis_strdup(run->command);
    return 2;
}

static int start(struct run *run, const struct settings *s, struct deis_err *err)
{
    struct api *a = run->api;
    Deis__Run request = DEIS__RUN__INIT;
    deis_autobuf struct deis_buf env = DEIS_BUF_INIT(SEALED_MAX);
    deis_autofree char *image = build_image(run->view.build, s->registry);
    char *entrypoint[2], *command[2];
    char random[9];
    uint64_t memory = 0;

    deis_random_hex(random, 4);
    snprintf(run->process, sizeof(run->process), "run.%u", run->num);
    snprintf(run->id, sizeof(run->id), "%s_v%u.run.%u-%s", a->app_id, run->view.latest, run->num,
             random);
    if (seal_env(run, &env) < 0) {
        return deis_err_set(err, DEIS_LIMIT, "the app's config is too large");
    }
    const char *limit =
        json_string_value(json_object_get(json_object_get(run->view.config, "memory"), "run"));
    if (limit && deis_str_to_bytes(deis_str(limit), UINT64_C(1) << 50, &memory, err) < 0) {
        return DEIS_INVALID;
    }
    request.id = run->id;
    request.app = a->app_id;
    request.process = run->process;
    request.image = image;
    request.sealed_env = env.data;
    request.n_entrypoint = request.n_command = fill_command(run, entrypoint, command);
    request.entrypoint = entrypoint;
    request.command = command;
    request.memory_bytes = memory;
    request.timeout_ms = s->run_timeout_ms;
    int r = deis_bus_call_sync(a->ctl->bus, run->bus, "agent.run", run->id, &request.base,
                               &deis__run_started__descriptor, 120000, NULL, err);
    for (size_t i = 0; i < 2; i++) {
        free(entrypoint[i]);
        free(command[i]);
    }
    return r;
}

/* Collect the output until the command ends. */
static int follow(struct run *run, const struct settings *s, struct deis_err *err)
{
    struct ctl *ctl = run->api->ctl;
    uint64_t until = deis_now_ms() + s->run_timeout_ms + AWAY_MAX_MS;
    uint64_t heard = deis_now_ms();
    uint64_t offset = 0;

    while (deis_now_ms() < until && !rollouts_cancelled(ctl->rollouts)) {
        Deis__RunOutput request = DEIS__RUN_OUTPUT__INIT;
        ProtobufCMessage *msg = NULL;
        request.id = run->id;
        request.offset = offset;
        request.wait_ms = POLL_MS;
        int r = deis_bus_call_sync(ctl->bus, run->bus, "agent.run_output", NULL, &request.base,
                                   &deis__run_chunk__descriptor, POLL_MS + 5000, &msg, err);
        if (r == DEIS_NOT_FOUND || r == DEIS_CANCELLED ||
            (r < 0 && deis_now_ms() - heard > AWAY_MAX_MS)) {
            return r;
        }
        if (r < 0) {
            continue;
        }
        const Deis__RunChunk *chunk = (const Deis__RunChunk *)(const void *)msg;
        heard = deis_now_ms();
        offset += chunk->data.len;
        deis_buf_add(&run->output, chunk->data.data, chunk->data.len);
        bool ended = chunk->ended;
        run->exit_code = chunk->exit_code;
        protobuf_c_message_free_unpacked(msg, NULL);
        if (ended) {
            return DEIS_OK;
        }
    }
    return deis_err_set(err, DEIS_TIMEOUT, "the command did not end in time");
}

/* [exit code, "output"], as text: the output may hold any bytes. */
static void answer_output(struct api *a, const struct run *run)
{
    struct deis_buf body = DEIS_BUF_INIT(OUTPUT_MAX * 7);
    size_t len;

    deis_buf_addf(&body, "[%d, \"", run->exit_code);
    deis_buf_add_json_escaped(&body, deis_buf_str(&run->output));
    deis_buf_add_cstr(&body, "\"]");
    char *text = deis_buf_take(&body, &len);
    api_text(a, 200, "text/plain", text, len);
}

static void run_command(struct run *run)
{
    struct api *a = run->api;
    settings_auto struct settings s = { 0 };
    struct deis_err err = DEIS_ERR_INIT;

    settings_get(a->ctl->settings, &s);
    int r = choose_machine(a->ctl, run->bus, &err);
    if (r == DEIS_NOT_FOUND) {
        api_detail(a, 400, "Support for admin commands is not configured");
        return;
    }
    if (r == DEIS_OK) {
        r = app_view_load(a->ctl, a->app_id, a->app, &run->view, &err);
    }
    if (r == DEIS_OK && !run->view.build) {
        api_detail(a, 400, "No build associated with this release to run this command");
        return;
    }
    if (r == DEIS_OK) {
        r = take_number(run, &err);
    }
    if (r < 0) {
        api_error(a, &err);
        return;
    }
    applog_write(a->ctl, a->app_id, "%s runs '%s'", a->user, run->command);
    r = start(run, &s, &err);
    if (r == DEIS_OK) {
        r = follow(run, &s, &err);
    }
    record_end(run);
    if (r == DEIS_OK) {
        answer_output(a, run);
    } else {
        api_detail(a, 503, "%s", err.msg);
    }
}

void handle_apps_run(struct api *a)
{
    struct fields f;

    fields_init(&f, a->body);
    deis_autofree char *command = fields_text(&f, "command", FIELD_REQUIRED, COMMAND_MAX);
    if (command) {
        struct run run = { .api = a, .command = command, .output = DEIS_BUF_INIT(OUTPUT_MAX) };
        run_command(&run);
        app_view_clear(&run.view);
        deis_buf_clear(&run.output);
    } else {
        api_invalid(a, &f);
    }
    fields_clear(&f);
}
