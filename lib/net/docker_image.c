/* SPDX-License-Identifier: MIT */
/* Build, push and pull: answers that stream, and that tell of a failure inside of a status 200. */
#include "lib/base/clock.h"
#include "lib/net/docker_client.h"
#include "lib/wire/b64.h"

#include <inttypes.h>

/* Push and pull report as they go; silence for so long means that they hang. */
#define SILENCE_MAX_MS 180000u
#define STEP_ID_LEN    12
#define STEP_CALL_MS   10000u
#define STEPS_MAX      1000 /* of a build */
#define AUTH_MAX       4096 /* the field that tells the Engine who we are to a registry */

struct job {
    struct docker_lines lines;
    struct deis_buf refusal;
    bool refused; /* by a whole answer */
    void (*on_text)(struct deis_str text, void *arg);
    void *text_arg;
    bool (*cancelled)(void *arg); /* the caller's own, or NULL */
    void *cancelled_arg;
    struct deis_docker *docker;            /* of a build */
    const struct deis_docker_build *build; /* NULL: it is none */
    unsigned steps;                        /* that it told of */
    uint64_t silence_ms;                   /* 0 = any */
    uint64_t heard_ms;
    bool silent; /* given up for silence */
    char *image_id;
    char *digest;
    struct deis_err failure; /* what the stream told */
    struct deis_err broken;  /* what was wrong with the stream itself */
};

static void job_init(struct job *j)
{
    *j = (struct job){ .refusal = DEIS_BUF_INIT(DOCKER_REFUSE_MAX), .heard_ms = deis_now_ms() };
    docker_lines_init(&j->lines);
}

static void job_clear(struct job *j)
{
    docker_lines_clear(&j->lines);
    deis_buf_clear(&j->refusal);
    free(j->image_id);
    free(j->digest);
}

/* --- what the Engine tells --- */

static void keep_text(char **where, const json_t *value)
{
    if (json_is_string(value)) {
        free(*where);
        *where = deis_strdup(json_string_value(value));
    }
}

static void say(const struct job *j, struct deis_str text)
{
    if (j->on_text && text.len > 0) {
        j->on_text(text, j->text_arg);
    }
}

static void say_status(const struct job *j, const json_t *obj)
{
    const char *status = json_string_value(json_object_get(obj, "status"));
    const char *id = json_string_value(json_object_get(obj, "id"));
    /* Progress bars would be a line for every few kilobytes. */
    if (!status || json_object_size(json_object_get(obj, "progressDetail")) > 0) {
        return;
    }
    deis_autofree char *text =
        id ? deis_asprintf("%s: %s\n", id, status) : deis_asprintf("%s\n", status);
    say(j, deis_str(text));
}

/* Has the Engine just said that it made a container for a step, and for which? */
static bool is_step(struct deis_str text, char ret_id[STEP_ID_LEN + 1])
{
    static const char start[] = " ---> Running in ";
    struct deis_str id = deis_str_skip(text, sizeof(start) - 1);

    if (!deis_str_starts(text, start) || id.len != STEP_ID_LEN + 1 || id.ptr[STEP_ID_LEN] != '\n') {
        return false;
    }
    for (size_t i = 0; i < STEP_ID_LEN; i++) {
        if (id.ptr[i] == '\0' || !strchr("0123456789abcdef", id.ptr[i])) {
            return false;
        }
    }
    memcpy(ret_id, id.ptr, STEP_ID_LEN);
    ret_id[STEP_ID_LEN] = '\0';
    return true;
}

/* What a step prints may look like the Engine's own word, and name any container: it has to be one
 * as this build makes them. */
static bool is_of_build(const struct deis_docker_build *b, const json_t *container)
{
    const json_t *host = json_object_get(container, "HostConfig");
    const char *image =
        json_string_value(json_object_get(json_object_get(container, "Config"), "Image"));

    return image && strncmp(image, "sha256:", 7) == 0 &&
           json_integer_value(json_object_get(host, "PidsLimit")) <= 0 &&
           (uint64_t)json_integer_value(json_object_get(host, "Memory")) == b->memory_bytes;
}

