/* SPDX-License-Identifier: MIT */
#include "tests/integration/controller/fake_platform.h"

#include "log.pb-c.h"
#include "run.pb-c.h"
#include "tests/support/program.h"

#include "lib/base/clock.h"
#include "lib/etcd/etcd.h"
#include "lib/model/model.h"
#include "lib/net/bus.h"

#include <pthread.h>
#include <time.h>

#define LINES_MAX 1000
#define MACHINE   "m1"

struct log_line {
    char *app;
    char *process;
    char *text;
    uint64_t time_ms;
};

struct fake_platform {
    pthread_t thread;
    struct deis_loop *loop;
    struct deis_etcd *etcd;
    struct deis_key key;
    char bus_address[64];
    struct deis_bus_server *bus;
    struct deis_etcd_watch *watch;
    struct deis_workers *engine;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool held;
    struct log_line lines[LINES_MAX];
    size_t line_count;
    struct deis_bus_call *waiting; /* a long poll of logger.read */
    Deis__LogRead *waiting_for;
};

/* --- the engine --- */

struct task {
    struct fake_platform *p;
    char *app;
    char *text; /* the formation; NULL = deleted */
};

static void put_doc(struct fake_platform *p, const char *key, char *text)
{
    struct deis_err err = DEIS_ERR_INIT;

    if (deis_etcd_put(p->etcd, key, deis_str(text), 0, &err) < 0) {
        fprintf(stderr, "fake engine: %s\n", err.msg);
    }
    free(text);
}

static void delete_units(struct fake_platform *p, const char *app)
{
    char key[DEIS_KEY_MAX];
    struct deis_err err = DEIS_ERR_INIT;

    if (deis_etcd_delete_prefix(p->etcd, deis_key(key, "units/%s_v", app), &err) < 0 ||
        deis_etcd_delete_prefix(p->etcd, deis_key(key, "states/" MACHINE "/%s_v", app), &err) < 0) {
        fprintf(stderr, "fake engine: %s\n", err.msg);
    }
}

static void put_unit(struct fake_platform *p, const struct deis_formation *f,
                     const struct deis_process *process, uint32_t num)
{
    char key[DEIS_KEY_MAX];
    static char machine[] = MACHINE, nothing[] = "", address[] = "172.18.0.2:5000";
    char *id = deis_asprintf("%s_v%u.%s.%u-%08x", f->app, f->release, process->type, num,
                             (unsigned)f->generation);
    const struct deis_unit unit = { .unit = id,
                                    .app = f->app,
                                    .release = f->release,
                                    .type = process->type,
                                    .num = num,
                                    .machine = machine,
                                    .desired = DEIS_DESIRED_RUN,
                                    .image = f->image,
                                    .env = f->env,
                                    .routable = process->routable };
    const struct deis_unit_state state = { .unit = id,
                                           .app = f->app,
                                           .type = process->type,
                                           .num = num,
                                           .release = f->release,
                                           .machine = machine,
                                           .state = DEIS_STATE_UP,
                                           .ready = true,
                                           .address = address,
                                           .container = nothing,
                                           .exit_error = nothing,
                                           .reason = nothing,
                                           .since_ms = deis_wall_ms() };

    put_doc(p, deis_key(key, "units/%s", id), deis_unit_format(&unit));
    put_doc(p, deis_key(key, "states/" MACHINE "/%s", id), deis_unit_state_format(&state));
    free(id);
}

