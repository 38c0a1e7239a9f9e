/* SPDX-License-Identifier: MIT */
/* The OCI distribution API: what each route and method does. */
#include "registry-proxy/registry.h"

#include "lib/crypto/registry_login.h"
#include "lib/model/model.h"
#include "lib/net/log.h"
#include "lib/wire/url.h"

#include <unistd.h>

#define JSON_TYPE "application/json"
#define LIST_MAX  1000
#define OCTETS    "application/octet-stream"

void api_error(struct deis_http_req *req, int status, const char *code, const char *message)
{
    deis_autojson json_t *body =
        json_pack("{s:[{s:s, s:s}]}", "errors", "code", code, "message", message);

    deis_http_reply_json(req, status, body);
}

/* code: what a missing thing is called in this place. */
void api_storage_error(struct deis_http_req *req, const struct deis_err *err, const char *code)
{
    if (err->code == DEIS_NOT_FOUND) {
        api_error(req, 404, code, "not known to the registry");
        return;
    }
    deis_error("storage failed", KV_ERR(err));
    api_error(req, err->code == DEIS_LIMIT ? 507 : 500, "UNKNOWN",
              err->code == DEIS_LIMIT ? "registry storage is full" : "registry storage failed");
}

void api_text(struct deis_http_req *req, const char *name, struct deis_str value)
{
    deis_autofree char *text = deis_str_dup(value);

    deis_http_set(req, name, text);
}

/* --- jobs --- */

static void job_work(void *arg)
{
    struct job *job = arg;

    job->work(job);
}

static void job_done(void *arg)
{
    struct job *job = arg;
    struct deis_http_req *req = job->req;

    if (req) {
        deis_http_set_user(req, NULL);
        if (job->error_code && job->status == 0) {
            api_storage_error(req, &job->err, job->error_code);
        } else if (job->error_code) {
            api_error(req, job->status, job->error_code, job->err.msg);
        } else {
            if (job->digest[0] != '\0') {
                deis_http_set(req, "Docker-Content-Digest", job->digest);
            }
            if (job->location[0] != '\0') {
                deis_http_set(req, "Location", job->location);
            }
            deis_http_reply(req, job->status, NULL, DEIS_STR_NONE);
        }
    }
    if (job->release) {
        job->release(job);
    }
    free(job->name);
    free(job);
}

static void job_gone(struct pending *p)
{
    ((struct job *)p)->req = NULL;
}

void api_run_job(struct registry *r, struct deis_http_req *req, struct job *job)
{
    struct deis_err err = DEIS_ERR_INIT;

    job->registry = r;
    job->req = req;
    job->pending.gone = job_gone;
    deis_http_set_user(req, &job->pending);
    if (deis_workers_run(r->workers, job_work, job_done, job, &err) < 0) {
        deis_http_set_user(req, NULL);
        if (job->release) {
            job->release(job);
        }
        free(job->name);
        free(job);
        deis_http_set(req, "Retry-After", "1");
        api_error(req, 503, "TOOMANYREQUESTS", "the registry is busy");
    }
}

/* --- small routes --- */

static void base_get(struct deis_http_req *req)
{
    deis_http_reply(req, 200, JSON_TYPE, DEIS_STR("{}"));
}

/* n and last of a list's query (distribution-spec, "Listing Tags"). */
static bool list_range(struct deis_http_req *req, uint64_t *ret_n, struct deis_buf *ret_last)
{
    deis_autobuf struct deis_buf n = DEIS_BUF_INIT(32);
    struct deis_err err = DEIS_ERR_INIT;

    *ret_n = LIST_MAX;
    if (deis_url_query_get(deis_http_query(req), "n", &n, &err) == 0 &&
        deis_str_to_u64(deis_buf_str(&n), 0, LIST_MAX, ret_n, &err) < 0) {
        api_error(req, 400, "PAGINATION_NUMBER_INVALID", "n must be a number from 0 to 1000");
        return false;
    }
    int r = deis_url_query_get(deis_http_query(req), "last", ret_last, &err);
    if (r < 0 && r != DEIS_NOT_FOUND) {
        api_error(req, 400, "NAME_INVALID", "last is not valid");
        return false;
    }
    return true;
}

