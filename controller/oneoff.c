/* SPDX-License-Identifier: MIT */
#include "controller/oneoff.h"

#include "controller/applog.h"
#include "controller/apps.h"
#include "controller/core/program.h"
#include "controller/gate.h"

#include "lib/base/clock.h"
#include "lib/net/log.h"

#define NUMBER_TRIES 20
#define RUNS_KEPT    50
#define DROPS_MAX    50
#define SEALED_MAX   524288
#define START_MAX_MS 120000
#define TURN_MAX_MS  10000
#define LIVE_PREFIX  "/deis/index/run/"

/* bash where the image has it, else the plain shell. On a terminal its size is set first: the one
 * that the agent sets may come after the program has asked. */
#define SHELL_LINE                                                                                 \
    "if command -v bash >/dev/null 2>&1; then exec bash -c \"$0\"; else exec sh -c \"$0\"; fi"
#define SIZE_LINE "stty rows %u cols %u 2>/dev/null; "

void oneoff_clear(struct oneoff *o)
{
    free(o->app);
    free(o->user);
    free(o->command);
    free(o->source);
    free(o->term);
    *o = (struct oneoff){ 0 };
}

/* --- where --- */

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
            json_array_append_new(live, json_pack("[s, O]", id, bus));
        }
    } else if (deis_machine_parse(kv->value, &m, NULL) == DEIS_OK) {
        json_object_set_new(buses, m.id, json_string(m.bus));
        deis_machine_clear(&m);
    }
}

/* Machines that are there and take work: [[id, bus address]...]. DEIS_INVALID: none. */
static int live_machines(struct ctl *ctl, json_t **ret, struct deis_err *err)
{
    deis_autorange struct deis_etcd_range machines = { 0 };
    deis_autorange struct deis_etcd_range verdicts = { 0 };
    deis_autojson json_t *closed = json_object();
    deis_autojson json_t *buses = json_object();
    deis_autojson json_t *live = json_array();

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
        return deis_err_set(err, DEIS_INVALID, "Support for admin commands is not configured");
    }
    *ret = DEIS_TAKE(live);
    return DEIS_OK;
}

static int choose_machine(struct oneoff *o, struct deis_err *err)
{
    deis_autojson json_t *live = NULL;
    uint32_t random;
    int r = live_machines(o->ctl, &live, err);

    if (r < 0) {
        return r;
    }
    deis_random(&random, sizeof(random));
    const json_t *machine = json_array_get(live, random % json_array_size(live));
    snprintf(o->machine, sizeof(o->machine), "%s", json_string_value(json_array_get(machine, 0)));
    snprintf(o->bus, sizeof(o->bus), "%s", json_string_value(json_array_get(machine, 1)));
    return DEIS_OK;
}

static int load_view(struct ctl *ctl, const char *app, struct app_view *view, struct deis_err *err)
{
    int r = app_view_load(ctl, app, NULL, view, err);

    if (r == DEIS_OK && !view->build) {
        r = deis_err_set(err, DEIS_INVALID,
                         "No build associated with this release to run this command");
    }
    return r;
}

int oneoff_check(struct ctl *ctl, const char *app, struct deis_err *err)
{
    app_view_auto struct app_view view = { 0 };
    deis_autojson json_t *live = NULL;
    int r = live_machines(ctl, &live, err);

    return r < 0 ? r : load_view(ctl, app, &view, err);
}

/* --- the record --- */

static uint32_t last_number(const struct deis_etcd_range *range, const char *prefix)
{
    return range->count > 0
               ? (uint32_t)strtoul(range->kvs[range->count - 1].key + strlen(prefix), NULL, 10)
               : 0;
}