static void roll_out(struct fake_platform *p, const struct deis_formation *f)
{
    char key[DEIS_KEY_MAX];
    bool broken = strstr(f->image, "broken") != NULL;
    static char reason[] = "web.1 exited with code 1 before it was ready", nothing[] = "";
    static char unit[] = "failed-unit", machine[] = MACHINE;
    struct deis_rollout rollout = { .app = f->app,
                                    .generation = f->generation,
                                    .operation = f->operation,
                                    .state = broken ? DEIS_ROLLOUT_FAILED : DEIS_ROLLOUT_DONE,
                                    .reason = broken ? reason : nothing,
                                    .unit = broken ? unit : nothing,
                                    .machine = broken ? machine : nothing };

    if (!broken) {
        delete_units(p, f->app);
        for (size_t i = 0; i < f->process_count; i++) {
            for (uint32_t num = 1; num <= f->processes[i].count; num++) {
                put_unit(p, f, &f->processes[i], num);
                rollout.ready = ++rollout.wanted;
            }
        }
    }
    put_doc(p, deis_key(key, "rollouts/%s", f->app), deis_rollout_format(&rollout));
}

static void engine_work(void *arg)
{
    struct task *t = arg;
    struct deis_formation f;
    struct deis_err err = DEIS_ERR_INIT;

    pthread_mutex_lock(&t->p->lock);
    while (t->p->held) {
        pthread_cond_wait(&t->p->changed, &t->p->lock);
    }
    pthread_mutex_unlock(&t->p->lock);
    if (!t->text) {
        delete_units(t->p, t->app);
    } else if (deis_formation_parse(deis_str(t->text), &f, &err) < 0) {
        fprintf(stderr, "fake engine: formation: %s\n", err.msg);
    } else {
        roll_out(t->p, &f);
        deis_formation_clear(&f);
    }
    free(t->app);
    free(t->text);
    free(t);
}

static void on_formation(const struct deis_etcd_kv *kv, bool deleted, void *arg)
{
    struct fake_platform *p = arg;
    struct task *t = deis_alloc(sizeof(*t));
    struct deis_err err = DEIS_ERR_INIT;

    t->p = p;
    t->app = deis_str_dup(deis_key_below(kv->key, "formations/"));
    t->text = deleted ? NULL : deis_str_dup(kv->value);
    if (deis_workers_run(p->engine, engine_work, NULL, t, &err) < 0) {
        fprintf(stderr, "fake engine: %s\n", err.msg);
    }
}

static void on_synced(int64_t revision, void *arg)
{
    (void)revision;
    (void)arg;
}

/* --- the logger --- */

static void reply_lines(struct fake_platform *p, struct deis_bus_call *call,
                        const Deis__LogRead *read, size_t first)
{
    Deis__LogLines answer = DEIS__LOG_LINES__INIT;
    Deis__LogEntry entries[LINES_MAX];
    Deis__LogEntry *list[LINES_MAX];
    char cursor[32];

    for (size_t i = first; i < p->line_count; i++) {
        const struct log_line *l = &p->lines[i];
        if (strcmp(l->app, read->app) != 0) {
            continue;
        }
        Deis__LogEntry init = DEIS__LOG_ENTRY__INIT;
        entries[answer.n_entries] = init;
        list[answer.n_entries] = &entries[answer.n_entries];
        list[answer.n_entries]->time_ms = l->time_ms;
        list[answer.n_entries]->process = l->process;
        list[answer.n_entries]->text.data = (uint8_t *)l->text;
        list[answer.n_entries]->text.len = strlen(l->text);
        answer.n_entries++;
    }
    snprintf(cursor, sizeof(cursor), "%zu", p->line_count);
    answer.entries = list;
    answer.cursor = cursor;
    deis_bus_reply(call, &answer.base);
}

static size_t cursor_of(const Deis__LogRead *read)
{
    return *read->cursor ? (size_t)strtoul(read->cursor, NULL, 10) : 0;
}

static void on_append(struct deis_bus_call *call, const ProtobufCMessage *msg, void *arg)
{
    struct fake_platform *p = arg;
    const Deis__LogAppend *append = (const Deis__LogAppend *)(const void *)msg;
    Deis__LogAppended answer = DEIS__LOG_APPENDED__INIT;

    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < append->n_lines && p->line_count < LINES_MAX; i++) {
        const Deis__LogLine *l = append->lines[i];
        p->lines[p->line_count++] = (struct log_line){
            .app = deis_strdup(l->app),
            .process = deis_strdup(l->process),
            .text = deis_str_dup(deis_str_n((const char *)l->text.data, l->text.len)),
            .time_ms = l->time_ms,
        };
        answer.position = l->position;
    }
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    deis_bus_reply(call, &answer.base);
    if (p->waiting) {
        struct deis_bus_call *waiting = DEIS_TAKE(p->waiting);
        reply_lines(p, waiting, p->waiting_for, cursor_of(p->waiting_for));
        free(p->waiting_for->app);
        free(p->waiting_for->cursor);
        free(DEIS_TAKE(p->waiting_for));
    }
}

