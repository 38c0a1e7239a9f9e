/* SPDX-License-Identifier: MIT */
#include "scheduler/runtime.h"

#include "scheduler/core/container_spec.h"

#include "lib/crypto/registry_login.h"
#include "lib/net/docker_fetched.h"
#include "lib/net/log.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define ENV_MAX_BYTES (1024 * 1024)

struct runtime {
    const struct context *ctx;
    pthread_mutex_t network_lock; /* held while it is made: the Engine allows two of one name */
    bool network_there;
    atomic_bool no_init; /* the Engine has no docker-init to put in front of the process */
};

struct runtime *runtime_new(const struct context *ctx)
{
    struct runtime *rt = deis_alloc(sizeof(*rt));

    rt->ctx = ctx;
    pthread_mutex_init(&rt->network_lock, NULL);
    return rt;
}

void runtime_free(struct runtime *rt)
{
    if (rt) {
        pthread_mutex_destroy(&rt->network_lock);
        free(rt);
    }
}

void runtime_name(const char *unit, char out[RUNTIME_NAME_MAX])
{
    snprintf(out, RUNTIME_NAME_MAX, "deis-%s", unit);
}

/* The network of the apps: containers on it reach neither each other nor what listens on loopback.
 */
static int make_network(struct runtime *rt, struct deis_err *err)
{
    const char *name = rt->ctx->settings->network;
    deis_autofree char *path = deis_asprintf("/networks/%s", name);

    int r = deis_docker_call(rt->ctx->docker, "GET", path, NULL, 0, NULL, err);
    if (r == DEIS_NOT_FOUND) {
        deis_autojson json_t *body =
            json_pack("{s:s, s:s, s:b, s:{s:s}, s:{s:s}}", "Name", name, "Driver", "bridge",
                      "CheckDuplicate", 1, "Options", "com.docker.network.bridge.enable_icc",
                      "false", "Labels", "deis.agent", rt->ctx->machine);
        r = deis_docker_call(rt->ctx->docker, "POST", "/networks/create", body, 0, NULL, err);
        if (r == DEIS_CONFLICT) {
            r = 0;
        }
    }
    if (r < 0) {
        return deis_err_wrap(err, "network '%s'", name);
    }
    *err = (struct deis_err)DEIS_ERR_INIT;
    return 0;
}

static int ensure_network(struct runtime *rt, struct deis_err *err)
{
    int r = 0;

    pthread_mutex_lock(&rt->network_lock);
    if (!rt->network_there) {
        r = make_network(rt, err);
        rt->network_there = r == 0;
    }
    pthread_mutex_unlock(&rt->network_lock);
    return r;
}

static void forget_network(struct runtime *rt)
{
    pthread_mutex_lock(&rt->network_lock);
    rt->network_there = false;
    pthread_mutex_unlock(&rt->network_lock);
}

/* Nobody else than our own registry learns the password. */
int runtime_fetch(struct runtime *rt, const char *image, struct deis_err *err)
{
    const char *registry = rt->ctx->settings->registry;
    size_t len = strlen(registry);
    bool own = strncmp(image, registry, len) == 0 && image[len] == '/';
    char password[65];
    const struct deis_docker_transfer login = { .user = DEIS_REGISTRY_USER, .password = password };

    deis_registry_password(rt->ctx->keys, password);
    deis_autofree char *folder = runtime_image_folder(rt);
    int r = deis_fetched_get(rt->ctx->docker, folder, image, own ? &login : NULL, NULL, err);
    explicit_bzero(password, sizeof(password));
    return r < 0 ? deis_err_wrap(err, "image '%.200s'", image) : 0;
}

char *runtime_image_folder(const struct runtime *rt)
{
    return deis_asprintf("%s/images", rt->ctx->settings->data_dir);
}

static int open_env(struct runtime *rt, const struct runtime_create *c, json_t **ret,
                    struct deis_err *err)
{
    deis_autobuf struct deis_buf plain = DEIS_BUF_INIT(ENV_MAX_BYTES);
    deis_autofree char *aad = deis_asprintf("env/%s", c->app);
    const char *name;
    json_t *value;