/* Old records go, but for those whose command still runs. */
static void drop_old(struct change *c, const struct deis_etcd_range *runs, const char *prefix,
                     const struct deis_etcd_range *live, const char *live_prefix)
{
    size_t next = 0, drops = 0;

    for (size_t i = 0; runs->count > RUNS_KEPT && i < runs->count - RUNS_KEPT && drops < DROPS_MAX;
         i++) {
        const char *number = runs->kvs[i].key + strlen(prefix);
        while (next < live->count &&
               strcmp(live->kvs[next].key + strlen(live_prefix), number) < 0) {
            next++;
        }
        if (next == live->count || strcmp(live->kvs[next].key + strlen(live_prefix), number) != 0) {
            deis_etcd_then_delete(c->txn, runs->kvs[i].key);
            drops++;
        }
    }
}

static json_t *record(const struct oneoff *o, uint32_t release)
{
    char uuid[37], now[32], version[16];

    deis_uuid(uuid);
    store_now(now);
    snprintf(version, sizeof(version), "v%u", release);
    return json_pack("{s:s, s:s, s:s, s:s, s:I, s:s, s:s, s:s, s:s, s:s}", "owner", o->user, "app",
                     o->app, "release", version, "type", "run", "num", (json_int_t)o->num, "state",
                     "up", "created", now, "updated", now, "uuid", uuid, "machine", o->machine);
}

/* May the user have one more? *ret_revision: of the store when they were counted. */
static int check_room(const struct oneoff *o, int64_t *ret_revision, struct deis_err *err)
{
    deis_autorange struct deis_etcd_range live = { 0 };
    settings_auto struct settings s = { 0 };
    uint32_t own = 0;
    int r = deis_etcd_list(o->ctl->etcd, LIVE_PREFIX, 0, &live, err);

    if (r < 0) {
        return r;
    }
    for (size_t i = 0; i < live.count; i++) {
        deis_autojson json_t *doc = deis_json_parse(live.kvs[i].value, NULL);
        const char *user = json_string_value(json_object_get(doc, "user"));
        own += user && strcmp(user, o->user) == 0;
    }
    settings_get(o->ctl->settings, &s);
    *ret_revision = live.revision;
    return own < s.runs_per_user
               ? DEIS_OK
               : deis_err_set(err, DEIS_LIMIT,
                              "%u commands of yours run already; that is the limit: end one "
                              "(deis ps:stop), or wait for one to end",
                              own);
}

/* counted: when it was seen that there is room, 0 = nobody asked. */
static int take_this_number(struct oneoff *o, uint32_t release, const struct deis_etcd_range *runs,
                            const struct deis_etcd_range *live, int64_t counted,
                            struct deis_err *err)
{
    char key[DEIS_KEY_MAX], live_key[DEIS_KEY_MAX], prefix[DEIS_KEY_MAX], live_prefix[DEIS_KEY_MAX];
    char random[9], program[PROGRAM_MAX + 1];
    change_auto struct change c = { 0 };

    deis_random_hex(random, 4);
    program_of(o->command, program);
    snprintf(o->process, sizeof(o->process), "run.%u", o->num);
    snprintf(o->id, sizeof(o->id), "%s_v%u.run.%u-%s", o->app, release, o->num, random);
    deis_autofree char *object =
        deis_asprintf("app/%s/run.%u%s%s", o->app, o->num, *program ? " " : "", program);
    deis_autojson json_t *doc = record(o, release);
    deis_autojson json_t *where =
        json_pack("{s:s, s:s, s:s, s:I}", "id", o->id, "machine", o->machine, "user", o->user,
                  "created_ms", (json_int_t)deis_wall_ms());
    change_begin(&c, o->user, "app.run", object, "done", o->request, o->source);
    deis_etcd_if_absent(c.txn, deis_key(key, "apps/%s/runs/%010u", o->app, o->num));
    deis_etcd_if_absent(c.txn, deis_key(live_key, "index/run/%s/%010u", o->app, o->num));
    change_put(&c, key, doc);
    change_put(&c, live_key, where);
    drop_old(&c, runs, deis_key(prefix, "apps/%s/runs/", o->app), live,
             deis_key(live_prefix, "index/run/%s/", o->app));
    deis_etcd_if_exists(c.txn, deis_key(key, "apps/%s", o->app));
    if (counted > 0) {
        deis_etcd_if_prefix_unchanged(c.txn, LIVE_PREFIX, counted);
    }
    return change_commit(o->ctl, &c, err);
}