static void on_read(struct deis_bus_call *call, const ProtobufCMessage *msg, void *arg)
{
    struct fake_platform *p = arg;
    const Deis__LogRead *read = (const Deis__LogRead *)(const void *)msg;
    size_t first = cursor_of(read);

    if (*read->cursor && read->wait_ms > 0 && first == p->line_count && !p->waiting) {
        p->waiting_for = deis_alloc(sizeof(*p->waiting_for));
        *p->waiting_for = *read;
        p->waiting_for->app = deis_strdup(read->app);
        p->waiting_for->cursor = deis_strdup(read->cursor);
        p->waiting = call;
        return;
    }
    reply_lines(p, call, read, first);
}

static void on_delete(struct deis_bus_call *call, const ProtobufCMessage *msg, void *arg)
{
    struct fake_platform *p = arg;
    const Deis__LogDelete *request = (const Deis__LogDelete *)(const void *)msg;
    Deis__LogDeleted answer = DEIS__LOG_DELETED__INIT;

    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < p->line_count; i++) {
        if (strcmp(p->lines[i].app, request->app) == 0) {
            p->lines[i].app[0] = '\0';
        }
    }
    pthread_mutex_unlock(&p->lock);
    deis_bus_reply(call, &answer.base);
}

/* --- the agent --- */

static void on_run(struct deis_bus_call *call, const ProtobufCMessage *msg, void *arg)
{
    Deis__RunStarted answer = DEIS__RUN_STARTED__INIT;

    (void)msg;
    (void)arg;
    deis_bus_reply(call, &answer.base);
}

/* Two pieces, then the end with status 3. */
static void on_run_output(struct deis_bus_call *call, const ProtobufCMessage *msg, void *arg)
{
    const Deis__RunOutput *request = (const Deis__RunOutput *)(const void *)msg;
    Deis__RunChunk answer = DEIS__RUN_CHUNK__INIT;
    static const char text[] = "hello \"there\"\xff\n";
    size_t len = sizeof(text) - 1;
    size_t from = request->offset < len ? (size_t)request->offset : len;

    (void)arg;
    size_t n = len - from < 8 ? len - from : 8;
    answer.data.data = (uint8_t *)deis_str_dup(deis_str_n(text + from, n));
    answer.data.len = n;
    answer.ended = from + n == len;
    answer.exit_code = 3;
    deis_bus_reply(call, &answer.base);
    free(answer.data.data);
}

static void on_unit_log(struct deis_bus_call *call, const ProtobufCMessage *msg, void *arg)
{
    Deis__UnitLogLines answer = DEIS__UNIT_LOG_LINES__INIT;
    uint8_t text[] = "cannot find module 'left-pad'";
    ProtobufCBinaryData line = { .len = sizeof(text) - 1, .data = text };

    (void)msg;
    (void)arg;
    answer.n_lines = 1;
    answer.lines = &line;
    deis_bus_reply(call, &answer.base);
}

static const struct deis_bus_method methods[] = {
    { "logger.append", &deis__log_append__descriptor, on_append },
    { "logger.read", &deis__log_read__descriptor, on_read },
    { "logger.delete", &deis__log_delete__descriptor, on_delete },
    { "agent.run", &deis__run__descriptor, on_run },
    { "agent.run_output", &deis__run_output__descriptor, on_run_output },
    { "agent.unit_log", &deis__unit_log__descriptor, on_unit_log },
};

