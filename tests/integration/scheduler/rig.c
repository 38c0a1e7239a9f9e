/* SPDX-License-Identifier: MIT */
#include "tests/integration/scheduler/rig.h"

#include "log.pb-c.h"
#include "tests/integration/scheduler/image.h"
#include "tests/support/program.h"
#include "tests/support/test.h"

#include "lib/base/clock.h"
#include "lib/etcd/etcd.h"
#include "lib/net/file.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define SOCKET "/var/run/docker.sock"

struct line {
    char *app;
    char *text;
};

struct rig {
    struct test_etcd etcd_server;
    struct deis_etcd *etcd;
    struct deis_docker *docker;
    struct deis_key key;
    struct deis_bus_sync *bus;
    struct program scheduler;
    const char *options[RIG_OPTIONS + 1]; /* of the scheduler, beyond the usual ones */
    char *folder;
    char *data;
    char *key_file;
    char machine[32];
    char network[32];
    char image[64];
    char label[64];
    char bus_address[64];
    char logger_address[64];
    /* the loop's thread: the logger and a mirror of etcd */
    pthread_t thread;
    struct deis_loop *loop;
    struct deis_bus_server *logger;
    struct deis_etcd_watch *watch;
    bool logger_on; /* as wanted, and (below) as it is */
    /* under lock */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool logger_is_on;
    struct deis_map *mirror;    /* key -> text */
    struct deis_map *positions; /* source -> uint64_t */
    struct line *lines;
    size_t line_count;
    size_t line_cap;
    uint64_t lost;
};

/* --- the logger --- */

static void keep_line(struct rig *r, const Deis__LogLine *l)
{
    if (r->line_count == r->line_cap) {
        r->line_cap = r->line_cap > 0 ? 2 * r->line_cap : 1024;
        r->lines = deis_realloc_array(r->lines, r->line_cap, sizeof(*r->lines));
    }
    r->lines[r->line_count++] = (struct line){
        .app = deis_strdup(l->app),
        .text = deis_asprintf("%s %.*s", l->process, (int)l->text.len, (const char *)l->text.data),
    };
    r->lost += l->lost;
}

static void on_append(struct deis_bus_call *call, const ProtobufCMessage *msg, void *arg)
{
    const Deis__LogAppend *m = (const Deis__LogAppend *)msg;
    Deis__LogAppended answer = DEIS__LOG_APPENDED__INIT;
    struct rig *r = arg;

    pthread_mutex_lock(&r->lock);
    uint64_t *last = deis_map_get(r->positions, deis_str(m->source));
    if (!last) {
        last = deis_alloc(sizeof(*last));
        deis_map_set(r->positions, deis_str(m->source), last);
    }
    for (size_t i = 0; i < m->n_lines; i++) {
        if (m->lines[i]->position > *last) {
            *last = m->lines[i]->position;
            keep_line(r, m->lines[i]);
        }
    }
    answer.position = *last;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
    deis_bus_reply(call, &answer.base);
}

