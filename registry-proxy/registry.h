/* SPDX-License-Identifier: MIT */
/* What the shell of the registry-proxy shares. thread: loop, unless said */
#ifndef REGISTRY_REGISTRY_H
#define REGISTRY_REGISTRY_H

#include "registry-proxy/blob_store.h"
#include "registry-proxy/core/route.h"

#include "lib/base/map.h"
#include "lib/crypto/keys.h"
#include "lib/net/httpd.h"

#include <stdatomic.h>

struct registry_conf {
    char *etcd;
    char *cluster_key;
    char *instance;
    char *http;
    char *data;
    uint64_t gc_grace_ms; /* an unreferenced blob is kept this long after its last use */
    uint64_t gc_interval_ms;
    uint64_t image_grace_ms; /* an image that no build names is kept this long; 0 = for ever */
    uint64_t upload_idle_ms; /* an upload without a byte for so long is dropped */
    uint64_t blob_max_bytes;
    uint32_t uploads_max;
};

struct deis_etcd;

struct registry {
    struct registry_conf conf;
    struct deis_loop *loop;
    struct deis_workers *workers;
    struct deis_httpd *httpd;
    struct blob_store *store;
    struct deis_keys *keys;   /* who has one of them may use the registry */
    struct deis_map *uploads; /* id -> struct upload */
    struct deis_timer *upload_timer;
    struct deis_timer *sweep_timer;
    struct deis_etcd *etcd;
    bool retiring;
    bool sweeping;
    bool stopping; /* no new jobs: the workers are about to be freed */
};

/* What is under way for a request: its user pointer. gone is called when the peer has gone away. */
struct pending {
    void (*gone)(struct pending *p);
};

/* A piece of work on a worker thread that ends with an answer to a request, which may be gone by
 * then. */
struct job {
    struct pending pending;
    struct registry *registry;
    struct deis_http_req *req;        /* NULL once the peer has gone away */
    void (*work)(struct job *job);    /* thread: worker; sets the fields below */
    void (*release)(struct job *job); /* frees `data`; may be NULL */
    void *data;
    char *name; /* repository */
    int status;
    const char *error_code; /* NULL: no error */
    struct deis_err err;
    char digest[72]; /* Docker-Content-Digest of the answer, or "" */
    char location[400];
};

/* api.c */
extern const struct deis_httpd_ops registry_ops;
void api_error(struct deis_http_req *req, int status, const char *code, const char *message);
void api_storage_error(struct deis_http_req *req, const struct deis_err *err, const char *code);
void api_run_job(struct registry *r, struct deis_http_req *req, struct job *job);
void api_text(struct deis_http_req *req, const char *name, struct deis_str value);

/* api_manifest.c */
void manifest_get(struct registry *r, struct deis_http_req *req, const struct registry_target *t);
void manifest_put(struct registry *r, struct deis_http_req *req, const struct registry_target *t);
void manifest_delete(struct registry *r, struct deis_http_req *req,
                     const struct registry_target *t);

/* api_upload.c */
void upload_free(void *upload); /* struct upload */
void upload_start(struct registry *r, struct deis_http_req *req, const struct registry_target *t);
/* The head of a PATCH or PUT came: its body goes to the upload. */
void upload_head(struct registry *r, struct deis_http_req *req, const struct registry_target *t);
void upload_data(struct registry *r, struct deis_http_req *req, struct deis_str data);
void upload_complete(struct registry *r, struct deis_http_req *req,
                     const struct registry_target *t);
void upload_status(struct registry *r, struct deis_http_req *req, const struct registry_target *t);
void upload_cancel(struct registry *r, struct deis_http_req *req, const struct registry_target *t);
void upload_expire(void *registry); /* timer */

/* retire.c: images that no build names any more; then the sweep. */
void retire_start(void *registry); /* timer */

/* sweep.c */
void sweep_start(void *registry); /* also after deletions */

/* app_watch.c: repositories of apps that are gone are removed. */
struct app_watch;
struct app_watch *app_watch_start(struct registry *r, struct deis_etcd *etcd);
void app_watch_stop(struct app_watch *w); /* before the workers are freed; NULL is fine */
void app_watch_free(struct app_watch *w); /* after that; NULL is fine */

#endif
