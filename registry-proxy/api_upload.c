/* SPDX-License-Identifier: MIT */
/*
 * Blob uploads (distribution-spec, "Pushing a blob in chunks"): POST opens one, PATCH appends, PUT
 * with the digest closes it. The digest is computed as the bytes arrive and the blob kept only when
 * it fits. An upload does not survive a restart: the client begins it again.
 */
#include "registry-proxy/registry.h"

#include "lib/base/clock.h"
#include "lib/crypto/secret.h"
#include "lib/net/log.h"
#include "lib/wire/b64.h"
#include "lib/wire/url.h"

#include <errno.h>
#include <openssl/evp.h>
#include <unistd.h>

struct upload {
    struct pending pending;
    struct registry *registry;
    char id[33];
    char *name;
    int fd;
    EVP_MD_CTX *sha;
    uint64_t size;
    uint64_t used_ms;          /* monotonic time of the last byte */
    struct deis_http_req *req; /* whose body comes in now */
    bool committing;           /* a job owns the file */
    struct deis_err err;
};

void upload_free(void *arg)
{
    struct upload *u = arg;

    if (!u->committing) {
        upload_remove(u->registry->store, u->id);
    }
    if (u->fd >= 0) {
        close(u->fd);
    }
    EVP_MD_CTX_free(u->sha);
    free(u->name);
    free(u);
}

static void upload_gone(struct pending *p)
{
    ((struct upload *)p)->req = NULL;
}

static struct upload *upload_new(struct registry *r, struct deis_str name, struct deis_err *err)
{
    struct upload *u = deis_alloc(sizeof(*u));

    u->registry = r;
    u->pending.gone = upload_gone;
    u->name = deis_str_dup(name);
    u->used_ms = deis_now_ms();
    u->sha = EVP_MD_CTX_new();
    deis_random_hex(u->id, 16);
    u->fd = -1;
    if (!u->sha || EVP_DigestInit_ex(u->sha, EVP_sha256(), NULL) != 1) {
        deis_err_set(err, DEIS_INTERNAL, "SHA-256 is not available");
    } else if (upload_create(r->store, u->id, &u->fd, err) == 0) {
        deis_map_set(r->uploads, deis_str(u->id), u);
        return u;
    }
    upload_free(u);
    return NULL;
}

static void set_progress(struct deis_http_req *req, const struct upload *u)
{
    char text[400];

    snprintf(text, sizeof(text), "/v2/%s/blobs/uploads/%s", u->name, u->id);
    deis_http_set(req, "Location", text);
    snprintf(text, sizeof(text), "0-%llu", (unsigned long long)(u->size > 0 ? u->size - 1 : 0));
    deis_http_set(req, "Range", text);
    deis_http_set(req, "Docker-Upload-UUID", u->id);
}

/* Mounting from another repository: blobs are shared, so it is enough that we have it. */
static bool mount_blob(struct registry *r, struct deis_http_req *req,
                       const struct registry_target *t)
{
    deis_autobuf struct deis_buf digest = DEIS_BUF_INIT(128);
    struct deis_err err = DEIS_ERR_INIT;
    char location[400];
    uint64_t size;

    if (deis_url_query_get(deis_http_query(req), "mount", &digest, &err) < 0 ||
        !registry_is_digest(deis_buf_str(&digest)) ||
        blob_stat(r->store, registry_digest_hex(deis_buf_str(&digest)), &size, &err) < 0) {
        return false;
    }
    snprintf(location, sizeof(location), "/v2/%.*s/blobs/%s", DEIS_STR_ARG(t->name), digest.data);
    deis_http_set(req, "Location", location);
    deis_http_set(req, "Docker-Content-Digest", digest.data);
    deis_http_reply(req, 201, NULL, DEIS_STR_NONE);
    return true;
}