static void switch_logger(void *arg)
{
    static const struct deis_bus_method methods[] = {
        { .name = "logger.append",
          .request = &deis__log_append__descriptor,
          .handle = on_append,
          .repeatable = true },
    };
    struct rig *r = arg;
    struct deis_err err = DEIS_ERR_INIT;

    if (r->logger_on && !r->logger) {
        r->logger =
            deis_bus_server_new(r->loop, r->logger_address, &r->key, "logger", methods, 1, r, &err);
        if (!r->logger) {
            fail_msg("logger: %s", err.msg);
        }
    } else if (!r->logger_on && r->logger) {
        deis_bus_server_free(DEIS_TAKE(r->logger));
    }
    pthread_mutex_lock(&r->lock);
    r->logger_is_on = r->logger_on;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

static bool logger_is_as_wanted(struct rig *r, void *arg)
{
    return r->logger_is_on == r->logger_on;
}

void rig_logger(struct rig *r, bool on)
{
    r->logger_on = on;
    deis_loop_post(r->loop, switch_logger, r);
    rig_wait(r, "the logger to be switched", logger_is_as_wanted, NULL);
}

/* --- the mirror of etcd --- */

static void on_change(const struct deis_etcd_kv *kv, bool deleted, void *arg)
{
    struct rig *r = arg;

    pthread_mutex_lock(&r->lock);
    if (deleted) {
        deis_map_remove(r->mirror, deis_str(kv->key));
    } else {
        deis_map_set(r->mirror, deis_str(kv->key), deis_str_dup(kv->value));
    }
    pthread_mutex_unlock(&r->lock);
}

static void on_synced(int64_t revision, void *arg)
{
    struct rig *r = arg;

    pthread_mutex_lock(&r->lock);
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

static void *run_loop(void *arg)
{
    struct rig *r = arg;

    deis_loop_run(r->loop);
    return NULL;
}

void rig_wait(struct rig *r, const char *what, bool (*holds)(struct rig *r, void *arg), void *arg)
{
    struct timespec end;
    int rc = 0;

    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += RIG_WAIT_MS / 1000;
    pthread_mutex_lock(&r->lock);
    while (!holds(r, arg) && rc == 0) {
        rc = pthread_cond_timedwait(&r->changed, &r->lock, &end);
    }
    pthread_mutex_unlock(&r->lock);
    if (rc != 0) {
        for (size_t i = r->line_count > 5 ? r->line_count - 5 : 0; i < r->line_count; i++) {
            printf("# line %zu: %s: %.100s\n", i + 1, r->lines[i].app, r->lines[i].text);
        }
        fail_msg("waited in vain for %s", what);
    }
}

/* --- the leftovers --- */

static json_t *list_containers(struct rig *r)
{
    deis_autofree char *label = deis_asprintf("deis.agent=%s", r->machine);
    const char *labels[] = { label, NULL };
    struct deis_err err = DEIS_ERR_INIT;
    json_t *list = NULL;

    if (deis_docker_list(r->docker, labels, &list, &err) < 0) {
        fail_msg("list: %s", err.msg);
    }
    return list;
}

size_t rig_count_containers(struct rig *r)
{
    deis_autojson json_t *list = list_containers(r);

    return json_array_size(list);
}

static void remove_leftovers(struct rig *r)
{
    deis_autojson json_t *list = list_containers(r);
    deis_autofree char *network = deis_asprintf("/networks/%s", r->network);
    struct deis_err err = DEIS_ERR_INIT;
    size_t i;
    json_t *c;

    json_array_foreach(list, i, c)
    {
        if (deis_docker_remove(r->docker, json_string_value(json_object_get(c, "Id")), &err) < 0) {
            printf("# left behind: %s\n", err.msg);
        }
    }
    int rc = deis_docker_call(r->docker, "DELETE", network, NULL, 0, NULL, &err);
    if (rc < 0 && rc != DEIS_NOT_FOUND) {
        printf("# left behind: %s\n", err.msg);
    }
    if (deis_docker_image_remove(r->docker, r->image, &err) < 0) {
        printf("# left behind: %s\n", err.msg);
    }
}

/* --- the programs --- */

static void start_scheduler(struct rig *r, struct program *p, const char *bus)
{
    const char *argv[40] = {
        "--etcd",       r->etcd_server.url, "--cluster-key", r->key_file, "--data-dir", r->data,
        "--machine-id", r->machine,         "--network",     r->network,  "--bus",      bus,
        "--components", r->label,           "--metadata",    "rack=1",
    };
    size_t n = 0;

    while (argv[n]) {
        n++;
    }
    memcpy(argv + n, r->options, sizeof(r->options));
    program_start(p, "deis-scheduler", argv);
}

void rig_scheduler_start(struct rig *r)
{
    start_scheduler(r, &r->scheduler, r->bus_address);
}

int rig_scheduler_second(struct rig *r)
{
    deis_autofree char *bus = deis_asprintf("tcp://127.0.0.1:%u", test_free_port());
    struct program second = { 0 };

    program_wait_port(
        (uint16_t)strtoul(strrchr(r->bus_address, ':') + 1, NULL, 10)); /* the first has it now */
    start_scheduler(r, &second, bus);
    return program_stop(&second, 0); /* it ends by itself */
}

static void assert_ended_well(int status)
{
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

void rig_scheduler_options(struct rig *r, const char *const options[RIG_OPTIONS])
{
    assert_ended_well(program_stop(&r->scheduler, SIGTERM));
    memcpy(r->options, options, RIG_OPTIONS * sizeof(*options));
    rig_scheduler_start(r);
}

void rig_scheduler_kill(struct rig *r)
{
    program_stop(&r->scheduler, SIGKILL);
}

char *rig_saved_units(struct rig *r)
{
    struct deis_buf text = DEIS_BUF_INIT(1 << 20);
    deis_autofree char *path = deis_asprintf("%s/units.json", r->data);
    struct deis_err err = DEIS_ERR_INIT;

    if (deis_file_read(path, &text, &err) < 0) {
        fail_msg("%s", err.msg);
    }
    return deis_buf_take(&text, NULL);
}

void rig_forget_log_places(struct rig *r)
{
    deis_autofree char *path = deis_asprintf("%s/logs.json", r->data);

    assert_int_equal(unlink(path), 0);
}

void rig_etcd_kill(struct rig *r)
{
    test_etcd_kill(&r->etcd_server);
}

void rig_etcd_start(struct rig *r)
{
    test_etcd_start(&r->etcd_server);
}

void rig_etcd_backup(struct rig *r)
{
    deis_autofree char *data = deis_asprintf("%s/data", r->etcd_server.dir);
    deis_autofree char *kept = deis_asprintf("%s/kept", r->etcd_server.dir);
    int status = -1;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        execlp("cp", "cp", "-a", data, kept, (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

void rig_etcd_restore(struct rig *r)
{
    deis_autofree char *data = deis_asprintf("%s/data", r->etcd_server.dir);
    deis_autofree char *kept = deis_asprintf("%s/kept", r->etcd_server.dir);
    deis_autofree char *lost = deis_asprintf("%s/lost", r->etcd_server.dir);

    assert_int_equal(rename(data, lost), 0);
    assert_int_equal(rename(kept, data), 0);
}

struct deis_etcd *rig_etcd(struct rig *r)
{
    return r->etcd;
}

static void put(struct rig *r, const char *key, const char *value)
{
    char full[DEIS_KEY_MAX];
    struct deis_err err = DEIS_ERR_INIT;

    if (deis_etcd_put(r->etcd, deis_key(full, "%s", key), deis_str(value), 0, &err) < 0) {
        fail_msg("put %s: %s", key, err.msg);
    }
}

/* Recursive: conditions of rig_wait() hold it while they ask what anybody may ask. */
static void lock_init(struct rig *r)
{
    pthread_mutexattr_t attr;

    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&r->lock, &attr);
    pthread_mutexattr_destroy(&attr);
    pthread_cond_init(&r->changed, NULL);
}

struct rig *rig_new(const char *test)
{
    static const struct deis_etcd_watch_ops ops = { .on_change = on_change,
                                                    .on_synced = on_synced };
    struct deis_err err = DEIS_ERR_INIT;

    if (!test_etcd_installed(test)) {
        return NULL;
    }
    struct deis_docker *docker = deis_docker_new(SOCKET);
    if (access(IMAGE_BUSYBOX, X_OK) != 0 || deis_docker_ping(docker, &err) < 0) {
        printf("SKIP %s: needs a Docker Engine and a static busybox at %s\n", test, IMAGE_BUSYBOX);
        deis_docker_free(docker);
        return NULL;
    }
    struct rig *r = deis_alloc(sizeof(*r));
    r->docker = docker;
    snprintf(r->machine, sizeof(r->machine), "it-%d", (int)getpid());
    snprintf(r->network, sizeof(r->network), "deis-it-%d", (int)getpid());
    snprintf(r->image, sizeof(r->image), "deis-it-scheduler-%d", (int)getpid());
    snprintf(r->label, sizeof(r->label), "deis.it-%d", (int)getpid());
    r->folder = program_temp_folder();
    r->data = deis_asprintf("%s/data", r->folder);
    r->key_file = program_write_key(r->folder);
    assert_int_equal(deis_key_load(r->key_file, &r->key, &err), 0);
    snprintf(r->bus_address, sizeof(r->bus_address), "tcp://127.0.0.1:%u", test_free_port());
    snprintf(r->logger_address, sizeof(r->logger_address), "tcp://127.0.0.1:%u", test_free_port());
    image_import(SOCKET, r->image);
    test_etcd_init(&r->etcd_server);
    test_etcd_start(&r->etcd_server);
    struct deis_etcd_opts opts = { .endpoints = r->etcd_server.url };
    r->etcd = deis_etcd_new(&opts, &err);
    r->bus = deis_bus_sync_new(&r->key, "controller");
    lock_init(r);
    r->mirror = deis_map_new(free);
    r->positions = deis_map_new(free);
    r->loop = deis_loop_new();
    r->watch = deis_etcd_watch_start(r->etcd, r->loop, "/deis/", &ops, r);
    pthread_create(&r->thread, NULL, run_loop, r);
    rig_logger(r, true);
    deis_autofree char *where = deis_asprintf("{\"bus\":\"%s\"}", r->logger_address);
    put(r, "services/logger/test", where);
    rig_scheduler_start(r);
    return r;
}

void rig_free(struct rig *r)
{
    int status = program_stop(&r->scheduler, SIGTERM);

    deis_loop_stop(r->loop);
    pthread_join(r->thread, NULL);
    deis_etcd_watch_stop(r->watch);
    deis_bus_server_free(r->logger);
    deis_loop_free(r->loop);
    deis_bus_sync_free(r->bus);
    deis_etcd_free(r->etcd);
    test_etcd_clear(&r->etcd_server);
    remove_leftovers(r);
    deis_docker_free(r->docker);
    deis_map_free(r->mirror);
    deis_map_free(r->positions);
    for (size_t i = 0; i < r->line_count; i++) {
        free(r->lines[i].app);
        free(r->lines[i].text);
    }
    free(r->lines);
    free(r->key_file);
    free(r->data);
    program_remove_folder(r->folder);
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->changed);
    free(r);
    assert_ended_well(status); /* last: nothing is to be left behind */
}

/* --- what should run --- */

char *rig_seal(struct rig *r, const char *app, const char *name, const char *value)
{
    deis_autojson json_t *env = json_pack("{s:s}", name, value);
    deis_autofree char *plain = deis_json_dump(env);
    deis_autofree char *aad = deis_asprintf("env/%s", app);
    struct deis_buf sealed = DEIS_BUF_INIT(256 * 1024);

    deis_seal(&r->key, deis_str(aad), deis_str(plain), &sealed);
    return deis_buf_take(&sealed, NULL);
}

static struct deis_process process(const char *type, unsigned count, bool routable, char **command)
{
    return (struct deis_process){
        .type = (char *)(uintptr_t)type,
        .count = count,
        .command = command,
        .memory_bytes = 64 << 20,
        .routable = routable,
    };
}

void rig_formation(struct rig *r, const struct rig_formation *f)
{
    char *command[] = { (char *)(uintptr_t) "/bin/sh", (char *)(uintptr_t) "-c",
                        (char *)(uintptr_t)f->script, NULL };
    struct deis_process processes[] = { process("web", f->web, true, command),
                                        process("worker", f->worker, false, command) };
    deis_autofree char *operation = deis_asprintf("op-%u", f->generation);
    deis_autofree char *env =
        f->config ? rig_seal(r, f->app, "CONFIG", f->config) : deis_strdup("");
    struct deis_formation doc = {
        .app = (char *)(uintptr_t)f->app,
        .generation = f->generation,
        .operation = operation,
        .release = f->release,
        .image = f->image ? (char *)(uintptr_t)f->image : r->image,
        .env = env,
        .grace_ms = f->grace_ms > 0 ? f->grace_ms : 300,
        .start_timeout_ms = f->start_timeout_ms > 0 ? f->start_timeout_ms : RIG_WAIT_MS,
        .health = { .path = (char *)(uintptr_t)f->health, .timeout_ms = 1000 },
        .processes = processes,
        .process_count = 2,
    };
    deis_autofree char *key = deis_asprintf("formations/%s", f->app);
    deis_autofree char *text = deis_formation_format(&doc);

    put(r, key, text);
}

void rig_no_formation(struct rig *r, const char *app)
{
    char key[DEIS_KEY_MAX];
    struct deis_err err = DEIS_ERR_INIT;

    if (deis_etcd_delete(r->etcd, deis_key(key, "formations/%s", app), &err) < 0) {
        fail_msg("delete: %s", err.msg);
    }
}

/* --- what is: with the lock held --- */

static bool read_rollout(struct rig *r, const char *app, struct deis_rollout *ret)
{
    char key[DEIS_KEY_MAX];
    const char *text = deis_map_get(r->mirror, deis_str(deis_key(key, "rollouts/%s", app)));

    return text && deis_rollout_parse(deis_str(text), ret, NULL) == 0;
}

struct expected_rollout {
    const char *app;
    unsigned generation;
    enum deis_rollout_state state;
};

static bool rollout_is(struct rig *r, void *arg)
{
    const struct expected_rollout *e = arg;
    struct deis_rollout o;

    if (!read_rollout(r, e->app, &o)) {
        return false;
    }
    bool ended = o.generation == e->generation && o.state != DEIS_ROLLOUT_RUNNING;
    if (ended && o.state != e->state) {
        printf("# rollout ended otherwise: %s\n", o.reason);
    }
    bool fits = ended && o.state == e->state;
    deis_rollout_clear(&o);
    return fits;
}

void rig_wait_rollout(struct rig *r, const char *app, unsigned generation,
                      enum deis_rollout_state state)
{
    struct expected_rollout e = { app, generation, state };
    deis_autofree char *what = deis_asprintf("generation %u of %s to end", generation, app);

    rig_wait(r, what, rollout_is, &e);
}

static char *rollout_text(struct rig *r, const char *app, bool unit)
{
    struct deis_rollout o;

    pthread_mutex_lock(&r->lock);
    assert_true(read_rollout(r, app, &o));
    pthread_mutex_unlock(&r->lock);
    char *text = deis_strdup(unit ? o.unit : o.reason);
    deis_rollout_clear(&o);
    return text;
}

char *rig_reason(struct rig *r, const char *app)
{
    return rollout_text(r, app, false);
}

char *rig_blamed(struct rig *r, const char *app)
{
    return rollout_text(r, app, true);
}

/* Walks states/; with the lock held. */
static size_t find_states(struct rig *r, const char *app, unsigned release, const char *process,
                          struct deis_unit_state *best)
{
    deis_autofree char *prefix = deis_asprintf("states/%s/", r->machine);
    size_t cursor = 0, count = 0;
    struct deis_str key;
    void *value;

    while (deis_map_next(r->mirror, &cursor, &key, &value)) {
        deis_autofree char *name = deis_str_dup(key);
        struct deis_unit_state s;
        char id[80];
        if (!deis_key_below(name, prefix).ptr ||
            deis_unit_state_parse(deis_str(value), &s, NULL) < 0) {
            continue;
        }
        snprintf(id, sizeof(id), "%s.%u", s.type, s.num);
        bool fits = strcmp(s.app, app) == 0 && (release == 0 || s.release == release) &&
                    (!process || strcmp(id, process) == 0);
        count += fits;
        if (fits && best && (!best->unit || s.release >= best->release)) {
            deis_unit_state_clear(best);
            *best = s;
        } else {
            deis_unit_state_clear(&s);
        }
    }
    return count;
}

bool rig_state(struct rig *r, const char *app, const char *process, struct deis_unit_state *ret)
{
    *ret = (struct deis_unit_state){ 0 };

    pthread_mutex_lock(&r->lock);
    find_states(r, app, 0, process, ret);
    pthread_mutex_unlock(&r->lock);
    return ret->unit != NULL;
}

size_t rig_count_states(struct rig *r, const char *app, unsigned release)
{
    pthread_mutex_lock(&r->lock);
    size_t count = find_states(r, app, release, NULL, NULL);

    pthread_mutex_unlock(&r->lock);
    return count;
}

char *rig_get(struct rig *r, const char *app, const char *process)
{
    struct deis_unit_state s;
    deis_autoanswer struct deis_httpc_answer answer = { 0 };
    struct deis_err err = DEIS_ERR_INIT;

    assert_true(rig_state(r, app, process, &s));
    deis_autofree char *url = deis_asprintf("http://%s/", s.address);
    struct deis_httpc_request req = { .url = url, .timeout_ms = 20000 };
    struct deis_httpc *client = deis_httpc_new();
    if (deis_httpc_call(client, &req, &answer, &err) < 0) {
        fail_msg("GET %s: %s", url, err.msg);
    }
    deis_httpc_free(client);
    deis_unit_state_clear(&s);
    return deis_str_dup(deis_str_trim(deis_buf_str(&answer.body)));
}

/* --- lines --- */

size_t rig_count_lines(struct rig *r, const char *app)
{
    size_t count = 0;

    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < r->line_count; i++) {
        count += strcmp(r->lines[i].app, app) == 0;
    }
    pthread_mutex_unlock(&r->lock);
    return count;
}

char *rig_line(struct rig *r, const char *app, size_t n)
{
    char *text = NULL;

    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < r->line_count && !text; i++) {
        if (strcmp(r->lines[i].app, app) == 0 && n-- == 0) {
            text = deis_strdup(r->lines[i].text);
        }
    }
    pthread_mutex_unlock(&r->lock);
    assert_non_null(text);
    return text;
}

uint64_t rig_lost_bytes(struct rig *r)
{
    pthread_mutex_lock(&r->lock);
    uint64_t lost = r->lost;
    pthread_mutex_unlock(&r->lock);
    return lost;
}

/* --- tools --- */

struct deis_docker *rig_docker(struct rig *r)
{
    return r->docker;
}

const char *rig_image(struct rig *r)
{
    return r->image;
}

const char *rig_key_file(struct rig *r)
{
    return r->key_file;
}

char *rig_unique(const char *name)
{
    return deis_asprintf("%s-%d", name, (int)getpid());
}

const char *rig_label(struct rig *r)
{
    return r->label;
}

int rig_call(struct rig *r, const char *method, const ProtobufCMessage *request,
             const ProtobufCMessageDescriptor *answer, ProtobufCMessage **ret, struct deis_err *err)
{
    return deis_bus_call_sync(r->bus, r->bus_address, method, NULL, request, answer, RIG_WAIT_MS,
                              ret, err);
}
