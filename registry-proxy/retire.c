/* SPDX-License-Identifier: MIT */
/*
 * Images of releases that are no longer kept: a manifest that no build of any app names goes, once
 * that has been so for the grace time. Each round marks those that are named with the time, so that
 * an etcd that comes back without its newest entries takes nothing away for as long.
 */
#include "registry-proxy/core/manifest.h"
#include "registry-proxy/core/references.h"
#include "registry-proxy/registry.h"

#include "lib/etcd/etcd.h"
#include "lib/model/model.h"
#include "lib/net/log.h"

#include <time.h>

struct retire {
    struct registry *registry;
    struct references *named;
    int64_t before_s; /* named last before that: it goes */
    unsigned removed;
    int rc;
    struct deis_err err;
};

/* --- what is named --- */

static int add_builds(struct retire *r, const char *app, struct deis_err *err)
{
    deis_autorange struct deis_etcd_range range = { 0 };
    char prefix[DEIS_KEY_MAX];
    int rc =
        deis_etcd_list(r->registry->etcd, deis_key(prefix, "apps/%s/builds/", app), 0, &range, err);

    for (size_t i = 0; rc == 0 && i < range.count; i++) {
        deis_autojson json_t *build = deis_json_parse(range.kvs[i].value, err);
        if (!build) {
            return deis_err_wrap(err, "key '%s'", range.kvs[i].key);
        }
        references_add_build(r->named, build);
    }
    return rc;
}

/* 1: there is no app at all, which may be an etcd that was lost. */
static int add_apps(struct retire *r, struct deis_err *err)
{
    deis_autorange struct deis_etcd_range apps = { 0 };
    char prefix[DEIS_KEY_MAX];
    int rc = deis_etcd_list_keys(r->registry->etcd, deis_key(prefix, "index/app/"), &apps, err);

    for (size_t i = 0; rc == 0 && i < apps.count; i++) {
        rc = add_builds(r, apps.kvs[i].key + strlen(prefix), err);
    }
    return rc == 0 && apps.count == 0 ? 1 : rc;
}

static int add_tags_of(struct retire *r, const char *repo, struct deis_err *err)
{
    struct blob_store *store = r->registry->store;
    char **tags = NULL;
    int rc = repo_list_tags(store, deis_str(repo), &tags, err);

    for (char **t = tags; rc == 0 && *t; t++) {
        char hex[65];
        if (references_name_tag(r->named, deis_str(*t)) &&
            repo_get_tag(store, deis_str(repo), deis_str(*t), hex, err) == 0) {
            references_add_digest(r->named, deis_str(hex));
        }
    }
    deis_strv_free(tags);
    return rc == DEIS_NOT_FOUND ? 0 : rc; /* it went meanwhile */
}

static int add_tags(struct retire *r, struct deis_err *err)
{
    char **repos = NULL;
    int rc = store_list_repos(r->registry->store, &repos, err);

    for (char **repo = repos; rc == 0 && *repo; repo++) {
        rc = add_tags_of(r, *repo, err);
    }
    deis_strv_free(repos);
    return rc;
}

/* With an index the manifests that it names. */
static int add_parts(const char *repo, const char *hex, const char *media_type, void *arg,
                     struct deis_err *err)
{
    struct retire *r = arg;
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(MANIFEST_MAX_BYTES + 1);
    struct manifest_refs refs;

    if (!references_name_digest(r->named, deis_str(hex))) {
        return 0;
    }
    int rc = blob_read(r->registry->store, deis_str(hex), MANIFEST_MAX_BYTES, &text, err);
    if (rc == 0) {
        rc = manifest_parse(deis_buf_str(&text), deis_str(media_type), &refs, err);
    }
    if (rc < 0) {
        return rc == DEIS_NOT_FOUND ? 0 : rc;
    }
    for (size_t i = 0; i < refs.manifest_count; i++) {
        references_add_digest(r->named, deis_str(refs.manifests[i]));
    }
    manifest_refs_clear(&refs);
    return 0;
}

/* --- what goes --- */

static int judge(const char *repo, const char *hex, const char *media_type, void *arg,
                 struct deis_err *err)
{
    struct retire *r = arg;
    struct blob_store *store = r->registry->store;
    bool removed = false;
    int rc = references_name_digest(r->named, deis_str(hex))
                 ? repo_mark_manifest(store, deis_str(repo), deis_str(hex), err)
                 : repo_retire_manifest(store, deis_str(repo), deis_str(hex), r->before_s, &removed,
                                        err);

    r->removed += removed;
    return rc == DEIS_NOT_FOUND ? 0 : rc;
}

static int work_with(struct retire *r, struct deis_err *err)
{
    struct blob_store *store = r->registry->store;
    int64_t grace_s = (int64_t)(r->registry->conf.image_grace_ms / 1000);
    int64_t begun_s = 0;
    int rc = add_apps(r, err);

    if (rc == 0) {
        rc = add_tags(r, err);
    }
    if (rc == 0) {
        rc = store_walk_manifests(store, add_parts, r, err);
    }
    if (rc == 0) {
        rc = store_marking_since(store, &begun_s, err);
    }
    if (rc != 0) {
        return rc < 0 ? rc : 0;
    }
    /* What was pushed before there were marks looks older than it is. */
    r->before_s = (int64_t)time(NULL) - grace_s;
    if (begun_s > r->before_s) {
        r->before_s = 0;
    }
    return store_walk_manifests(store, judge, r, err);
}

static void retire_work(void *arg)
{
    struct retire *r = arg;

    r->rc = work_with(r, &r->err);
}

static void retire_done(void *arg)
{
    struct retire *r = arg;

    if (r->rc < 0) {
        deis_warn("old images not looked through", KV_ERR(&r->err));
    }
    if (r->removed > 0) {
        deis_info("images that no build names removed", KV_I("count", r->removed));
    }
    r->registry->retiring = false;
    sweep_start(r->registry);
    references_free(r->named);
    free(r);
}

void retire_start(void *arg)
{
    struct registry *registry = arg;
    struct deis_err err = DEIS_ERR_INIT;

    if (registry->conf.image_grace_ms == 0 || registry->stopping || registry->retiring) {
        sweep_start(registry);
        return;
    }
    struct retire *r = deis_alloc(sizeof(*r));
    r->registry = registry;
    r->named = references_new();
    registry->retiring = true;
    if (deis_workers_run(registry->workers, retire_work, retire_done, r, &err) < 0) {
        r->rc = err.code;
        r->err = err;
        retire_done(r);
    }
}