static int inspect_step(const struct job *j, const char *id, json_t **ret, struct deis_err *err)
{
    deis_autofree char *path = deis_asprintf("/containers/%s/json", id);

    return deis_docker_call(j->docker, "GET", path, NULL, STEP_CALL_MS, ret, err);
}

/* A step may end at any moment: then the Engine refuses in one of many ways, and nothing is left to
 * limit. */
static bool has_ended(const struct job *j, const char *id)
{
    deis_autojson json_t *container = NULL;
    struct deis_err err = DEIS_ERR_INIT;

    int rc = inspect_step(j, id, &container, &err);
    const char *status =
        json_string_value(json_object_get(json_object_get(container, "State"), "Status"));
    return rc == DEIS_NOT_FOUND ||
           (status && strcmp(status, "created") != 0 && strcmp(status, "running") != 0);
}

/* The Engine's builds take no limit of processes, but a container does at any time. It was made and
 * is about to start. */
static int limit_processes(const struct job *j, const char *id, struct deis_err *err)
{
    deis_autojson json_t *container = NULL;
    deis_autofree char *update = deis_asprintf("/containers/%s/update", id);
    deis_autojson json_t *limit = json_pack("{s:I}", "PidsLimit", (json_int_t)j->build->pids_limit);

    int rc = inspect_step(j, id, &container, err);
    if (rc == DEIS_OK && is_of_build(j->build, container)) {
        rc = deis_docker_call(j->docker, "POST", update, limit, STEP_CALL_MS, NULL, err);
    }
    return rc;
}

/* What steps print may look like steps, too, and each costs calls: there is an end to that. */
static void take_step(struct job *j, struct deis_str text)
{
    char id[STEP_ID_LEN + 1];
    struct deis_err err = DEIS_ERR_INIT;

    if (!j->build || j->build->pids_limit == 0 || !is_step(text, id)) {
        return;
    }
    if (++j->steps > STEPS_MAX) {
        deis_err_set(&j->broken, DEIS_LIMIT, "more than %d steps of a build", STEPS_MAX);
        return;
    }
    int rc = limit_processes(j, id, &err);
    if (rc < 0 && rc != DEIS_NOT_FOUND && rc != DEIS_CONFLICT && !has_ended(j, id)) {
        deis_autofree char *warning =
            deis_asprintf("Warning: the processes in %s have no limit: %s\n", id, err.msg);
        say(j, deis_str(warning));
    }
}

static void on_object(const json_t *obj, void *arg)
{
    struct job *j = arg;
    const json_t *stream = json_object_get(obj, "stream");
    const json_t *aux = json_object_get(obj, "aux");
    const char *error = json_string_value(json_object_get(obj, "error"));
    const char *detail =
        json_string_value(json_object_get(json_object_get(obj, "errorDetail"), "message"));

    if (error || detail) {
        deis_err_set(&j->failure, DEIS_UNAVAILABLE, "%s", detail ? detail : error);
    }
    if (json_is_string(stream) && j->broken.code == DEIS_OK) {
        struct deis_str text = deis_str_n(json_string_value(stream), json_string_length(stream));
        take_step(j, text);
        say(j, text);
    }
    keep_text(&j->image_id, json_object_get(aux, "ID"));
    keep_text(&j->digest, json_object_get(aux, "Digest"));
    say_status(j, obj);
}

static bool on_data(int status, struct deis_str data, void *arg)
{
    struct job *j = arg;

    j->heard_ms = deis_now_ms();
    if (status >= 400) {
        deis_buf_add_str(&j->refusal, deis_str_first(data, DOCKER_REFUSE_MAX - j->refusal.len));
        return true;
    }
    return docker_lines_feed(&j->lines, data, on_object, j, &j->broken) == DEIS_OK &&
           j->broken.code == DEIS_OK;
}

static bool on_poll(void *arg)
{
    struct job *j = arg;

    if (j->silence_ms > 0 && deis_now_ms() - j->heard_ms > j->silence_ms) {
        j->silent = true;
        return true;
    }
    return j->cancelled && j->cancelled(j->cancelled_arg);
}