void upload_start(struct registry *r, struct deis_http_req *req, const struct registry_target *t)
{
    struct deis_err err = DEIS_ERR_INIT;

    if (mount_blob(r, req, t)) {
        return;
    }
    if (deis_map_count(r->uploads) >= r->conf.uploads_max) {
        deis_http_set(req, "Retry-After", "5");
        api_error(req, 429, "TOOMANYREQUESTS", "too many uploads are under way");
        return;
    }
    const struct upload *u = upload_new(r, t->name, &err);
    if (!u) {
        api_storage_error(req, &err, "BLOB_UPLOAD_UNKNOWN");
        return;
    }
    set_progress(req, u);
    deis_http_reply(req, 202, NULL, DEIS_STR_NONE);
}

static struct upload *find(struct registry *r, const struct registry_target *t)
{
    struct upload *u = deis_map_get(r->uploads, t->upload);

    return u && !u->committing && deis_str_eq_cstr(t->name, u->name) ? u : NULL;
}

/* A PATCH with Content-Range must continue where we are. */
static bool continues(struct deis_http_req *req, const struct upload *u)
{
    const struct deis_h1_header *h = deis_h1_find(deis_http_head(req), "Content-Range");
    struct deis_err err = DEIS_ERR_INIT;
    struct deis_str rest;
    struct deis_str first;
    uint64_t from;

    if (!h) {
        return true;
    }
    rest = deis_str_starts(h->value, "bytes ") ? deis_str_skip(h->value, 6) : h->value;
    deis_str_split(&rest, '-', &first);
    return deis_str_to_u64(first, 0, UINT64_MAX, &from, &err) == 0 && from == u->size;
}

void upload_head(struct registry *r, struct deis_http_req *req, const struct registry_target *t)
{
    struct upload *u = find(r, t);

    if (!u) {
        api_error(req, 404, "BLOB_UPLOAD_UNKNOWN", "no such upload");
    } else if (u->req) {
        api_error(req, 409, "BLOB_UPLOAD_INVALID", "another request writes to this upload");
    } else if (!continues(req, u)) {
        set_progress(req, u);
        api_error(req, 416, "BLOB_UPLOAD_INVALID", "the range does not continue the upload");
    } else {
        u->req = req;
        deis_http_set_user(req, &u->pending);
        deis_http_stream_body(req);
    }
}

static int append(struct upload *u, struct deis_str data)
{
    uint64_t max = u->registry->conf.blob_max_bytes;

    if (data.len > max || u->size > max - data.len) {
        return deis_err_set(&u->err, DEIS_LIMIT, "the blob is larger than %llu bytes",
                            (unsigned long long)max);
    }
    EVP_DigestUpdate(u->sha, data.ptr, data.len);
    u->size += data.len;
    while (data.len > 0) {
        ssize_t n = write(u->fd, data.ptr, data.len);
        if (n < 0 && errno != EINTR) {
            return deis_err_errno(&u->err, errno, "can't write an upload");
        }
        data = deis_str_skip(data, n > 0 ? (size_t)n : 0);
    }
    return 0;
}

static void drop(struct registry *r, struct upload *u)
{
    deis_map_remove(r->uploads, deis_str(u->id));
}

/* Said at once: the rest of the body would be read for nothing. */
static void refuse(struct registry *r, struct deis_http_req *req, struct upload *u)
{
    bool full = u->err.code == DEIS_LIMIT;

    deis_warn("upload failed", KV_S("repo", u->name), KV_ERR(&u->err));
    deis_http_set_user(req, NULL);
    drop(r, u);
    api_error(req, full ? 413 : 500, full ? "SIZE_INVALID" : "UNKNOWN",
              full ? "the blob is too large or the storage is full" : "storage failed");
}

void upload_data(struct registry *r, struct deis_http_req *req, struct deis_str data)
{
    struct upload *u = (struct upload *)deis_http_user(req);

    if (u) {
        u->used_ms = deis_now_ms();
        if (append(u, data) < 0) {
            refuse(r, req, u);
        }
    }
}

