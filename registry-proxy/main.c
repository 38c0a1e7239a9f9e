/* SPDX-License-Identifier: MIT */
/* deis-registry-proxy: the image registry as this machine's Docker Engine sees it, on the loopback.
 */
#include "registry-proxy/core/manifest.h"
#include "registry-proxy/registry.h"

#include "lib/conf/conf.h"
#include "lib/etcd/etcd.h"
#include "lib/model/directory.h"
#include "lib/net/log.h"

#include <stdio.h>
#include <unistd.h>

#define UPLOAD_CHECK_MS (60 * 1000)
#define INTERVAL_MIN_MS 1000
#define DRAIN_MAX_MS    (8 * 1000)
#define WORKERS         4
#define WORKERS_QUEUE   256

#define ROW(flag, type, field, def, help)                                                          \
    {                                                                                              \
        flag, NULL, type, offsetof(struct registry_conf, field), def, 0, help                      \
    }

static const struct deis_conf_row rows[] = {
    ROW("etcd", DEIS_CONF_TEXT, etcd, "http://127.0.0.1:2379", "etcd endpoints, comma separated"),
    ROW("cluster-key", DEIS_CONF_TEXT, cluster_key, "/etc/deis/cluster.key",
        "file with the key that all services share: who holds it may use the registry"),
    ROW("instance", DEIS_CONF_TEXT, instance, "", "name of this instance; empty: the host's name"),
    ROW("http", DEIS_CONF_TEXT, http, "127.0.0.1:5555", "where the registry listens"),
    ROW("data", DEIS_CONF_TEXT, data, "/data", "folder of blobs and manifests"),
    ROW("gc-grace", DEIS_CONF_MS, gc_grace_ms, "1h", "how long an unreferenced blob is kept"),
    ROW("gc-interval", DEIS_CONF_MS, gc_interval_ms, "1h", "time between garbage collections"),
    ROW("image-grace", DEIS_CONF_MS, image_grace_ms, "168h",
        "an image that no build of any app names is kept for so long; 0 = for ever"),
    ROW("upload-idle", DEIS_CONF_MS, upload_idle_ms, "15m", "drop an upload after this silence"),
    ROW("blob-max", DEIS_CONF_BYTES, blob_max_bytes, "10G", "largest blob that is taken"),
    ROW("uploads-max", DEIS_CONF_U32, uploads_max, "64", "uploads under way at once"),
};

struct service {
    struct registry registry;
    struct deis_etcd *etcd;
    struct deis_directory *directory;
    struct app_watch *apps;
    struct deis_timer *drain_timer;
};

static void on_drained(void *arg)
{
    struct service *s = arg;

    deis_loop_stop(s->registry.loop);
}

static void on_stop(void *arg)
{
    struct service *s = arg;

    deis_info("stopping");
    deis_timer_after(s->drain_timer, DRAIN_MAX_MS);
    deis_httpd_drain(s->registry.httpd, on_drained, s);
}

/* A timer that always runs would keep the loop busy, and this much precision is enough. */
static uint64_t interval(uint64_t ms)
{
    return ms < INTERVAL_MIN_MS ? INTERVAL_MIN_MS : ms;
}

static int start(struct service *s, struct deis_err *err)
{
    struct registry *r = &s->registry;
    const struct deis_etcd_opts etcd = { .endpoints = r->conf.etcd };
    const struct deis_httpd_opts http = { .body_max = MANIFEST_MAX_BYTES };
    struct deis_service where = { .http = r->conf.http };
    char host[256] = "registry-proxy";

    r->loop = deis_loop_new();
    r->workers = deis_workers_new(r->loop, WORKERS, WORKERS_QUEUE);
    r->uploads = deis_map_new(upload_free);
    r->keys = deis_keys_open(r->conf.cluster_key, err);
    r->store = r->keys ? blob_store_open(r->conf.data, err) : NULL;
    if (!r->store) {
        return err->code;
    }
    r->httpd = deis_httpd_new(r->loop, r->conf.http, &http, &registry_ops, r, err);
    s->etcd = r->httpd ? deis_etcd_new(&etcd, err) : NULL;
    if (!s->etcd) {
        return err->code;
    }
    r->etcd = s->etcd;
    gethostname(host, sizeof(host) - 1);
    s->directory = deis_directory_start(s->etcd, r->loop);
    deis_directory_follow_keys(s->directory, r->keys);
    deis_directory_register(s->directory, "registry-proxy",
                            r->conf.instance[0] != '\0' ? r->conf.instance : host, &where);
    s->apps = app_watch_start(r, s->etcd);
    r->upload_timer = deis_timer_new(r->loop, upload_expire, r);
    deis_timer_every(r->upload_timer,
                     interval(r->conf.upload_idle_ms < UPLOAD_CHECK_MS ? r->conf.upload_idle_ms
                                                                       : UPLOAD_CHECK_MS));
    r->sweep_timer = deis_timer_new(r->loop, retire_start, r);
    deis_timer_every(r->sweep_timer, interval(r->conf.gc_interval_ms));
    s->drain_timer = deis_timer_new(r->loop, on_drained, s);
    deis_loop_on_stop(r->loop, on_stop, s);
    return 0;
}

static void stop(struct service *s)
{
    struct registry *r = &s->registry;

    r->stopping = true;
    app_watch_stop(s->apps);
    deis_directory_stop(s->directory);
    deis_timer_free(r->upload_timer);
    deis_timer_free(r->sweep_timer);
    deis_timer_free(s->drain_timer);
    deis_httpd_free(r->httpd);
    deis_workers_free(r->workers);
    app_watch_free(s->apps);
    deis_map_free(r->uploads);
    blob_store_free(r->store);
    deis_keys_free(r->keys);
    deis_etcd_free(s->etcd);
    deis_loop_free(r->loop);
    deis_conf_free(rows, DEIS_COUNT(rows), &r->conf);
}

int main(int argc, char **argv)
{
    struct service s = { 0 };
    struct deis_err err = DEIS_ERR_INIT;

    if (deis_conf_load(rows, DEIS_COUNT(rows), "deis-registry-proxy",
                       "The image registry of this machine: stores, gives, forgets.", argc, argv,
                       &s.registry.conf, NULL, &err) < 0) {
        fprintf(stderr, "deis-registry-proxy: %s\n", err.msg);
        return 2;
    }
    deis_runtime_init("registry-proxy");
    if (start(&s, &err) < 0) {
        deis_error("can't start", KV_ERR(&err));
        stop(&s);
        return 1;
    }
    deis_info("listening", KV_S("http", s.registry.conf.http), KV_S("data", s.registry.conf.data));
    deis_loop_run(s.registry.loop);
    stop(&s);
    return 0;
}