static int take_some_number(struct oneoff *o, uint32_t release, struct deis_err *err)
{
    char prefix[DEIS_KEY_MAX], live_prefix[DEIS_KEY_MAX];

    for (unsigned i = 0; i < NUMBER_TRIES; i++) {
        deis_autorange struct deis_etcd_range runs = { 0 };
        deis_autorange struct deis_etcd_range live = { 0 };
        int64_t counted = 0;
        int r = o->unbounded ? DEIS_OK : check_room(o, &counted, err);
        if (r == DEIS_OK) {
            r = deis_etcd_list_keys(o->ctl->etcd, deis_key(prefix, "apps/%s/runs/", o->app), &runs,
                                    err);
        }
        if (r == DEIS_OK) {
            r = deis_etcd_list_keys(o->ctl->etcd, deis_key(live_prefix, "index/run/%s/", o->app),
                                    &live, err);
        }
        if (r < 0) {
            return r;
        }
        uint32_t last = last_number(&runs, prefix), last_live = last_number(&live, live_prefix);
        o->num = (last > last_live ? last : last_live) + 1;
        r = take_this_number(o, release, &runs, &live, counted, err);
        if (r != DEIS_CONFLICT) {
            o->recorded = r == DEIS_OK;
            return r;
        }
    }
    return deis_err_set(err, DEIS_CONFLICT, "too many commands are started at once, try again");
}

/* Record the command under the next number. One at a time, so that only other controllers get in
 * the way. */
static int take_number(struct oneoff *o, uint32_t release, struct deis_err *err)
{
    if (!gate_enter(o->ctl->quotas, LIVE_PREFIX, TURN_MAX_MS)) {
        return deis_err_set(err, DEIS_CONFLICT, "too many commands are started at once, try again");
    }
    int r = take_some_number(o, release, err);
    gate_leave(o->ctl->quotas, LIVE_PREFIX);
    return r;
}

/* --- the start --- */

static int seal_env(struct ctl *ctl, const char *app, const struct app_view *view,
                    struct deis_buf *out)
{
    char place[DEIS_KEY_MAX];
    char *env = plan_env(view->config, app, view->latest, view->build);

    snprintf(place, sizeof(place), "env/%s", app);
    deis_keys_seal(ctl->keys, deis_str(place), deis_str(env), out);
    explicit_bzero(env, strlen(env));
    free(env);
    return deis_buf_failed(out) ? DEIS_LIMIT : DEIS_OK;
}

/* How the command is wrapped: a buildpack image brings its own runner. */
static size_t fill_command(const struct oneoff *o, const json_t *build, char *entrypoint[2],
                           char *command[2])
{
    bool buildpack = json_string_length(json_object_get(build, "sha")) > 0 &&
                     json_string_length(json_object_get(build, "dockerfile")) == 0 &&
                     json_object_size(json_object_get(build, "procfile")) > 0;

    if (buildpack) {
        entrypoint[0] = deis_strdup("/runner/init");
        entrypoint[1] = NULL;
        command[0] = deis_strdup(o->command);
        command[1] = NULL;
        return 1;
    }
    entrypoint[0] = deis_strdup("/bin/sh");
    entrypoint[1] = deis_strdup("-c");
    command[0] =
        o->tty ? deis_asprintf(SIZE_LINE SHELL_LINE, o->rows, o->columns) : deis_strdup(SHELL_LINE);
    command[1] = deis_strdup(o->command);
    return 2;
}

