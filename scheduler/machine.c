/* SPDX-License-Identifier: MIT */
#include "scheduler/machine.h"

#include "lib/net/file.h"
#include "lib/net/log.h"

#include <sys/sysinfo.h>
#include <unistd.h>

#define PRESENCE_LEASE_S 10
#define RETRY_MS         250
#define RETRY_MAX_MS     2000
#define METADATA_MAX     64

struct machine {
    const struct context *ctx;
    struct deis_workers *worker;
    struct deis_etcd_lease *lease;
    struct deis_timer *retry;
    int64_t lease_id; /* 0 = none */
    json_t *metadata;
    bool busy;
    bool published; /* under lease_id */
    unsigned failures;
    bool stopping;
    int64_t busy_lease; /* of the write under way */
    int rc;
    struct deis_err err;
};

int machine_id(const struct settings *s, char **ret, struct deis_err *err)
{
    deis_autobuf struct deis_buf text = DEIS_BUF_INIT(256);
    deis_autofree char *path = deis_asprintf("%s/machine-id", s->data_dir);

    if (*s->machine_id) {
        deis_buf_add_cstr(&text, s->machine_id);
    } else {
        int r = deis_file_read(path, &text, err);
        if (r == DEIS_NOT_FOUND) {
            char id[17];
            *err = (struct deis_err)DEIS_ERR_INIT;
            deis_random_hex(id, 8);
            deis_buf_addf(&text, "%s\n", id);
            r = deis_file_replace(path, deis_buf_str(&text), 0600, err);
        }
        if (r < 0) {
            return r;
        }
    }
    struct deis_str id = deis_str_trim(deis_buf_str(&text));
    if (!deis_str_is_label(id)) {
        return deis_err_set(err, DEIS_INVALID,
                            "machine id '%.*s' must be up to 63 of a-z, 0-9 and '-'",
                            DEIS_STR_ARG(deis_str_first(id, 64)));
    }
    *ret = deis_str_dup(id);
    return 0;
}

static int parse_metadata(const char *text, json_t **ret, struct deis_err *err)
{
    deis_autojson json_t *obj = json_object();
    struct deis_str rest = deis_str_trim(deis_str(text)), pair, name;

    while (rest.len > 0 && deis_str_split(&rest, ',', &pair)) {
        if (!deis_str_split(&pair, '=', &name) || name.len == 0 || !pair.ptr ||
            json_object_size(obj) >= METADATA_MAX) {
            return deis_err_set(err, DEIS_INVALID, "metadata '%.200s' must be name=value,...",
                                text);
        }
        deis_autofree char *key = deis_str_dup(name);
        json_object_set_new(obj, key, json_stringn(pair.ptr, pair.len));
    }
    *ret = DEIS_TAKE(obj);
    return 0;
}

static char *document(const struct machine *m)
{
    char host[256] = "";
    struct sysinfo info = { 0 };
    const struct settings *s = m->ctx->settings;

    gethostname(host, sizeof(host) - 1);
    sysinfo(&info);
    struct deis_machine doc = {
        .id = m->ctx->machine,
        .hostname = host,
        .address = s->address,
        .bus = s->bus,
        .metadata = m->metadata,
        .cpus = (uint32_t)get_nprocs(),
        .memory_bytes = (uint64_t)info.totalram * info.mem_unit,
    };
    return deis_machine_format(&doc);
}

static void publish(void *arg)
{
    struct machine *m = arg;
    deis_autofree char *text = document(m);
    deis_autotxn struct deis_etcd_txn *t = deis_etcd_txn_new();
    char key[DEIS_KEY_MAX];

    m->err = (struct deis_err)DEIS_ERR_INIT;
    deis_etcd_then_put(t, deis_key(key, "machines/%s", m->ctx->machine), deis_str(text), 0);
    deis_etcd_then_put(t, deis_key(key, "machines/%s/presence", m->ctx->machine), DEIS_STR("{}"),
                       m->busy_lease);
    m->rc = deis_etcd_commit(m->ctx->etcd, t, NULL, NULL, &m->err);
}

static void try_publish(void *arg);

static void published(void *arg)
{
    struct machine *m = arg;

    m->busy = false;
    if (m->stopping) {
        return;
    }
    if (m->rc == 0 && m->busy_lease == m->lease_id) {
        m->published = true;
        m->failures = 0;
        deis_info("machine is published", KV_S("machine", m->ctx->machine));
        return;
    }
    if (m->rc < 0) {
        deis_warn("can't publish the machine", KV_ERR(&m->err));
    }
    deis_timer_after(m->retry, deis_backoff_ms(m->failures++, RETRY_MS, RETRY_MAX_MS));
}

static void try_publish(void *arg)
{
    struct deis_err err = DEIS_ERR_INIT;
    struct machine *m = arg;

    if (m->busy || m->published || m->lease_id == 0) {
        return;
    }
    m->busy = true;
    m->busy_lease = m->lease_id;
    int rc = deis_workers_run(m->worker, publish, published, m, &err);
    if (rc < 0) {
        m->rc = rc;
        m->err = err;
        published(m);
    }
}

static void on_lease(int64_t lease, void *arg)
{
    struct machine *m = arg;

    m->lease_id = lease;
    m->published = false;
    try_publish(m);
}

static void on_lease_lost(void *arg)
{
    struct machine *m = arg;

    m->lease_id = 0;
    m->published = false;
    deis_etcd_lease_stop(m->lease, false);
    deis_etcd_lease_start(m->ctx->etcd, m->ctx->loop, PRESENCE_LEASE_S, on_lease, on_lease_lost, m,
                          &m->lease);
}

int machine_start(const struct context *ctx, struct machine **ret, struct deis_err *err)
{
    json_t *metadata = NULL;
    int r = parse_metadata(ctx->settings->metadata, &metadata, err);

    if (r < 0) {
        return r;
    }
    struct machine *m = deis_alloc(sizeof(*m));
    m->ctx = ctx;
    m->metadata = metadata;
    m->worker = deis_workers_new(ctx->loop, 1, 4);
    m->retry = deis_timer_new(ctx->loop, try_publish, m);
    deis_etcd_lease_start(ctx->etcd, ctx->loop, PRESENCE_LEASE_S, on_lease, on_lease_lost, m,
                          &m->lease);
    *ret = m;
    return 0;
}

void machine_stop(struct machine *m)
{
    if (!m) {
        return;
    }
    m->stopping = true;
    deis_workers_free(m->worker);
    deis_etcd_lease_stop(m->lease, true);
    deis_timer_free(m->retry);
    json_decref(m->metadata);
    free(m);
}
