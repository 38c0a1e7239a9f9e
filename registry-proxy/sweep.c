/* SPDX-License-Identifier: MIT */
/*
 * Garbage collection: mark what the manifests refer to, remove other blobs that nobody used for the
 * grace time. It runs beside requests: a push marks each blob that it relies on as used
 * (blob_stat), so a blob between its upload and its manifest is safe as long as a push takes less
 * than the grace time.
 */
#include "registry-proxy/core/manifest.h"
#include "registry-proxy/registry.h"

#include "lib/net/log.h"

#include <time.h>

struct sweep {
    struct registry *registry;
    struct deis_map *marked; /* hex digests */
    uint64_t bytes;
    bool failed;
    struct deis_err err;
};

static int mark_manifest(const char *repo, const char *hex, const char *media_type, void *arg,
                         struct deis_err *err)
{
    struct sweep *sweep = arg;
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(MANIFEST_MAX_BYTES + 1);
    struct manifest_refs refs;
    int r = blob_read(sweep->registry->store, deis_str(hex), MANIFEST_MAX_BYTES, &text, err);

    deis_map_set(sweep->marked, deis_str(hex), sweep);
    if (r < 0) {
        /* Deleted meanwhile: its blobs are free. Anything else must not free what it refers to. */
        return r == DEIS_NOT_FOUND ? 0 : r;
    }
    r = manifest_parse(deis_buf_str(&text), deis_str(media_type), &refs, err);
    if (r < 0) {
        return r;
    }
    for (size_t i = 0; i < refs.blob_count; i++) {
        deis_map_set(sweep->marked, deis_str(refs.blobs[i]), sweep);
    }
    manifest_refs_clear(&refs);
    return 0;
}

static bool is_marked(const char *hex, void *arg)
{
    const struct sweep *sweep = arg;

    return deis_map_get(sweep->marked, deis_str(hex)) != NULL;
}

static void sweep_work(void *arg)
{
    struct sweep *sweep = arg;
    struct blob_store *store = sweep->registry->store;
    int64_t before = (int64_t)time(NULL) - (int64_t)(sweep->registry->conf.gc_grace_ms / 1000);

    sweep->failed = store_walk_manifests(store, mark_manifest, sweep, &sweep->err) < 0 ||
                    store_sweep(store, is_marked, sweep, before, &sweep->bytes, &sweep->err) < 0;
}

static void sweep_done(void *arg)
{
    struct sweep *sweep = arg;

    if (sweep->failed) {
        deis_error("garbage collection stopped", KV_ERR(&sweep->err));
    } else if (sweep->bytes > 0) {
        deis_info("blobs removed", KV_I("bytes", sweep->bytes));
    }
    sweep->registry->sweeping = false;
    deis_map_free(sweep->marked);
    free(sweep);
}

void sweep_start(void *arg)
{
    struct registry *r = arg;
    struct deis_err err = DEIS_ERR_INIT;

    if (r->sweeping || r->stopping) {
        return; /* the periodic one will see what is left */
    }
    struct sweep *sweep = deis_alloc(sizeof(*sweep));
    sweep->registry = r;
    sweep->marked = deis_map_new(NULL);
    r->sweeping = true;
    if (deis_workers_run(r->workers, sweep_work, sweep_done, sweep, &err) < 0) {
        deis_warn("garbage collection put off", KV_ERR(&err));
        r->sweeping = false;
        deis_map_free(sweep->marked);
        free(sweep);
    }
}