static void reply_list(struct deis_http_req *req, json_t *body, const char *key, char **names,
                       const char *path)
{
    deis_autobuf struct deis_buf last = DEIS_BUF_INIT(512);
    deis_autobuf struct deis_buf link = DEIS_BUF_INIT(1024);
    json_t *list = json_array();
    uint64_t n;

    json_object_set_new(body, key, list);
    if (!list_range(req, &n, &last)) {
        return;
    }
    for (; *names && json_array_size(list) < n; names++) {
        if (strcmp(*names, last.data) > 0) {
            json_array_append_new(list, json_string(*names));
        }
    }
    if (*names && n > 0) {
        const char *end = json_string_value(json_array_get(list, json_array_size(list) - 1));
        deis_buf_addf(&link, "<%s?n=%llu&last=%s>; rel=\"next\"", path, (unsigned long long)n, end);
        deis_http_set(req, "Link", link.data);
    }
    deis_http_reply_json(req, 200, body);
}

static void catalog_get(struct registry *r, struct deis_http_req *req)
{
    deis_autojson json_t *body = json_object();
    struct deis_err err = DEIS_ERR_INIT;
    char **repos;

    if (store_list_repos(r->store, &repos, &err) < 0) {
        api_storage_error(req, &err, "NAME_UNKNOWN");
        return;
    }
    reply_list(req, body, "repositories", repos, "/v2/_catalog");
    deis_strv_free(repos);
}

static void tags_get(struct registry *r, struct deis_http_req *req, const struct registry_target *t)
{
    deis_autojson json_t *body = json_object();
    struct deis_err err = DEIS_ERR_INIT;
    char path[400];
    char **tags;

    if (repo_list_tags(r->store, t->name, &tags, &err) < 0) {
        api_storage_error(req, &err, "NAME_UNKNOWN");
        return;
    }
    snprintf(path, sizeof(path), "/v2/%.*s/tags/list", DEIS_STR_ARG(t->name));
    json_object_set_new(body, "name", json_stringn(t->name.ptr, t->name.len));
    reply_list(req, body, "tags", tags, path);
    deis_strv_free(tags);
}

/* A digest names its bytes for ever, so a part of them may be asked for (RFC 9110 section 14.2, one
 * range). */
static bool parse_range(struct deis_str value, uint64_t size, uint64_t *first, uint64_t *last)
{
    struct deis_err err = DEIS_ERR_INIT;
    struct deis_str from;

    if (!deis_str_starts(value, "bytes=") || size == 0) {
        return false;
    }
    value = deis_str_skip(value, 6);
    if (!deis_str_split(&value, '-', &from) || !value.ptr ||
        deis_str_to_u64(from, 0, size - 1, first, &err) < 0) {
        return false;
    }
    *last = size - 1;
    if (value.len > 0 && deis_str_to_u64(value, *first, UINT64_MAX, last, &err) < 0) {
        return false;
    }
    *last = *last < size ? *last : size - 1;
    return true;
}

static void blob_get(struct registry *r, struct deis_http_req *req, const struct registry_target *t)
{
    struct deis_str hex = registry_digest_hex(t->digest);
    const struct deis_h1_header *range = deis_h1_find(deis_http_head(req), "Range");
    struct deis_err err = DEIS_ERR_INIT;
    uint64_t size;
    uint64_t first;
    uint64_t last;
    char text[96];
    int fd;

    if (blob_stat(r->store, hex, &size, &err) < 0 ||
        blob_open(r->store, hex, &fd, &size, &err) < 0) {
        api_storage_error(req, &err, "BLOB_UNKNOWN");
        return;
    }
    api_text(req, "Docker-Content-Digest", t->digest);
    deis_http_set(req, "Accept-Ranges", "bytes");
    if (range && parse_range(range->value, size, &first, &last)) {
        snprintf(text, sizeof(text), "bytes %llu-%llu/%llu", (unsigned long long)first,
                 (unsigned long long)last, (unsigned long long)size);
        deis_http_set(req, "Content-Range", text);
        deis_http_reply_file(req, 206, OCTETS, fd, first, last - first + 1);
        return;
    }
    deis_http_reply_file(req, 200, OCTETS, fd, 0, size);
}

static void method_not_allowed(struct deis_http_req *req, const char *allow)
{
    deis_http_set(req, "Allow", allow);
    api_error(req, 405, "UNSUPPORTED", "the method is not allowed here");
}

/* --- dispatch --- */

static struct registry_target target_of(struct deis_http_req *req)
{
    return registry_route_parse(deis_http_path(req));
}

static bool is_method(struct deis_http_req *req, const char *method)
{
    return deis_str_eq_cstr(deis_http_head(req)->method, method);
}