static int send_start(struct oneoff *o, const struct app_view *view, struct deis_err *err)
{
    settings_auto struct settings s = { 0 };
    Deis__Run request = DEIS__RUN__INIT;
    deis_autobuf struct deis_buf env = DEIS_BUF_INIT(SEALED_MAX);
    char *entrypoint[2], *command[2];
    uint64_t memory = 0;

    settings_get(o->ctl->settings, &s);
    deis_autofree char *image = build_image(view->build, s.registry);
    if (seal_env(o->ctl, o->app, view, &env) < 0) {
        return deis_err_set(err, DEIS_LIMIT, "the app's config is too large");
    }
    const char *limit =
        json_string_value(json_object_get(json_object_get(view->config, "memory"), "run"));
    if (limit && deis_str_to_bytes(deis_str(limit), UINT64_C(1) << 50, &memory, err) < 0) {
        return DEIS_INVALID;
    }
    request.id = o->id;
    request.app = o->app;
    request.process = o->process;
    request.image = image;
    request.sealed_env = env.data;
    request.n_entrypoint = request.n_command = fill_command(o, view->build, entrypoint, command);
    request.entrypoint = entrypoint;
    request.command = command;
    request.memory_bytes = memory;
    request.timeout_ms = s.run_timeout_ms;
    request.mode = o->mode;
    request.tty = o->tty;
    request.rows = o->rows;
    request.columns = o->columns;
    request.term = o->term ? o->term : request.term;
    int r = deis_bus_call_sync(o->ctl->bus, o->bus, "agent.run", o->id, &request.base,
                               &deis__run_started__descriptor, START_MAX_MS, NULL, err);
    for (size_t i = 0; i < DEIS_COUNT(command); i++) {
        free(entrypoint[i]);
        free(command[i]);
    }
    return r;
}

int oneoff_start(struct oneoff *o, struct deis_err *err)
{
    app_view_auto struct app_view view = { 0 };
    int r = choose_machine(o, err);

    if (r == DEIS_OK) {
        r = load_view(o->ctl, o->app, &view, err);
    }
    if (r == DEIS_OK) {
        r = take_number(o, view.latest, err);
    }
    if (r == DEIS_OK) {
        applog_write(o->ctl, o->app, "%s runs '%s'", o->user, o->command);
        r = send_start(o, &view, err);
    }
    return r;
}

/* --- the end --- */

static void set_end(json_t *doc, const int *exit_code)
{
    char now[32];

    store_now(now);
    json_object_set_new(doc, "state", json_string("down"));
    json_object_set_new(doc, "updated", json_string(now));
    if (exit_code) {
        json_object_set_new(doc, "exit",
                            json_pack("{s:i, s:b, s:s, s:s}", "code", *exit_code, "oom", 0, "error",
                                      "", "at", now));
    }
}

void oneoff_ended(struct ctl *ctl, const char *app, uint32_t num, const int *exit_code)
{
    struct deis_err err = DEIS_ERR_INIT;
    deis_autojson json_t *doc = NULL;
    deis_autotxn struct deis_etcd_txn *txn = deis_etcd_txn_new();
    char key[DEIS_KEY_MAX], live_key[DEIS_KEY_MAX];
    int64_t revision = 0;

    deis_key(live_key, "index/run/%s/%010u", app, num);
    int r = store_get(ctl, deis_key(key, "apps/%s/runs/%010u", app, num), &doc, &revision, &err);
    if (r == DEIS_OK) {
        set_end(doc, exit_code);
        deis_autofree char *text = deis_json_dump(doc);
        deis_etcd_then_put(txn, key, deis_str(text), 0);
    }
    if (r == DEIS_OK || r == DEIS_NOT_FOUND) {
        deis_etcd_if_mod(txn, key, revision);
        deis_etcd_if_exists(txn, live_key); /* who ends it first tells how */
        deis_etcd_then_delete(txn, live_key);
        r = deis_etcd_commit(ctl->etcd, txn, NULL, NULL, &err);
    }
    if (r < 0 && r != DEIS_CONFLICT) {
        deis_info("end of a command not recorded", KV_S("app", app), KV_I("num", num),
                  KV_ERR(&err));
    }
}
