/* SPDX-License-Identifier: MIT */
#include "router/settings.h"

#include <unistd.h>

#define AT(field) offsetof(struct settings, field)

static const struct deis_conf_row rows[] = {
    { "etcd", NULL, DEIS_CONF_TEXT, AT(etcd), "http://127.0.0.1:2379", 0,
      "URLs of etcd, separated by commas" },
    { "cluster-key", NULL, DEIS_CONF_TEXT, AT(cluster_key), "/etc/deis/cluster.key", 0,
      "file with the cluster key" },
    { "instance", NULL, DEIS_CONF_TEXT, AT(instance), NULL, 0,
      "name of this router (default: the host's name)" },
    { "data", NULL, DEIS_CONF_TEXT, AT(data), "/data", 0,
      "folder for the routing table that is kept for a start without etcd" },
    { "routes", NULL, DEIS_CONF_TEXT, AT(routes), NULL, 0,
      "take the routes from this file of lines 'HOST ADDR:PORT' and use no etcd" },
    { "control", NULL, DEIS_CONF_TEXT, AT(control), NULL, 0,
      "with --routes: Unix socket that takes changes" },
    { "access-log", NULL, DEIS_CONF_TEXT, AT(access_log), NULL, 0,
      "file for the access log, '-' for none (default: to the logger, with --routes none)" },
    { "http", NULL, DEIS_CONF_TEXT, AT(http), "0.0.0.0:80", 0, "address for HTTP" },
    { "ssh", NULL, DEIS_CONF_TEXT, AT(ssh), "0.0.0.0:2222", 0,
      "address for SSH to the builder, '-' for none; with --routes there is none" },
    { "metrics", NULL, DEIS_CONF_TEXT, AT(metrics), "127.0.0.1:9090", 0,
      "private address for /healthz, /metrics and /routes, '-' for none" },
    { "workers", NULL, DEIS_CONF_U32, AT(workers), "0", 0, "worker threads; 0 = one per core" },
    { "worker-connections", "maxWorkerConnections", DEIS_CONF_U32, AT(worker_connections), "0", 0,
      "client connections of a worker; 0 = as many as descriptors allow" },
    { "body-size", "bodySize", DEIS_CONF_BYTES, AT(body_max), "100m", DEIS_CONF_LIVE,
      "bytes of a request body; more is answered with 413" },
    { "default-timeout", "defaultTimeout", DEIS_CONF_MS, AT(answer_timeout_ms), "1300",
      DEIS_CONF_LIVE, "silence of an app during an answer" },
    { "ssh-timeout", "builder/timeout/tcp", DEIS_CONF_MS, AT(ssh_timeout_ms), "1200", 0,
      "silence on an SSH connection" },
};

static void drop_if(char **field, const char *none)
{
    if (*field && strcmp(*field, none) == 0) {
        free(*field);
        *field = NULL;
    }
}

int settings_load(int argc, char **argv, struct settings *ret, struct deis_err *err)
{
    char host[256] = "router";

    memset(ret, 0, sizeof(*ret));
    int code = deis_conf_load(rows, DEIS_COUNT(rows), "deis-router",
                              "carries every request from a domain to a healthy unit", argc, argv,
                              ret, NULL, err);
    if (code < 0) {
        return code;
    }
    if (ret->control && !ret->routes) {
        return deis_err_set(err, DEIS_INVALID, "--control needs --routes");
    }
    drop_if(&ret->ssh, "-");
    drop_if(&ret->metrics, "-");
    if (!ret->instance) {
        (void)gethostname(host, sizeof(host) - 1);
        ret->instance = deis_strdup(host);
    }
    if (ret->workers == 0) {
        long n = sysconf(_SC_NPROCESSORS_ONLN);
        ret->workers = n > 0 ? (uint32_t)n : 1;
    }
    if (ret->workers > 256) {
        return deis_err_set(err, DEIS_INVALID, "--workers must be 256 at most");
    }
    return 0;
}

int settings_apply(struct settings *s, struct deis_str key, const char *value, struct deis_err *err)
{
    return deis_conf_apply(rows, DEIS_COUNT(rows), s, key, value, err);
}

void settings_clear(struct settings *s)
{
    deis_conf_free(rows, DEIS_COUNT(rows), s);
}