    if (!c->sealed_env || !*c->sealed_env) {
        *ret = json_object();
        return 0;
    }
    int r = deis_keys_unseal(rt->ctx->keys, deis_str(aad), deis_str(c->sealed_env), &plain, err);
    if (r < 0) {
        return deis_err_wrap(err, "environment of '%s'", c->app);
    }
    deis_autojson json_t *env = deis_json_parse(deis_buf_str(&plain), NULL);
    explicit_bzero(plain.data, plain.len);
    if (!json_is_object(env)) {
        return deis_err_set(err, DEIS_INVALID, "environment of '%s' is no object", c->app);
    }
    json_object_foreach(env, name, value)
    {
        if (!json_is_string(value)) {
            return deis_err_set(err, DEIS_INVALID, "environment of '%s': '%.64s' is no text",
                                c->app, name);
        }
    }
    *ret = DEIS_TAKE(env);
    return 0;
}

int runtime_create(struct runtime *rt, const struct runtime_create *c, char **ret_id,
                   struct deis_err *err)
{
    deis_autojson json_t *env = NULL;
    deis_autojson json_t *image = NULL;
    int r;

    if ((r = ensure_network(rt, err)) < 0 || (r = open_env(rt, c, &env, err)) < 0 ||
        (r = deis_docker_image_inspect(rt->ctx->docker, c->image, &image, err)) < 0) {
        return r;
    }
    struct container_spec spec = {
        .image = c->image,
        .entrypoint = c->entrypoint,
        .command = c->command,
        .env = env,
        .port = container_spec_port(env, image),
        .memory_bytes = c->memory_bytes,
        .cpu_shares = c->cpu_shares,
        .pids_limit = rt->ctx->settings->pids_limit,
        .network = rt->ctx->settings->network,
        .init = !atomic_load(&rt->no_init),
        .labels = c->labels,
        .attached = c->attached,
        .tty = c->tty,
        .term = c->term,
    };
    json_object_set_new(c->labels, "deis.agent", json_string(rt->ctx->machine));
    json_object_set_new(c->labels, "deis.app", json_string(c->app));
    if (c->routable) {
        deis_autofree char *port = deis_asprintf("%u", spec.port);
        json_object_set_new(c->labels, "deis.port", json_string(port));
    }
    deis_autojson json_t *body = container_spec_body(&spec);
    return deis_docker_create(rt->ctx->docker, c->name, body, ret_id, err);
}

int runtime_start(struct runtime *rt, const char *container, struct deis_err *err)
{
    int r = deis_docker_start(rt->ctx->docker, container, err);

    if (r < 0 && strstr(err->msg, "docker-init") && !atomic_exchange(&rt->no_init, true)) {
        struct deis_err ignored = DEIS_ERR_INIT;
        deis_warn("the Engine has no docker-init, going without", KV_ERR(err));
        if (deis_docker_remove(rt->ctx->docker, container, &ignored) < 0) {
            deis_warn("can't remove container", KV_ERR(&ignored));
        }
        return deis_err_set(err, DEIS_NOT_FOUND, "made without docker-init next time");
    }
    if (r == DEIS_NOT_FOUND) { /* the container, or its network */
        forget_network(rt);
        struct deis_err ignored = DEIS_ERR_INIT;
        if (ensure_network(rt, &ignored) < 0) {
            deis_warn("no network for apps", KV_ERR(&ignored));
        }
    }
    return r;
}

int runtime_resize(struct runtime *rt, const char *container, uint32_t rows, uint32_t columns,
                   struct deis_err *err)
{
    deis_autofree char *path =
        deis_asprintf("/containers/%s/resize?h=%u&w=%u", container, rows, columns);

    return deis_docker_call(rt->ctx->docker, "POST", path, NULL, 0, NULL, err);
}

int runtime_signal(struct runtime *rt, const char *container, const char *signal,
                   struct deis_err *err)
{
    deis_autojson json_t *info = NULL;
    int r;

    if (!signal) {
        r = deis_docker_inspect(rt->ctx->docker, container, &info, err);
        if (r < 0) {
            return r == DEIS_NOT_FOUND ? 0 : r;
        }
        signal = json_string_value(json_object_get(json_object_get(info, "Config"), "StopSignal"));
    }
    deis_autobuf struct deis_buf path = DEIS_BUF_INIT(1024);
    deis_buf_addf(&path, "/containers/%s/kill?signal=", container);
    deis_buf_add_urlencoded(&path, deis_str(signal && *signal ? signal : "SIGTERM"), false);
    r = deis_docker_call(rt->ctx->docker, "POST", path.data, NULL, 0, NULL, err);
    return r == DEIS_NOT_FOUND || r == DEIS_CONFLICT ? 0 : r;
}

static const char *label(const json_t *labels, const char *name)
{
    const char *text = json_string_value(json_object_get(labels, name));

    return text ? text : "";
}