/* --- life --- */

static void *run_loop(void *arg)
{
    struct fake_platform *p = arg;

    deis_loop_run(p->loop);
    return NULL;
}

static void publish(struct fake_platform *p)
{
    char key[DEIS_KEY_MAX];
    static char id[] = MACHINE, host[] = "fake-host", local[] = "127.0.0.1";
    const struct deis_service logger = { .bus = p->bus_address };
    struct deis_machine machine = { .id = id,
                                    .hostname = host,
                                    .address = local,
                                    .bus = p->bus_address,
                                    .metadata = json_object(),
                                    .cpus = 1 };

    put_doc(p, deis_key(key, "services/logger/one"), deis_service_format(&logger));
    put_doc(p, deis_key(key, "machines/" MACHINE), deis_machine_format(&machine));
    put_doc(p, deis_key(key, "machines/" MACHINE "/presence"), deis_strdup("{}"));
    json_decref(machine.metadata);
}

struct fake_platform *fake_platform_start(const char *etcd_url, const char *key_file)
{
    static const struct deis_etcd_watch_ops ops = { .on_change = on_formation,
                                                    .on_synced = on_synced };
    const struct deis_etcd_opts opts = { .endpoints = etcd_url };
    struct fake_platform *p = deis_alloc(sizeof(*p));
    struct deis_err err = DEIS_ERR_INIT;

    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->changed, NULL);
    p->loop = deis_loop_new();
    p->etcd = deis_etcd_new(&opts, &err);
    snprintf(p->bus_address, sizeof(p->bus_address), "tcp://127.0.0.1:%u", test_free_port());
    if (!p->etcd || deis_key_load(key_file, &p->key, &err) < 0) {
        fprintf(stderr, "fake platform: %s\n", err.msg);
        abort();
    }
    p->engine = deis_workers_new(p->loop, 1, 1000);
    p->bus = deis_bus_server_new(p->loop, p->bus_address, &p->key, "platform", methods,
                                 DEIS_COUNT(methods), p, &err);
    if (!p->bus) {
        fprintf(stderr, "fake platform: %s\n", err.msg);
        abort();
    }
    publish(p);
    p->watch = deis_etcd_watch_start(p->etcd, p->loop, "/deis/formations/", &ops, p);
    pthread_create(&p->thread, NULL, run_loop, p);
    return p;
}

void fake_platform_stop(struct fake_platform *p)
{
    fake_platform_hold(p, false);
    deis_loop_stop(p->loop);
    pthread_join(p->thread, NULL);
    deis_etcd_watch_stop(p->watch);
    deis_workers_free(p->engine);
    deis_bus_server_free(p->bus);
    if (p->waiting) {
        const struct deis_err err = { .code = DEIS_CANCELLED, .msg = "the logger ends" };
        deis_bus_fail(p->waiting, &err);
    }
    deis_etcd_free(p->etcd);
    deis_loop_free(p->loop);
    if (p->waiting_for) {
        free(p->waiting_for->app);
        free(p->waiting_for->cursor);
        free(p->waiting_for);
    }
    for (size_t i = 0; i < p->line_count; i++) {
        free(p->lines[i].app);
        free(p->lines[i].process);
        free(p->lines[i].text);
    }
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

void fake_platform_hold(struct fake_platform *p, bool held)
{
    pthread_mutex_lock(&p->lock);
    p->held = held;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

bool fake_platform_logged(struct fake_platform *p, const char *app, const char *text)
{
    struct timespec until;
    bool found = false;
    int r = 0;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 60;
    pthread_mutex_lock(&p->lock);
    while (!found && r == 0) {
        for (size_t i = 0; i < p->line_count && !found; i++) {
            found = strcmp(p->lines[i].app, app) == 0 && strstr(p->lines[i].text, text) != NULL;
        }
        if (!found) {
            r = pthread_cond_timedwait(&p->changed, &p->lock, &until);
        }
    }
    pthread_mutex_unlock(&p->lock);
    return found;
}