/* --- the end: verify and keep --- */

static void commit_work(struct job *job)
{
    struct upload *u = job->data;

    if (upload_commit(u->registry->store, u->id, u->fd, job->digest + 7, &job->err) < 0) {
        job->error_code = "BLOB_UPLOAD_UNKNOWN";
        return;
    }
    job->status = 201;
    snprintf(job->location, sizeof(job->location), "/v2/%s/blobs/%s", job->name, job->digest);
}

static void commit_release(struct job *job)
{
    struct upload *u = job->data;

    u->committing = false; /* a file that was kept has moved: nothing is left to remove */
    deis_map_remove(job->registry->uploads, deis_str(u->id));
}

static void finish(struct registry *r, struct deis_http_req *req, struct upload *u)
{
    deis_autobuf struct deis_buf digest = DEIS_BUF_INIT(128);
    deis_autobuf struct deis_buf have = DEIS_BUF_INIT(80);
    struct deis_err err = DEIS_ERR_INIT;
    uint8_t sum[32];

    if (deis_url_query_get(deis_http_query(req), "digest", &digest, &err) < 0 ||
        !registry_is_digest(deis_buf_str(&digest))) {
        api_error(req, 400, "DIGEST_INVALID", "a sha256 digest is needed to close an upload");
        return;
    }
    EVP_DigestFinal_ex(u->sha, sum, NULL);
    deis_buf_add_cstr(&have, "sha256:");
    deis_hex_encode(deis_str_n((const char *)sum, sizeof(sum)), &have);
    if (!deis_str_eq(deis_buf_str(&have), deis_buf_str(&digest))) {
        drop(r, u);
        api_error(req, 400, "DIGEST_INVALID", "the bytes received have another digest");
        return;
    }
    struct job *job = deis_alloc(sizeof(*job));
    u->committing = true;
    job->name = deis_strdup(u->name);
    job->data = u;
    job->work = commit_work;
    job->release = commit_release;
    snprintf(job->digest, sizeof(job->digest), "%s", have.data);
    api_run_job(r, req, job);
}

void upload_complete(struct registry *r, struct deis_http_req *req, const struct registry_target *t)
{
    struct upload *u = (struct upload *)deis_http_user(req);

    if (!u) {
        api_error(req, 404, "BLOB_UPLOAD_UNKNOWN", "no such upload");
        return;
    }
    deis_http_set_user(req, NULL);
    u->req = NULL;
    if (deis_str_eq_cstr(deis_http_head(req)->method, "PUT")) {
        finish(r, req, u);
        return;
    }
    set_progress(req, u);
    deis_http_reply(req, 202, NULL, DEIS_STR_NONE);
}

void upload_status(struct registry *r, struct deis_http_req *req, const struct registry_target *t)
{
    const struct upload *u = find(r, t);

    if (!u) {
        api_error(req, 404, "BLOB_UPLOAD_UNKNOWN", "no such upload");
        return;
    }
    set_progress(req, u);
    deis_http_reply(req, 204, NULL, DEIS_STR_NONE);
}

void upload_cancel(struct registry *r, struct deis_http_req *req, const struct registry_target *t)
{
    struct upload *u = find(r, t);

    if (!u || u->req) {
        api_error(req, 404, "BLOB_UPLOAD_UNKNOWN", "no such upload, or it is in use");
        return;
    }
    drop(r, u);
    deis_http_reply(req, 204, NULL, DEIS_STR_NONE);
}

void upload_expire(void *arg)
{
    struct registry *r = arg;
    uint64_t now = deis_now_ms();
    size_t cursor = 0;
    struct deis_str id;
    void *value;

    while (deis_map_next(r->uploads, &cursor, &id, &value)) {
        struct upload *u = value;
        if (!u->req && !u->committing && now - u->used_ms > r->conf.upload_idle_ms) {
            deis_map_remove(r->uploads, id);
        }
    }
}
