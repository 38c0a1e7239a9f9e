/* SPDX-License-Identifier: MIT */
/*
 * One-off commands that run: where they are, to stop them, and to record their end when nobody
 * waits for it. index/run/ lists them; the agent of the machine has the last word.
 */
#include "controller/oneoff.h"
#include "controller/store.h"

#include "lib/base/clock.h"
#include "lib/net/log.h"

#include <pthread.h>

#define ASK_MAX_MS     3000
#define STARTING_MS    180000 /* an agent may not know it yet */
#define COMMANDS_A_RUN 1000

/* Where a command runs. */
struct place {
    char app[DEIS_NAME_MAX + 1];
    uint32_t num;
    char id[DEIS_KEY_MAX];
    char machine[DEIS_NAME_MAX + 1];
    uint64_t created_ms;
};

static int place_parse(const char *app, uint32_t num, const json_t *doc, struct place *ret,
                       struct deis_err *err)
{
    const char *id = json_string_value(json_object_get(doc, "id"));
    const char *machine = json_string_value(json_object_get(doc, "machine"));

    *ret = (struct place){ .num = num };
    if (!id || !machine || strlen(app) > DEIS_NAME_MAX || strlen(id) >= DEIS_KEY_MAX ||
        strlen(machine) > DEIS_NAME_MAX) {
        return deis_err_set(err, DEIS_INVALID, "record of a command of '%.64s' is not readable",
                            app);
    }
    snprintf(ret->app, sizeof(ret->app), "%s", app);
    snprintf(ret->id, sizeof(ret->id), "%s", id);
    snprintf(ret->machine, sizeof(ret->machine), "%s", machine);
    ret->created_ms = (uint64_t)json_integer_value(json_object_get(doc, "created_ms"));
    return DEIS_OK;
}

/* Where the agent of a machine listens. DEIS_NOT_FOUND: there is no such machine any more. */
static int find_bus(struct ctl *ctl, const char *machine, char out[DEIS_KEY_MAX],
                    struct deis_err *err)
{
    char machine_key[DEIS_KEY_MAX], verdict_key[DEIS_KEY_MAX];
    const char *keys[] = { deis_key(machine_key, "machines/%s", machine),
                           deis_key(verdict_key, "verdicts/%s", machine) };
    json_t *docs[DEIS_COUNT(keys)] = { NULL };

    int r = store_get_all(ctl, keys, DEIS_COUNT(keys), docs, NULL, err);
    const char *bus = json_string_value(json_object_get(docs[0], "bus"));
    const char *verdict = json_string_value(json_object_get(docs[1], "state"));
    if (r == DEIS_OK && (!bus || (verdict && strcmp(verdict, "lost") == 0))) {
        r = deis_err_set(err, DEIS_NOT_FOUND, "machine '%.64s' is lost", machine);
    }
    snprintf(out, DEIS_KEY_MAX, "%s", bus ? bus : "");
    json_decref(docs[0]);
    json_decref(docs[1]);
    return r;
}

static int send_stop(struct ctl *ctl, const struct place *p, struct deis_err *err)
{
    Deis__RunControl request = DEIS__RUN_CONTROL__INIT;
    char bus[DEIS_KEY_MAX], id[DEIS_KEY_MAX];
    int r = find_bus(ctl, p->machine, bus, err);

    if (r < 0) {
        return r;
    }
    snprintf(id, sizeof(id), "%s", p->id);
    request.id = id;
    request.ending = DEIS__RUN_ENDING__RUN_STOP;
    return deis_bus_call_sync(ctl->bus, bus, "agent.run_control", NULL, &request.base,
                              &deis__run_controlled__descriptor, ASK_MAX_MS, NULL, err);
}

int oneoff_stop(struct ctl *ctl, const char *app, uint32_t num, struct deis_err *err)
{
    char key[DEIS_KEY_MAX];
    deis_autojson json_t *doc = NULL;
    struct place p;

    int r = store_get(ctl, deis_key(key, "index/run/%s/%010u", app, num), &doc, NULL, err);
    if (r == DEIS_OK) {
        r = place_parse(app, num, doc, &p, err);
    }
    return r < 0 ? r : send_stop(ctl, &p, err);
}

