/* SPDX-License-Identifier: MIT */
#include "lib/net/docker.h"

#include "lib/net/docker_client.h"
#include "lib/net/httpc_pool.h"

#include <inttypes.h>
#include <time.h>

#define IDLE_CLIENTS_MAX   4
#define CALL_TIMEOUT_MS    30000u
#define PING_TIMEOUT_MS    5000u
#define REMOVE_TRIES       100
#define REMOVE_INTERVAL_MS 100

struct deis_docker {
    char *socket_path;
    struct deis_httpc_pool *pool;
};

struct deis_docker *deis_docker_new(const char *socket_path)
{
    struct deis_docker *d = deis_alloc(sizeof(*d));
    d->socket_path = deis_strdup(socket_path ? socket_path : "/var/run/docker.sock");
    d->pool = deis_httpc_pool_new(IDLE_CLIENTS_MAX);
    return d;
}

void deis_docker_free(struct deis_docker *d)
{
    if (!d) {
        return;
    }
    deis_httpc_pool_free(d->pool);
    free(d->socket_path);
    free(d);
}

const char *docker_socket(const struct deis_docker *d)
{
    return d->socket_path;
}

/* --- calls --- */

int docker_exchange(struct deis_docker *d, struct deis_httpc_request *req, const char *path,
                    struct deis_httpc_answer *ret, struct deis_err *err)
{
    deis_autofree char *url = deis_asprintf("http://docker" DOCKER_API "%s", path);

    req->url = url;
    req->unix_socket = d->socket_path;
    int rc = deis_httpc_pool_call(d->pool, req, ret, err);
    req->url = NULL;
    return rc < 0 && err ? deis_err_wrap(err, "Docker Engine at '%s'", d->socket_path) : rc;
}

int docker_refused(int status, struct deis_str body, struct deis_err *err)
{
    deis_autojson json_t *answer = deis_json_parse(deis_str_trim(body), NULL);
    const char *message = json_string_value(json_object_get(answer, "message"));
    enum deis_code code = status == 404   ? DEIS_NOT_FOUND
                          : status == 409 ? DEIS_CONFLICT
                          : status == 400 ? DEIS_INVALID
                                          : DEIS_UNAVAILABLE;

    if (message) {
        return deis_err_set(err, code, "Docker Engine: %s", message);
    }
    return deis_err_set(err, code, "Docker Engine answered with status %d", status);
}

static int call(struct deis_docker *d, const char *method, const char *path, const json_t *body,
                uint64_t timeout_ms, struct deis_httpc_answer *ret, struct deis_err *err)
{
    static const char *const json_headers[] = { "Content-Type: application/json", NULL };
    deis_autofree char *text = body ? deis_json_dump(body) : NULL;
    struct deis_httpc_request req = {
        .method = method,
        .headers = body ? json_headers : NULL,
        .body = deis_str(text),
        .timeout_ms = timeout_ms == 0 ? CALL_TIMEOUT_MS : timeout_ms,
    };

    int rc = docker_exchange(d, &req, path, ret, err);
    if (rc == DEIS_OK && ret->status >= 400) {
        rc = docker_refused(ret->status, deis_buf_str(&ret->body), err);
    }
    return rc;
}

int deis_docker_call(struct deis_docker *d, const char *method, const char *path,
                     const json_t *body, uint64_t timeout_ms, json_t **ret_json,
                     struct deis_err *err)
{
    deis_autoanswer struct deis_httpc_answer answer = { 0 };

    if (ret_json) {
        *ret_json = NULL;
    }
    int rc = call(d, method, path, body, timeout_ms, &answer, err);
    if (rc < 0 || !ret_json || answer.body.len == 0 ||
        !deis_str_starts(deis_httpc_header(&answer, "Content-Type"), "application/json")) {
        return rc;
    }
    *ret_json = deis_json_parse(deis_str_trim(deis_buf_str(&answer.body)), err);
    return *ret_json ? DEIS_OK : deis_err_set(err, DEIS_PROTOCOL, "Docker Engine sent bad JSON");
}

int deis_docker_ping(struct deis_docker *d, struct deis_err *err)
{
    return deis_docker_call(d, "GET", "/_ping", NULL, PING_TIMEOUT_MS, NULL, err);
}

/* --- paths --- */

void docker_query(struct deis_buf *path, const char *key, const char *value)
{
    if (!value) {
        return;
    }
    bool first = deis_str_find(deis_buf_str(path), '?') < 0;
    deis_buf_addf(path, "%c%s=", first ? '?' : '&', key);
    deis_buf_add_urlencoded(path, deis_str(value), false);
}

void docker_query_json(struct deis_buf *path, const char *key, const json_t *value)
{
    deis_autofree char *text = deis_json_dump(value);
    docker_query(path, key, text);
}

json_t *docker_label_map(const char *const *labels)
{
    json_t *map = json_object();

    for (; labels && *labels; labels++) {
        struct deis_str value = deis_str(*labels);
        struct deis_str key;
        deis_str_split(&value, '=', &key);
        deis_autofree char *name = deis_str_dup(key);
        json_object_set_new(map, name, json_stringn(value.ptr ? value.ptr : "", value.len));
    }
    return map;
}

