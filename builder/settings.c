/* SPDX-License-Identifier: MIT */
#include "builder/settings.h"

#include "builder/file.h"

#include "lib/wire/json.h"

#define ROW(flag, key, type, field, def, help)                                                     \
    {                                                                                              \
        flag, key, type, offsetof(struct settings, field), def, (key) ? DEIS_CONF_LIVE : 0, help   \
    }

const struct deis_conf_row settings_rows[] = {
    ROW("etcd", NULL, DEIS_CONF_TEXT, etcd, "http://127.0.0.1:2379", "etcd, URL[,URL...]"),
    ROW("cluster-key", NULL, DEIS_CONF_TEXT, cluster_key, "/etc/deis/cluster.key",
        "file with the cluster key"),
    ROW("instance", NULL, DEIS_CONF_TEXT, instance, "",
        "name in services/builder/; empty: host name"),
    ROW("ssh", NULL, DEIS_CONF_TEXT, ssh, "127.0.0.1:2223", "address that sshd listens on"),
    ROW("proxy-from", NULL, DEIS_CONF_TEXT, proxy_from, "127.0.0.0/8,::1/128",
        "ranges of the routers, which tell a client's address by a PROXY header; empty: none"),
    ROW("data", NULL, DEIS_CONF_TEXT, data, "/data", "folder of repositories, host keys and state"),
    ROW("docker", NULL, DEIS_CONF_TEXT, docker, "/var/run/docker.sock",
        "socket of the Docker Engine"),
    ROW("registry", NULL, DEIS_CONF_TEXT, registry, "127.0.0.1:5555",
        "address of the registry-proxy"),
    ROW("controller-bus", NULL, DEIS_CONF_TEXT, controller_bus, "tcp://127.0.0.1:7001",
        "bus address of the controller while etcd names none"),
    ROW("sshd", NULL, DEIS_CONF_TEXT, sshd, "/usr/sbin/sshd", "absolute path of sshd"),
    ROW("git", NULL, DEIS_CONF_TEXT, git, "/usr/bin/git", "absolute path of git"),
    ROW("build-timeout", "buildTimeout", DEIS_CONF_MS, build_timeout_ms, "15m",
        "time for one docker build"),
    ROW("builds-max", "buildsMax", DEIS_CONF_U32, builds_max, "3",
        "builds at once, further ones wait their turn; 0 = no limit"),
    ROW("images-kept", "imagesKept", DEIS_CONF_U32, images_kept, "5",
        "different images of an app's newest releases that stay in the Engine; 0 = all"),
    ROW("base-idle", "baseIdle", DEIS_CONF_MS, base_idle_ms, "720h",
        "an image that was fetched for a Dockerfile and that none has named for so long is removed; "
        "0 = never"),
    ROW("build-memory", "buildMemory", DEIS_CONF_BYTES, build_memory, "2GB",
        "memory for one step of a build; 0 = no limit"),
    ROW("build-processes", "buildProcesses", DEIS_CONF_U32, build_processes, "2048",
        "processes and threads of one step of a build; 0 = no limit"),
    ROW("context-max", "contextMax", DEIS_CONF_BYTES, context_max, "512MB",
        "size of all files of a pushed commit"),
    ROW("output-max", "outputMax", DEIS_CONF_BYTES, output_max, "16MB", "output of one build"),
    ROW("push-max", "pushMax", DEIS_CONF_BYTES, push_max, "1GB", "size of one pushed pack"),
    ROW("push-timeout", "pushTimeout", DEIS_CONF_MS, push_timeout_ms, "45m",
        "time for a whole push or fetch"),
};
const size_t settings_row_count = DEIS_COUNT(settings_rows);

#define FILE_MAX_BYTES 65536

static void *field(struct settings *s, const struct deis_conf_row *row)
{
    return (char *)s + row->offset;
}

static json_t *row_to_json(const struct settings *s, const struct deis_conf_row *row)
{
    const void *p = (const char *)s + row->offset;

    switch (row->type) {
    case DEIS_CONF_TEXT: return json_string(*(char *const *)p);
    case DEIS_CONF_U32: return json_integer(*(const uint32_t *)p);
    case DEIS_CONF_BOOL: return json_boolean(*(const bool *)p);
    case DEIS_CONF_MS:
    case DEIS_CONF_BYTES: return json_integer((json_int_t) * (const uint64_t *)p);
    }
    return NULL;
}

static int row_from_json(struct settings *s, const struct deis_conf_row *row, const json_t *object,
                         struct deis_err *err)
{
    const char *text = NULL;
    uint64_t number = 0;
    int rc = DEIS_OK;

    switch (row->type) {
    case DEIS_CONF_TEXT:
        rc = deis_json_get_str(object, row->flag, &text, err);
        if (rc == DEIS_OK) {
            *(char **)field(s, row) = deis_strdup(text);
        }
        break;
    case DEIS_CONF_U32:
        rc = deis_json_get_u64(object, row->flag, &number, err);
        *(uint32_t *)field(s, row) = (uint32_t)number;
        break;
    case DEIS_CONF_BOOL: rc = deis_json_get_bool(object, row->flag, field(s, row), err); break;
    case DEIS_CONF_MS:
    case DEIS_CONF_BYTES: rc = deis_json_get_u64(object, row->flag, field(s, row), err); break;
    }
    return rc;
}

int settings_save(const struct settings *s, const char *path, struct deis_err *err)
{
    deis_autojson json_t *object = json_object();

    for (size_t i = 0; i < settings_row_count; i++) {
        json_object_set_new(object, settings_rows[i].flag, row_to_json(s, &settings_rows[i]));
    }
    deis_autofree char *text = deis_json_dump(object);
    return deis_file_replace(path, deis_str(text), 0600, err);
}

int settings_load(const char *path, struct settings *ret, struct deis_err *err)
{
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(FILE_MAX_BYTES);

    memset(ret, 0, sizeof(*ret));
    int rc = deis_file_read(path, &text, err);
    if (rc < 0) {
        return rc;
    }
    deis_autojson json_t *object = deis_json_parse(deis_buf_str(&text), err);
    if (!object) {
        return deis_err_wrap(err, "settings '%s'", path);
    }
    for (size_t i = 0; i < settings_row_count && rc == DEIS_OK; i++) {
        rc = row_from_json(ret, &settings_rows[i], object, err);
    }
    if (rc < 0) {
        settings_clear(ret);
        return deis_err_wrap(err, "settings '%s'", path);
    }
    return DEIS_OK;
}

void settings_clear(struct settings *s)
{
    deis_conf_free(settings_rows, settings_row_count, s);
}
