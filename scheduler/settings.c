/* SPDX-License-Identifier: MIT */
#include "scheduler/settings.h"

#define ROW(flag, key, type, field, def, flags, help)                                              \
    {                                                                                              \
        flag, key, type, offsetof(struct settings, field), def, flags, help                        \
    }

const struct deis_conf_row settings_rows[] = {
    ROW("etcd", NULL, DEIS_CONF_TEXT, etcd, "http://127.0.0.1:2379", 0,
        "endpoints of etcd, separated by commas"),
    ROW("cluster-key", NULL, DEIS_CONF_TEXT, cluster_key, "/etc/deis/cluster.key", 0,
        "file with the key that all services share"),
    ROW("instance", NULL, DEIS_CONF_TEXT, instance, "", 0,
        "name of this process; default: the host name"),
    ROW("bus", NULL, DEIS_CONF_TEXT, bus, "tcp://127.0.0.1:7003", 0,
        "address to serve requests of other services on"),
    ROW("data-dir", NULL, DEIS_CONF_TEXT, data_dir, "/data", 0,
        "folder for what must survive a restart"),
    ROW("machine-id", NULL, DEIS_CONF_TEXT, machine_id, "", 0,
        "id of this machine; default: made once and kept in the data folder"),
    ROW("metadata", NULL, DEIS_CONF_TEXT, metadata, "", 0,
        "tags of this machine for placement: rack=2,disk=ssd"),
    ROW("address", NULL, DEIS_CONF_TEXT, address, "127.0.0.1", 0,
        "where other machines reach this one"),
    ROW("docker-socket", NULL, DEIS_CONF_TEXT, docker_socket, "/var/run/docker.sock", 0,
        "socket of the Docker Engine"),
    ROW("docker-root", NULL, DEIS_CONF_TEXT, docker_root, "/var/lib/docker", 0,
        "the Engine's folder, for the logs of containers"),
    ROW("network", NULL, DEIS_CONF_TEXT, network, "deis-apps", 0,
        "Docker network that containers of apps are put on"),
    ROW("registry", NULL, DEIS_CONF_TEXT, registry, "127.0.0.1:5555", 0,
        "address of the registry-proxy, which is told who we are"),
    ROW("components", NULL, DEIS_CONF_TEXT, components, "deis.component", 0,
        "label of containers that are started again when they have ended; empty: none"),
    ROW("image-idle", NULL, DEIS_CONF_MS, image_idle_ms, "24h", 0,
        "an image that was fetched and that no container has had for so long is removed; 0 = never"),
    ROW("pids-limit", NULL, DEIS_CONF_U32, pids_limit, "512", 0,
        "processes and threads that one container may have"),
    ROW("engine", NULL, DEIS_CONF_BOOL, engine, "true", 0,
        "take part in the election of the engine; without it only the agent runs"),
};

const size_t settings_count = DEIS_COUNT(settings_rows);