static void read_state(struct runtime *rt, const json_t *info, const char *unit,
                       struct runtime_answer *a)
{
    json_t *state = json_object_get(info, "State");
    json_t *labels = json_object_get(json_object_get(info, "Config"), "Labels");
    const char *ip = container_spec_address(info, rt->ctx->settings->network);
    const char *port = label(labels, "deis.port");
    struct unit_result *r = &a->result;

    r->exists = true;
    r->foreign = strcmp(label(labels, "deis.agent"), rt->ctx->machine) != 0 ||
                 strcmp(label(labels, "deis.unit"), unit) != 0;
    r->running = json_is_true(json_object_get(state, "Running"));
    r->never_started = strcmp(label(state, "Status"), "created") == 0;
    r->exit_code = (int32_t)json_integer_value(json_object_get(state, "ExitCode"));
    r->oom = json_is_true(json_object_get(state, "OOMKilled"));
    snprintf(a->container, sizeof(a->container), "%s", label(info, "Id"));
    snprintf(a->exit_error, sizeof(a->exit_error), "%s", label(state, "Error"));
    if (ip && *port) {
        snprintf(a->address, sizeof(a->address), "%s:%s", ip, port);
    }
}

static int look(struct runtime *rt, const struct deis_unit *unit, const char *name,
                struct runtime_answer *a)
{
    deis_autojson json_t *info = NULL;
    int r = deis_docker_inspect(rt->ctx->docker, name, &info, &a->err);

    if (r == 0) {
        read_state(rt, info, unit->unit, a);
    }
    return r == DEIS_NOT_FOUND ? 0 : r;
}

static int create(struct runtime *rt, const struct deis_unit *unit, const char *name,
                  struct deis_err *err)
{
    deis_autojson json_t *labels =
        json_pack("{s:s, s:s}", "deis.unit", unit->unit, "deis.type", unit->type);
    deis_autofree char *num = deis_asprintf("%u", unit->num);
    deis_autofree char *release = deis_asprintf("%u", unit->release);
    deis_autofree char *id = NULL;
    struct runtime_create c = {
        .name = name,
        .app = unit->app,
        .image = unit->image,
        .sealed_env = unit->env,
        .entrypoint = unit->entrypoint,
        .command = unit->command,
        .memory_bytes = unit->memory_bytes,
        .cpu_shares = unit->cpu_shares,
        .routable = unit->routable,
        .labels = labels,
    };

    json_object_set_new(labels, "deis.machine", json_string(rt->ctx->machine));
    json_object_set_new(labels, "deis.num", json_string(num));
    json_object_set_new(labels, "deis.release", json_string(release));
    return runtime_create(rt, &c, &id, err);
}

static int start(struct runtime *rt, const struct deis_unit *unit, const char *name,
                 struct runtime_answer *a)
{
    int r = runtime_start(rt, name, &a->err);

    return r < 0 ? r : look(rt, unit, name, a);
}

/* An image that was there may have been tidied away since: one of an old release, in a rollback. */
static int create_fetched(struct runtime *rt, const struct deis_unit *unit, const char *name,
                          struct deis_err *err)
{
    int r = create(rt, unit, name, err);

    if (r != DEIS_NOT_FOUND) {
        return r;
    }
    *err = (struct deis_err)DEIS_ERR_INIT;
    r = runtime_fetch(rt, unit->image, err);
    return r < 0 ? r : create(rt, unit, name, err);
}

void runtime_do(struct runtime *rt, enum unit_job job, const struct deis_unit *unit,
                struct runtime_answer *a)
{
    char name[RUNTIME_NAME_MAX];
    int r = 0;

    *a = (struct runtime_answer){ 0 };
    runtime_name(unit->unit, name);
    switch (job) {
    case UNIT_JOB_NONE: break;
    case UNIT_JOB_LOOK: r = look(rt, unit, name, a); break;
    case UNIT_JOB_FETCH: r = runtime_fetch(rt, unit->image, &a->err); break;
    case UNIT_JOB_CREATE: r = create_fetched(rt, unit, name, &a->err); break;
    case UNIT_JOB_START: r = start(rt, unit, name, a); break;
    case UNIT_JOB_TERM: r = runtime_signal(rt, name, NULL, &a->err); break;
    case UNIT_JOB_KILL: r = runtime_signal(rt, name, "SIGKILL", &a->err); break;
    case UNIT_JOB_REMOVE: r = deis_docker_remove(rt->ctx->docker, name, &a->err); break;
    }
    a->result.code = (enum deis_code)r;
    a->result.error = a->err.msg;
    a->result.container = a->container;
    a->result.address = a->address;
    a->result.exit_error = a->exit_error;
}
