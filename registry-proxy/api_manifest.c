/* SPDX-License-Identifier: MIT */
/* Manifests: read, stored, deleted. A manifest is taken only when all that it refers to is here. */
#include "registry-proxy/core/manifest.h"
#include "registry-proxy/registry.h"

#include "lib/crypto/secret.h"
#include "lib/net/log.h"

/* Hex digest of the addressed manifest: given, or by its tag. */
static int resolve(struct registry *r, const struct registry_target *t, char hex[65],
                   struct deis_err *err)
{
    if (t->digest.len > 0) {
        snprintf(hex, 65, "%.*s", DEIS_STR_ARG(registry_digest_hex(t->digest)));
        return 0;
    }
    return repo_get_tag(r->store, t->name, t->tag, hex, err);
}

void manifest_get(struct registry *r, struct deis_http_req *req, const struct registry_target *t)
{
    struct deis_err err = DEIS_ERR_INIT;
    char type[128];
    char hex[65];
    char digest[72];
    uint64_t size;
    int fd;

    if (resolve(r, t, hex, &err) < 0 ||
        repo_get_manifest(r->store, t->name, deis_str(hex), type, &err) < 0 ||
        blob_open(r->store, deis_str(hex), &fd, &size, &err) < 0) {
        api_storage_error(req, &err, "MANIFEST_UNKNOWN");
        return;
    }
    snprintf(digest, sizeof(digest), "sha256:%s", hex);
    deis_http_set(req, "Docker-Content-Digest", digest);
    deis_http_reply_file(req, 200, type, fd, 0, size);
}

struct put {
    char *body;
    size_t body_len;
    char *tag; /* NULL: by digest */
    char hex[65];
    struct manifest_refs refs;
};

static void put_release(struct job *job)
{
    struct put *put = job->data;

    free(put->body);
    free(put->tag);
    manifest_refs_clear(&put->refs);
    free(put);
}

static void fail(struct job *job, int status, const char *code, const char *message)
{
    job->status = status;
    job->error_code = code;
    deis_err_set(&job->err, DEIS_INVALID, "%s", message);
}

/* All blobs and manifests that it refers to must be here. */
static bool refs_present(struct job *job, const struct put *put)
{
    struct blob_store *store = job->registry->store;
    uint64_t size;
    char type[128];

    for (size_t i = 0; i < put->refs.blob_count; i++) {
        if (blob_stat(store, deis_str(put->refs.blobs[i]), &size, &job->err) < 0) {
            fail(job, 400, "MANIFEST_BLOB_UNKNOWN", "a layer or the config is not in the registry");
            return false;
        }
    }
    for (size_t i = 0; i < put->refs.manifest_count; i++) {
        if (repo_get_manifest(store, deis_str(job->name), deis_str(put->refs.manifests[i]), type,
                              &job->err) < 0) {
            fail(job, 400, "MANIFEST_UNKNOWN", "a manifest of the index is not in the repository");
            return false;
        }
    }
    return true;
}

static void put_work(struct job *job)
{
    struct put *put = job->data;
    struct blob_store *store = job->registry->store;
    struct deis_str name = deis_str(job->name);

    if (!refs_present(job, put)) {
        return;
    }
    if (blob_write(store, deis_str_n(put->body, put->body_len), put->hex, &job->err) < 0 ||
        repo_put_manifest(store, name, put->hex, put->refs.media_type, &job->err) < 0 ||
        (put->tag && repo_put_tag(store, name, deis_str(put->tag), put->hex, &job->err) < 0)) {
        job->error_code = "MANIFEST_UNKNOWN";
        return;
    }
    job->status = 201;
    snprintf(job->digest, sizeof(job->digest), "sha256:%s", put->hex);
    snprintf(job->location, sizeof(job->location), "/v2/%s/manifests/sha256:%s", job->name,
             put->hex);
}

/* Content-Type without its parameters. */
static struct deis_str media_type_of(struct deis_http_req *req)
{
    const struct deis_h1_header *h = deis_h1_find(deis_http_head(req), "Content-Type");
    struct deis_str rest = h ? h->value : DEIS_STR_NONE;
    struct deis_str type = DEIS_STR_NONE;

    if (rest.len > 0) {
        deis_str_split(&rest, ';', &type);
    }
    return deis_str_trim(type);
}

void manifest_put(struct registry *r, struct deis_http_req *req, const struct registry_target *t)
{
    struct deis_str body = deis_http_body(req);
    struct deis_err err = DEIS_ERR_INIT;
    struct manifest_refs refs;
    char hex[65];

    if (manifest_parse(body, media_type_of(req), &refs, &err) < 0) {
        api_error(req, 400, "MANIFEST_INVALID", err.msg);
        return;
    }
    deis_sha256_hex(body, hex);
    if (t->digest.len > 0 && !deis_str_eq_cstr(registry_digest_hex(t->digest), hex)) {
        manifest_refs_clear(&refs);
        api_error(req, 400, "DIGEST_INVALID", "the manifest has another digest");
        return;
    }
    struct put *put = deis_alloc(sizeof(*put));
    struct job *job = deis_alloc(sizeof(*job));
    put->body = deis_str_dup(body);
    put->body_len = body.len;
    put->tag = t->tag.len > 0 ? deis_str_dup(t->tag) : NULL;
    put->refs = refs;
    memcpy(put->hex, hex, sizeof(hex));
    job->name = deis_str_dup(t->name);
    job->data = put;
    job->work = put_work;
    job->release = put_release;
    api_run_job(r, req, job);
}

/* --- delete --- */

static void delete_release(struct job *job)
{
    put_release(job);
    sweep_start(job->registry);
}

static void delete_work(struct job *job)
{
    struct put *put = job->data;
    struct blob_store *store = job->registry->store;
    struct deis_str name = deis_str(job->name);
    int r = put->tag ? repo_delete_tag(store, name, deis_str(put->tag), &job->err)
                     : repo_delete_manifest(store, name, deis_str(put->hex), &job->err);

    job->status = r < 0 ? 0 : 202;
    job->error_code = r < 0 ? "MANIFEST_UNKNOWN" : NULL;
}

void manifest_delete(struct registry *r, struct deis_http_req *req, const struct registry_target *t)
{
    struct put *put = deis_alloc(sizeof(*put));
    struct job *job = deis_alloc(sizeof(*job));

    put->tag = t->tag.len > 0 ? deis_str_dup(t->tag) : NULL;
    snprintf(put->hex, sizeof(put->hex), "%.*s",
             DEIS_STR_ARG(t->digest.len > 0 ? registry_digest_hex(t->digest) : DEIS_STR("")));
    job->name = deis_str_dup(t->name);
    job->data = put;
    job->work = delete_work;
    job->release = delete_release;
    api_run_job(r, req, job);
}