/* Returns OK when the whole stream came; j tells what was in it. */
static int run(struct deis_docker *d, struct job *j, struct deis_httpc_request *req,
               const char *path, struct deis_err *err)
{
    deis_autoanswer struct deis_httpc_answer answer = { 0 };
    uint64_t start_ms = deis_now_ms();

    req->method = "POST";
    req->on_data = on_data;
    req->cancelled = on_poll;
    req->arg = j;
    int rc = docker_exchange(d, req, path, &answer, err);
    if (j->silent) {
        return deis_err_set(err, DEIS_TIMEOUT, "Docker Engine was silent for %" PRIu64 " s",
                            j->silence_ms / 1000);
    }
    if (j->broken.code != DEIS_OK) {
        return deis_err_set(err, j->broken.code, "%s", j->broken.msg);
    }
    if (rc == DEIS_TIMEOUT &&
        (req->timeout_ms == 0 || deis_now_ms() - start_ms < req->timeout_ms)) {
        return err->code = DEIS_UNAVAILABLE; /* it broke off */
    }
    if (rc == DEIS_OK && answer.status >= 400) {
        j->refused = true;
        rc = docker_refused(answer.status, deis_buf_str(&j->refusal), err);
    } else if (rc == DEIS_OK) {
        docker_lines_end(&j->lines, on_object, j);
    }
    return rc;
}

/* --- build --- */

static void build_path(const struct deis_docker_build *b, struct deis_buf *path)
{
    deis_autojson json_t *labels = docker_label_map(b->labels);

    deis_buf_add_cstr(path, "/build?rm=1&forcerm=1");
    docker_query(path, "t", b->tag);
    docker_query(path, "dockerfile", b->dockerfile);
    docker_query_json(path, "labels", labels);
    if (b->build_args) {
        docker_query_json(path, "buildargs", b->build_args);
    }
    if (b->memory_bytes > 0) {
        deis_buf_addf(path, "&memory=%" PRIu64 "&memswap=%" PRIu64, b->memory_bytes,
                      b->memory_bytes);
    }
}

int deis_docker_build(struct deis_docker *d, const struct deis_docker_build *b, char **ret_image_id,
                      struct deis_err *err)
{
    static const char *const headers[] = { "Content-Type: application/x-tar", NULL };
    deis_autobuf struct deis_buf path = DEIS_BUF_INIT(256 * 1024);
    struct deis_httpc_request req = {
        .headers = headers,
        .read_body = b->read_tar,
        .read_arg = b->arg,
        .timeout_ms = b->timeout_ms,
    };
    struct job j;

    *ret_image_id = NULL;
    build_path(b, &path);
    if (deis_buf_failed(&path)) {
        return deis_err_set(err, DEIS_LIMIT, "labels and build arguments are too long");
    }
    job_init(&j);
    j.docker = d;
    j.build = b;
    j.on_text = b->on_text;
    j.text_arg = b->arg;
    j.cancelled = b->cancelled;
    j.cancelled_arg = b->arg;
    struct deis_err why = DEIS_ERR_INIT;
    int rc = run(d, &j, &req, path.data, &why);
    if (j.failure.code != DEIS_OK) {
        rc = deis_err_set(err, DEIS_INVALID, "%s", j.failure.msg);
    } else if (rc != DEIS_OK) {
        rc = deis_err_set(err, j.refused ? DEIS_INVALID : why.code, "%s", why.msg);
    } else if (!j.image_id) {
        rc = deis_err_set(err, DEIS_UNAVAILABLE, "Docker Engine ended the build without an image");
    } else {
        *ret_image_id = DEIS_TAKE(j.image_id);
    }
    job_clear(&j);
    return rc;
}

/* --- push and pull --- */

/* Which failure inside of a stream it is can only be read from its text. */
static enum deis_code code_of_text(const char *text)
{
    if (strstr(text, "manifest unknown") || strstr(text, "not found") ||
        strstr(text, "does not exist")) {
        return DEIS_NOT_FOUND;
    }
    if (strstr(text, "denied") || strstr(text, "unauthorized") ||
        strstr(text, "no basic auth credentials")) {
        return DEIS_DENIED;
    }
    return DEIS_UNAVAILABLE;
}

