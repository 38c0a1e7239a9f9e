/* SPDX-License-Identifier: MIT */
/* deis-logger: takes every log line in, keeps it, gives it back. */
#include "log.pb-c.h"
#include "logger/logger.h"

#include "lib/base/clock.h"
#include "lib/conf/conf.h"
#include "lib/etcd/etcd.h"
#include "lib/model/directory.h"
#include "lib/net/log.h"

#include <stdio.h>
#include <unistd.h>

#define ROW(flag, type, field, def, help)                                                          \
    {                                                                                              \
        flag, NULL, type, offsetof(struct logger_conf, field), def, 0, help                        \
    }

static const struct deis_conf_row rows[] = {
    ROW("etcd", DEIS_CONF_TEXT, etcd, "http://127.0.0.1:2379", "etcd endpoints, comma separated"),
    ROW("cluster-key", DEIS_CONF_TEXT, key_file, "/etc/deis/cluster.key",
        "file of the cluster key"),
    ROW("instance", DEIS_CONF_TEXT, instance, "", "name of this instance; empty: the host's name"),
    ROW("bus", DEIS_CONF_TEXT, bus, "tcp://127.0.0.1:7002", "where the bus listens"),
    ROW("data", DEIS_CONF_TEXT, data, "/data", "folder of the lines"),
    ROW("segment", DEIS_CONF_BYTES, segment_bytes, "1M", "size of a file; the unit of removal"),
    ROW("app-quota", DEIS_CONF_BYTES, app_bytes, "32M", "room for the lines of one app"),
    ROW("total-quota", DEIS_CONF_BYTES, total_bytes, "1G",
        "room for all lines; the newest file of an app stays"),
};

static const struct deis_bus_method methods[] = {
    { "logger.append", &deis__log_append__descriptor, logger_append, true },
    { "logger.read", &deis__log_read__descriptor, logger_read, true },
    { "logger.delete", &deis__log_delete__descriptor, logger_delete, true },
};

struct service {
    struct logger logger;
    struct deis_keys *keys;
    struct deis_etcd *etcd;
    struct deis_directory *directory;
};

static int open_store(struct logger *l, struct deis_err *err)
{
    const struct log_store_opts opts = {
        .root = l->conf.data,
        .segment_bytes = l->conf.segment_bytes,
        .limits = { l->conf.app_bytes, l->conf.total_bytes },
    };
    deis_autofree char *path = deis_asprintf("%s/sources", l->conf.data);

    l->sources = sources_open(path, err);
    l->store = l->sources ? log_store_open(&opts, l->sources, err) : NULL;
    return l->store ? 0 : err->code;
}

static int start(struct service *s, struct deis_err *err)
{
    struct logger *l = &s->logger;
    const struct deis_etcd_opts etcd = { .endpoints = l->conf.etcd };
    struct deis_service where = { .bus = l->conf.bus };
    struct deis_keyring ring;
    char host[256] = "logger";
    int r;

    l->loop = deis_loop_new();
    l->workers = deis_workers_new(l->loop, 1, 4);
    logger_readers_start(l);
    s->keys = deis_keys_open(l->conf.key_file, err);
    if (!s->keys) {
        return err->code;
    }
    if ((r = open_store(l, err)) < 0) {
        return r;
    }
    s->etcd = deis_etcd_new(&etcd, err);
    deis_keys_get(s->keys, &ring);
    l->bus = s->etcd ? deis_bus_server_new(l->loop, l->conf.bus, &ring.keys[0], "logger", methods,
                                           DEIS_COUNT(methods), l, err)
                     : NULL;
    deis_keyring_clear(&ring);
    if (!l->bus) {
        return err->code;
    }
    deis_bus_server_follow(l->bus, s->keys);
    gethostname(host, sizeof(host) - 1);
    s->directory = deis_directory_start(s->etcd, l->loop);
    deis_directory_follow_keys(s->directory, s->keys);
    deis_directory_register(s->directory, "logger",
                            l->conf.instance[0] != '\0' ? l->conf.instance : host, &where);
    return 0;
}

static void stop(struct service *s)
{
    struct logger *l = &s->logger;
    struct deis_err err = DEIS_ERR_INIT;

    l->stopping = true;
    deis_directory_stop(s->directory);
    logger_readers_end(l);
    deis_workers_free(l->workers);
    logger_syncs_end(l);
    deis_bus_server_free(l->bus);
    if (l->store && !l->broken &&
        (log_store_sync(l->store, &err) < 0 ||
         sources_save(l->sources, deis_wall_ms(), &err) < 0)) {
        deis_error("positions not saved", KV_ERR(&err));
    }
    log_store_free(l->store);
    sources_free(l->sources);
    deis_etcd_free(s->etcd);
    deis_loop_free(l->loop);
    deis_keys_free(s->keys);
    deis_conf_free(rows, DEIS_COUNT(rows), &l->conf);
}

int main(int argc, char **argv)
{
    struct service s = { 0 };
    struct deis_err err = DEIS_ERR_INIT;

    if (deis_conf_load(rows, DEIS_COUNT(rows), "deis-logger",
                       "Takes the log lines of all apps in, keeps them, gives them back.", argc,
                       argv, &s.logger.conf, NULL, &err) < 0) {
        fprintf(stderr, "deis-logger: %s\n", err.msg);
        return 2;
    }
    deis_runtime_init("logger");
    if (start(&s, &err) < 0) {
        deis_error("can't start", KV_ERR(&err));
        stop(&s);
        return 1;
    }
    deis_info("listening", KV_S("bus", s.logger.conf.bus), KV_S("data", s.logger.conf.data));
    deis_loop_run(s.logger.loop);
    bool broken = s.logger.broken;
    stop(&s);
    return broken ? 1 : 0;
}