static bool is_read(struct deis_http_req *req)
{
    return is_method(req, "GET") || is_method(req, "HEAD");
}

static void dispatch_manifest(struct registry *r, struct deis_http_req *req,
                              const struct registry_target *t)
{
    if (is_read(req)) {
        manifest_get(r, req, t);
    } else if (is_method(req, "PUT")) {
        manifest_put(r, req, t);
    } else if (is_method(req, "DELETE")) {
        manifest_delete(r, req, t);
    } else {
        method_not_allowed(req, "GET, HEAD, PUT, DELETE");
    }
}

static void dispatch_upload(struct registry *r, struct deis_http_req *req,
                            const struct registry_target *t)
{
    if (is_method(req, "PATCH") || is_method(req, "PUT")) {
        upload_complete(r, req, t);
    } else if (is_read(req)) {
        upload_status(r, req, t);
    } else if (is_method(req, "DELETE")) {
        upload_cancel(r, req, t);
    } else {
        method_not_allowed(req, "GET, PATCH, PUT, DELETE");
    }
}

/* May the sender use the registry? Else it is answered. A name in Host is a web page's trick; the
 * Docker Engine, asked by others to fetch something here, has no password. */
static bool admit(struct registry *r, struct deis_http_req *req, const struct registry_target *t)
{
    const struct deis_h1_header *h = deis_h1_find(deis_http_head(req), "Authorization");

    deis_http_set(req, "Docker-Distribution-Api-Version", "registry/2.0");
    if (!registry_host_fits(deis_http_head(req)->host)) {
        api_error(req, 403, "DENIED", "the registry is asked by its address, not by a name");
        return false;
    }
    if (t->route != REGISTRY_HEALTH &&
        !deis_registry_admits(r->keys, h ? h->value : DEIS_STR_NONE)) {
        deis_http_set(req, "WWW-Authenticate", "Basic realm=\"deis\", charset=\"UTF-8\"");
        api_error(req, 401, "UNAUTHORIZED", "the registry is for the platform's own parts");
        return false;
    }
    return true;
}

static void on_head(struct deis_http_req *req, void *arg)
{
    struct registry_target t = target_of(req);

    if (!admit(arg, req, &t)) {
        return;
    }
    if (t.route == REGISTRY_UPLOAD && (is_method(req, "PATCH") || is_method(req, "PUT"))) {
        upload_head(arg, req, &t);
    }
}

static void on_body(struct deis_http_req *req, struct deis_str data, void *arg)
{
    upload_data(arg, req, data);
}

static void on_request(struct deis_http_req *req, void *arg)
{
    struct registry *r = arg;
    struct registry_target t = target_of(req);

    switch (t.route) {
    case REGISTRY_NONE: api_error(req, 404, "NAME_UNKNOWN", "no such path"); return;
    case REGISTRY_BAD_NAME:
        api_error(req, 400, "NAME_INVALID", "the name, tag, digest or upload id is not valid");
        return;
    case REGISTRY_MANIFEST: dispatch_manifest(r, req, &t); return;
    case REGISTRY_UPLOAD: dispatch_upload(r, req, &t); return;
    case REGISTRY_UPLOADS:
        if (is_method(req, "POST")) {
            upload_start(r, req, &t);
        } else {
            method_not_allowed(req, "POST");
        }
        return;
    case REGISTRY_HEALTH:
    case REGISTRY_BASE:
    case REGISTRY_CATALOG:
    case REGISTRY_TAGS:
    case REGISTRY_BLOB: break;
    }
    if (!is_read(req)) {
        method_not_allowed(req, "GET, HEAD");
    } else if (t.route == REGISTRY_HEALTH) {
        deis_http_reply(req, 200, "text/plain", DEIS_STR("OK\n"));
    } else if (t.route == REGISTRY_BASE) {
        base_get(req);
    } else if (t.route == REGISTRY_CATALOG) {
        catalog_get(r, req);
    } else if (t.route == REGISTRY_TAGS) {
        tags_get(r, req, &t);
    } else {
        blob_get(r, req, &t);
    }
}

static void on_gone(struct deis_http_req *req, void *arg)
{
    struct pending *pending = deis_http_user(req);

    if (pending) {
        pending->gone(pending);
    }
}

const struct deis_httpd_ops registry_ops = {
    .on_head = on_head,
    .on_body = on_body,
    .on_request = on_request,
    .on_gone = on_gone,
};