static int ask(struct ctl *ctl, const struct place *p, bool *ret_ended, int *ret_code,
               struct deis_err *err)
{
    Deis__RunStatus request = DEIS__RUN_STATUS__INIT;
    ProtobufCMessage *msg = NULL;
    char bus[DEIS_KEY_MAX], id[DEIS_KEY_MAX];
    int r = find_bus(ctl, p->machine, bus, err);

    if (r < 0) {
        return r;
    }
    snprintf(id, sizeof(id), "%s", p->id);
    request.id = id;
    r = deis_bus_call_sync(ctl->bus, bus, "agent.run_status", NULL, &request.base,
                           &deis__run_state__descriptor, ASK_MAX_MS, &msg, err);
    if (r == DEIS_OK) {
        const Deis__RunState *state = (const Deis__RunState *)(const void *)msg;
        *ret_ended = state->ended;
        *ret_code = state->exit_code;
        protobuf_c_message_free_unpacked(msg, NULL);
    }
    return r;
}

/* Its app was destroyed. */
static bool is_orphan(struct ctl *ctl, const struct place *p)
{
    deis_autorange struct deis_etcd_range range = { 0 };
    struct deis_err err = DEIS_ERR_INIT;
    char key[DEIS_KEY_MAX];

    return deis_etcd_get(ctl->etcd, deis_key(key, "apps/%s/runs/%010u", p->app, p->num), &range,
                         &err) == DEIS_NOT_FOUND;
}

static void look_at(struct ctl *ctl, const struct place *p, json_t *silent)
{
    struct deis_err err = DEIS_ERR_INIT;
    bool ended = false;
    int code = 0;

    if (json_object_get(silent, p->machine)) {
        return;
    }
    int r = ask(ctl, p, &ended, &code, &err);
    if (r == DEIS_OK && ended) {
        oneoff_ended(ctl, p->app, p->num, &code);
    } else if (r == DEIS_OK) {
        if (is_orphan(ctl, p) && send_stop(ctl, p, &err) < 0) {
            deis_info("command of a destroyed app not stopped", KV_S("run", p->id), KV_ERR(&err));
        }
    } else if (r == DEIS_NOT_FOUND && deis_wall_ms() > p->created_ms + STARTING_MS) {
        oneoff_ended(ctl, p->app, p->num, NULL);
    } else if (r != DEIS_NOT_FOUND) {
        deis_debug("agent not asked about a command", KV_S("run", p->id), KV_ERR(&err));
        json_object_set_new(silent, p->machine, json_true());
    }
}

static void look_at_all(struct ctl *ctl)
{
    deis_autorange struct deis_etcd_range range = { 0 };
    deis_autojson json_t *silent = json_object(); /* machines, for this time */
    struct deis_err err = DEIS_ERR_INIT;

    if (deis_etcd_list(ctl->etcd, "/deis/index/run/", COMMANDS_A_RUN, &range, &err) < 0) {
        deis_debug("commands not listed", KV_ERR(&err));
        return;
    }
    for (size_t i = 0; i < range.count; i++) {
        struct deis_str rest = deis_key_below(range.kvs[i].key, "index/run/"), name;
        deis_autojson json_t *doc = deis_json_parse(range.kvs[i].value, NULL);
        struct place p;
        deis_str_split(&rest, '/', &name);
        deis_autofree char *app = deis_str_dup(name);
        uint32_t num = (uint32_t)strtoul(rest.len > 0 ? rest.ptr : "0", NULL, 10);
        if (place_parse(app, num, doc, &p, &err) == DEIS_OK) {
            look_at(ctl, &p, silent);
        } else {
            deis_error("command not looked after", KV_S("key", range.kvs[i].key), KV_ERR(&err));
        }
    }
}

void oneoff_look_after(struct ctl *ctl)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

    if (pthread_mutex_trylock(&lock) == 0) {
        look_at_all(ctl);
        pthread_mutex_unlock(&lock);
    }
}