/* "/containers/<id><rest>"; yours. */
static char *container_path(const char *id, const char *rest)
{
    deis_autobuf struct deis_buf path = DEIS_BUF_INIT(16 * 1024);

    deis_buf_add_cstr(&path, "/containers/");
    deis_buf_add_urlencoded(&path, deis_str(id), false);
    deis_buf_add_cstr(&path, rest);
    return deis_buf_take(&path, NULL);
}

static char *image_path(const char *reference, const char *rest)
{
    deis_autobuf struct deis_buf path = DEIS_BUF_INIT(16 * 1024);

    deis_buf_add_cstr(&path, "/images/");
    deis_buf_add_urlencoded(&path, deis_str(reference), true);
    deis_buf_add_cstr(&path, rest);
    return deis_buf_take(&path, NULL);
}

/* --- containers --- */

/* A call whose answer must be JSON of that type. */
static int call_json(struct deis_docker *d, const char *method, const char *path,
                     const json_t *body, json_type type, json_t **ret, struct deis_err *err)
{
    int rc = deis_docker_call(d, method, path, body, 0, ret, err);

    if (rc == DEIS_OK && (!*ret || json_typeof(*ret) != type)) {
        json_decref(*ret);
        *ret = NULL;
        rc = deis_err_set(err, DEIS_PROTOCOL, "Docker Engine sent something else than expected");
    }
    return rc;
}

int deis_docker_create(struct deis_docker *d, const char *name, const json_t *body, char **ret_id,
                       struct deis_err *err)
{
    deis_autobuf struct deis_buf path = DEIS_BUF_INIT(16 * 1024);
    deis_autojson json_t *answer = NULL;
    const char *id;

    *ret_id = NULL;
    deis_buf_add_cstr(&path, "/containers/create");
    docker_query(&path, "name", name);
    int rc = call_json(d, "POST", path.data, body, JSON_OBJECT, &answer, err);
    if (rc == DEIS_OK) {
        rc = deis_json_get_str(answer, "Id", &id, err);
    }
    if (rc == DEIS_OK) {
        *ret_id = deis_strdup(id);
    }
    return rc;
}

int deis_docker_start(struct deis_docker *d, const char *id, struct deis_err *err)
{
    deis_autofree char *path = container_path(id, "/start");
    return deis_docker_call(d, "POST", path, NULL, 0, NULL, err);
}

int deis_docker_stop(struct deis_docker *d, const char *id, uint64_t grace_ms, struct deis_err *err)
{
    char rest[48];

    snprintf(rest, sizeof(rest), "/stop?t=%" PRIu64, (grace_ms + 999) / 1000);
    deis_autofree char *path = container_path(id, rest);
    int rc = deis_docker_call(d, "POST", path, NULL, grace_ms + CALL_TIMEOUT_MS, NULL, err);
    return rc == DEIS_NOT_FOUND ? DEIS_OK : rc;
}

int deis_docker_remove(struct deis_docker *d, const char *id, struct deis_err *err)
{
    static const struct timespec interval = { .tv_nsec = REMOVE_INTERVAL_MS * 1000000L };
    deis_autofree char *path = container_path(id, "?force=1&v=1");
    struct deis_err why = DEIS_ERR_INIT;

    for (int i = 0;; i++) {
        int rc = deis_docker_call(d, "DELETE", path, NULL, 0, NULL, &why);
        if (rc == DEIS_OK || rc == DEIS_NOT_FOUND) {
            return DEIS_OK;
        }
        /* Somebody else removes it at this moment: done when it is gone. */
        if (rc != DEIS_CONFLICT || !strstr(why.msg, "already in progress") || i == REMOVE_TRIES) {
            return deis_err_set(err, why.code, "%s", why.msg);
        }
        nanosleep(&interval, NULL);
    }
}

int deis_docker_inspect(struct deis_docker *d, const char *id, json_t **ret, struct deis_err *err)
{
    deis_autofree char *path = container_path(id, "/json");
    return call_json(d, "GET", path, NULL, JSON_OBJECT, ret, err);
}

int deis_docker_list(struct deis_docker *d, const char *const *labels, json_t **ret,
                     struct deis_err *err)
{
    deis_autobuf struct deis_buf path = DEIS_BUF_INIT(64 * 1024);
    deis_autojson json_t *filters = json_object();
    json_t *list = json_array();

    for (; labels && *labels; labels++) {
        json_array_append_new(list, json_string(*labels));
    }
    json_object_set_new(filters, "label", list);
    deis_buf_add_cstr(&path, "/containers/json?all=1");
    docker_query_json(&path, "filters", filters);
    return call_json(d, "GET", path.data, NULL, JSON_ARRAY, ret, err);
}

/* --- images --- */

int deis_docker_image_inspect(struct deis_docker *d, const char *reference, json_t **ret,
                              struct deis_err *err)
{
    deis_autofree char *path = image_path(reference, "/json");
    return call_json(d, "GET", path, NULL, JSON_OBJECT, ret, err);
}

int deis_docker_image_remove(struct deis_docker *d, const char *reference, struct deis_err *err)
{
    deis_autofree char *path = image_path(reference, "");
    int rc = deis_docker_call(d, "DELETE", path, NULL, 0, NULL, err);
    return rc == DEIS_NOT_FOUND ? DEIS_OK : rc;
}
