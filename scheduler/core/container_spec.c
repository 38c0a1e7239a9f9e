/* SPDX-License-Identifier: MIT */
#include "scheduler/core/container_spec.h"

#include "scheduler/core/logfiles.h"

#include <stdio.h>

static json_t *strv_json(char *const *v)
{
    json_t *array = json_array();

    for (; v && *v; v++) {
        json_array_append_new(array, json_string(*v));
    }
    return array;
}

static json_t *env_json(const struct container_spec *s)
{
    json_t *array = json_array();
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)s->env, name, value)
    {
        deis_autofree char *line = deis_asprintf("%s=%s", name, json_string_value(value));
        json_array_append_new(array, json_string(line));
    }
    if (s->port > 0 && !json_object_get(s->env, "PORT")) {
        deis_autofree char *line = deis_asprintf("PORT=%u", s->port);
        json_array_append_new(array, json_string(line));
    }
    if (s->term && !json_object_get(s->env, "TERM")) {
        deis_autofree char *line = deis_asprintf("TERM=%s", s->term);
        json_array_append_new(array, json_string(line));
    }
    return array;
}

static json_t *log_json(const struct container_spec *s)
{
    char files[8];

    snprintf(files, sizeof(files), "%d", LOGFILES_KEPT);
    return s->attached ? json_pack("{s:s}", "Type", "none")
                       : json_pack("{s:s, s:{s:s, s:s}}", "Type", "json-file", "Config", "max-size",
                                   "10m", "max-file", files);
}

static json_t *host_json(const struct container_spec *s)
{
    static const char *const caps[] = { "CHOWN",  "DAC_OVERRIDE",     "FOWNER", "SETUID",
                                        "SETGID", "NET_BIND_SERVICE", "KILL" };
    json_t *cap_add = json_array();

    for (size_t i = 0; i < DEIS_COUNT(caps); i++) {
        json_array_append_new(cap_add, json_string(caps[i]));
    }
    json_t *host = json_pack("{s:s, s:[s], s:o, s:[s], s:i, s:{s:s}, s:o}", "NetworkMode",
                             s->network, "CapDrop", "ALL", "CapAdd", cap_add, "SecurityOpt",
                             "no-new-privileges", "PidsLimit", (int)s->pids_limit, "RestartPolicy",
                             "Name", "no", "LogConfig", log_json(s));
    if (s->memory_bytes > 0) {
        json_object_set_new(host, "Memory", json_integer((json_int_t)s->memory_bytes));
        json_object_set_new(host, "MemorySwap", json_integer((json_int_t)s->memory_bytes));
    }
    if (s->cpu_shares > 0) {
        json_object_set_new(host, "CpuShares", json_integer(s->cpu_shares));
    }
    if (s->init) {
        json_object_set_new(host, "Init", json_true());
    }
    return host;
}

json_t *container_spec_body(const struct container_spec *s)
{
    json_t *body = json_pack("{s:s, s:o, s:O, s:o}", "Image", s->image, "Env", env_json(s),
                             "Labels", s->labels, "HostConfig", host_json(s));

    if (s->entrypoint) {
        json_object_set_new(body, "Entrypoint", strv_json(s->entrypoint));
    }
    if (s->command) {
        json_object_set_new(body, "Cmd", strv_json(s->command));
    }
    if (s->attached) {
        json_object_set_new(body, "OpenStdin", json_true());
        json_object_set_new(body, "StdinOnce", json_true());
        json_object_set_new(body, "Tty", json_boolean(s->tty));
    }
    return body;
}

static uint16_t port_of(struct deis_str text)
{
    uint64_t port;

    return deis_str_to_u64(text, 1, 65535, &port, NULL) == 0 ? (uint16_t)port : 0;
}

uint16_t container_spec_port(const json_t *env, const json_t *image)
{
    uint16_t lowest = port_of(deis_str(json_string_value(json_object_get(env, "PORT"))));
    const char *name;
    json_t *value;

    if (lowest > 0) {
        return lowest;
    }
    json_t *ports = json_object_get(json_object_get(image, "Config"), "ExposedPorts");
    json_object_foreach(ports, name, value)
    {
        struct deis_str rest = deis_str(name), number;
        deis_str_split(&rest, '/', &number);
        uint16_t port = port_of(number);
        bool tcp = rest.len == 0 || deis_str_eq_cstr(rest, "tcp");
        if (tcp && port > 0 && (lowest == 0 || port < lowest)) {
            lowest = port;
        }
    }
    return lowest > 0 ? lowest : CONTAINER_PORT_DEFAULT;
}

const char *container_spec_address(const json_t *container, const char *network)
{
    json_t *networks = json_object_get(json_object_get(container, "NetworkSettings"), "Networks");
    const char *address =
        json_string_value(json_object_get(json_object_get(networks, network), "IPAddress"));

    return address && *address ? address : NULL;
}