/* The field is mandatory; its value is base64 for URLs (RFC 4648 section 5) of a JSON object, an
 * empty one for nobody in particular. */
static void registry_auth(const struct deis_docker_transfer *t, struct deis_buf *out)
{
    deis_autojson json_t *login =
        t->user ? json_pack("{s:s, s:s}", "username", t->user, "password", t->password)
                : json_object();
    deis_autofree char *text = deis_json_dump(login);

    deis_buf_add_cstr(out, "X-Registry-Auth: ");
    deis_b64_encode(deis_str(text), out);
    for (size_t i = 0; i < out->len; i++) {
        char c = out->data[i];
        out->data[i] = c == '+' ? '-' : c == '/' ? '_' : c;
    }
    explicit_bzero(text, strlen(text));
}

static int transfer(struct deis_docker *d, struct job *j, const char *path,
                    const struct deis_docker_transfer *t, struct deis_err *err)
{
    static const struct deis_docker_transfer none;
    deis_autobuf struct deis_buf auth = DEIS_BUF_INIT(AUTH_MAX);

    t = t ? t : &none;
    registry_auth(t, &auth);
    const char *const headers[] = { auth.data, NULL };
    struct deis_httpc_request req = { .headers = headers };
    j->on_text = t->on_text;
    j->text_arg = t->arg;
    j->cancelled = t->cancelled;
    j->cancelled_arg = t->arg;
    j->silence_ms = SILENCE_MAX_MS;
    int rc = run(d, j, &req, path, err);
    explicit_bzero(auth.data, auth.len);
    if (j->failure.code != DEIS_OK) {
        return deis_err_set(err, code_of_text(j->failure.msg), "%s", j->failure.msg);
    }
    if (rc == DEIS_UNAVAILABLE && j->refused) { /* it has 500 for what a registry said */
        err->code = rc = code_of_text(err->msg);
    }
    return rc;
}

int deis_docker_push(struct deis_docker *d, const char *repo, const char *tag,
                     const struct deis_docker_transfer *t, char **ret_digest, struct deis_err *err)
{
    deis_autobuf struct deis_buf path = DEIS_BUF_INIT(16 * 1024);
    struct job j;

    *ret_digest = NULL;
    deis_buf_add_cstr(&path, "/images/");
    deis_buf_add_urlencoded(&path, deis_str(repo), true);
    deis_buf_add_cstr(&path, "/push");
    docker_query(&path, "tag", tag);
    job_init(&j);
    int rc = transfer(d, &j, path.data, t, err);
    if (rc == DEIS_OK && !j.digest) {
        rc = deis_err_set(err, DEIS_UNAVAILABLE, "Docker Engine ended the push without a digest");
    }
    if (rc == DEIS_OK) {
        *ret_digest = DEIS_TAKE(j.digest);
    }
    job_clear(&j);
    return rc;
}

int deis_docker_pull(struct deis_docker *d, const char *reference,
                     const struct deis_docker_transfer *t, struct deis_err *err)
{
    deis_autobuf struct deis_buf path = DEIS_BUF_INIT(16 * 1024);
    struct deis_str repo = deis_str(reference);
    struct deis_str tag = DEIS_STR("latest"); /* none at all would be all tags */
    struct job j;

    ptrdiff_t at = deis_str_find(repo, '@');
    ptrdiff_t colon = deis_str_rfind(repo, ':');
    if (at < 0 && colon > deis_str_rfind(repo, '/')) {
        at = colon;
    }
    if (at >= 0) {
        tag = deis_str_skip(repo, (size_t)at + 1);
        repo = deis_str_first(repo, (size_t)at);
    }
    deis_buf_add_cstr(&path, "/images/create?fromImage=");
    deis_buf_add_urlencoded(&path, repo, false);
    deis_buf_add_cstr(&path, "&tag=");
    deis_buf_add_urlencoded(&path, tag, false);
    job_init(&j);
    int rc = transfer(d, &j, path.data, t, err);
    job_clear(&j);
    return rc;
}
